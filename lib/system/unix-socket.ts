/**
 * Unix sockets of Nexus and of the user's agent: opened with a time limit, in folders that only the user can enter. A
 * socket's own mode protects it on Linux alone, so the folder has to.
 */
import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { restrict } from './store.ts'

export type { Socket } from 'node:net'

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
