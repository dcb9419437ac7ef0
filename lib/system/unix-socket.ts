/**
 * Unix sockets of ours and of the user's agent: opened with a time limit, in folders that nobody else can enter. A socket's own mode
 * protects it on Linux alone, so the folder has to.
 */
import { rmSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { NexusError } from '../core/errors.ts'
import { makeFolder, restrict } from './store.ts'

export type { Socket } from 'node:net'

/**
 * Makes a folder that only its owner can enter, or checks that the one that is there is such.
 * @throws {NexusError} PERMISSION_DENIED when it is somebody else's, or open to others
 */
export async function makePrivateFolder(path: string): Promise<void> {
  await makeFolder(path)
  const { uid, mode } = await lstat(path).then((stat) => ({
    uid: stat.uid,
    mode: stat.isDirectory() ? stat.mode : 0o777,
  }))
  if (uid === (process.getuid?.() ?? uid) && (mode & 0o077) === 0) return
  throw new NexusError('PERMISSION_DENIED', `${path} is not a folder of yours alone, so no socket is put there.`, {
    hint: `To see whose it is, run \`ls -ld ${path}\``,
    details: { path },
  })
}

/**
 * Listens at a path in a private folder. What lies there is replaced.
 * @returns the server, which keeps no process alive
 */
export async function listenAt(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ pauseOnConnect: false }, (socket) => {
    socket.on('error', () => socket.destroy())
    onConnection(socket)
  })
  rmSync(path, { force: true })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(path, () => {
      server.off('error', fail)
      done()
    })
  })
  server.on('error', () => undefined) // of one connection that could not be taken
  server.unref()
  await restrict(path, 0o600)
  return server
}

/** Undefined when nothing listens there, or does not take the connection in time. */
export function connectTo(path: string, timeoutMs: number): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = connect(path)
    const timer = setTimeout(() => finish(undefined), timeoutMs)
    const finish = (got: Socket | undefined) => {
      clearTimeout(timer)
      if (got === undefined) socket.destroy()
      done(got)
    }
    socket.on('error', () => finish(undefined))
    socket.once('connect', () => finish(socket))
  })
}
