/** How all workspaces are reached by ssh, as their generated client files say; whatever made those, and with no question to any engine. */
import { isWorkspaceId } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import { THIS_MACHINE } from '../../core/reach.ts'
import { sectionsOf } from '../../ssh/client/include-line.ts'
import type { SshTarget } from '../../ssh/client/resolved.ts'
import { listFolder, readIfPresent } from '../../system/store.ts'
import type { App } from '../app.ts'

/** Settings that one of them does not meet, others hardly do. */
const LOOKED_AT = 3

export interface ClientFile {
  readonly path: string
  readonly text: string
  readonly aliases: readonly string[]
  readonly port: number | undefined
}

export async function listClientFiles({ home }: App): Promise<readonly ClientFile[]> {
  const ids = (await listFolder(home.workspaces)).filter(isWorkspaceId).sort()
  const files = await Promise.all(
    ids.map(async (id) => {
      const path = workspacePaths(home, id).sshConfig
      const text = await readIfPresent(path)
      return text === undefined ? [] : [{ path, text, ...namesIn(text) }]
    }),
  )
  return files.flat()
}

function namesIn(text: string): Pick<ClientFile, 'aliases' | 'port'> {
  const aliases = sectionsOf(text).flatMap(({ line, word, words }) => (line > 0 && word === 'host' ? words : []))
  const port = /^\s*Port (\d+)$/m.exec(text)?.[1]
  return { aliases, port: port === undefined ? undefined : Number(port) }
}

export interface SshTargets {
  readonly aliases: readonly string[]
  /** A few, each by its alias, and one by the raw line. */
  readonly targets: readonly SshTarget[]
}

export async function listSshTargets(app: App): Promise<SshTargets> {
  const files = await listClientFiles(app)
  const byAlias = files.slice(0, LOOKED_AT).flatMap(({ aliases: [alias] }) => {
    return alias === undefined ? [] : [{ name: alias, host: alias, words: [] }]
  })
  const port = files[0]?.port
  const raw =
    port === undefined
      ? []
      : [
          {
            name: `nexus@${THIS_MACHINE.name} -p ${port}`,
            host: THIS_MACHINE.name,
            words: ['-l', 'nexus', '-p', `${port}`],
          },
        ]
  return { aliases: files.flatMap(({ aliases }) => aliases), targets: [...byAlias, ...raw] }
}
