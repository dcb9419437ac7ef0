/**
 * One path that several processes serve: connections to a workspace each have a filter of their own, and the agent's path in ssh's
 * configuration is one. A socket listens under every name that its file has, so whoever finds nobody at the path puts a second name
 * of its own there. The others hold a connection to the one at the path, and see its end at once.
 */
import { rmSync, statSync } from 'node:fs'
import { linkOnce, renameInto } from '../../system/store.ts'
import { connectTo, type Socket } from '../../system/unix-socket.ts'

const LOOK_TIMEOUT_MS = 1_000
/** Of two that put their names there at once, the earlier one looks again after this time. */
const SETTLE_MS = 30

export interface KeptPath {
  /** Gives the path up. */
  release(): void
}

/** Returns when somebody serves at `path`: this process by its socket `own`, or another. */
export async function keepPath(own: string, path: string): Promise<KeptPath> {
  if (own === path) return { release: () => rmSync(own, { force: true }) }
  let ended = false
  let watched: Socket | undefined
  let timer: NodeJS.Timeout | undefined
  const inode = statSync(own).ino
  const isOurs = () => statSync(path, { throwIfNoEntry: false })?.ino === inode

  const later = (ms: number) => {
    clearTimeout(timer)
    if (!ended) timer = setTimeout(() => void serveOrWatch(), ms).unref()
  }

  async function serveOrWatch(): Promise<void> {
    if (ended || isOurs()) return
    const other = await connectTo(path, LOOK_TIMEOUT_MS)
    if (ended) return void other?.destroy()
    if (other !== undefined) {
      watched = other.unref().resume()
      other.once('close', () => later(0))
      return
    }
    linkOnce(own, `${own}.at`)
    await renameInto(`${own}.at`, path)
    later(SETTLE_MS)
  }

  await serveOrWatch()
  return {
    release: () => {
      ended = true
      clearTimeout(timer)
      watched?.destroy()
      rmSync(own, { force: true })
      if (isOurs()) rmSync(path, { force: true })
    },
  }
}
