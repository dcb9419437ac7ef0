/**
 * The sockets of the client's side of SSH: one connection to a server on this machine's loopback that has said who it
 * is, and its splicing with two pipes of ours. Bytes are passed on unread; the slower side sets the pace. Loads nothing
 * but `node:net`: it is most of what a connection through an alias costs.
 */
import { connect, Socket } from 'node:net'

/** How long a server may stay silent once its client is gone. */
const LINGER_MS = 10_000

export interface Opened {
  /** Paused; what was read of it already comes first. */
  readonly socket: Socket
}

export type Attempt = Opened | 'refused' | 'silent'

export interface Patience {
  /** How long the server may take until its banner. */
  readonly patienceMs: number
  /** Called once when it has taken this long, and still may. */
  readonly quiet?: { readonly afterMs: number; readonly begin: () => void }
  readonly signal?: AbortSignal
}

/**
 * Connects to an SSH server on loopback and waits for its banner. `refused`: nothing listens, or no SSH server, or
 * Docker's proxy with nothing behind it; `silent`: accepted, and no banner came.
 */
export function openSsh(port: number, { patienceMs, quiet, signal }: Patience): Promise<Attempt> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const timers = [setTimeout(() => finish('silent'), patienceMs)]
    if (quiet !== undefined) timers.push(setTimeout(quiet.begin, quiet.afterMs))
    const onAbort = () => finish('silent')
    const onRefused = () => finish('refused')
    const finish = (attempt: Attempt) => {
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.removeAllListeners()
      if (typeof attempt === 'string') socket.on('error', ignore).destroy()
      done(attempt)
    }
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted === true) finish('silent')
    socket.once('error', onRefused)
    socket.once('end', onRefused)
    socket.once('data', (chunk: Buffer) => {
      // a banner is one small packet: half of one is a server of another kind
      if (!chunk.toString('latin1', 0, 4).startsWith('SSH-')) return finish('refused')
      socket.pause()
      socket.unshift(chunk)
      finish({ socket })
    })
  })
}

export interface End {
  /** Which side ended it: the client, or the server with all between. */
  readonly by: 'client' | 'server'
  /** Bytes that came from the server. */
  readonly received: number
}

/** Passes bytes between a connection and two pipes, until either side has ended and what was on its way has arrived. */
export function splice({ socket }: Opened, input: number, output: number): Promise<End> {
  const source = new Socket({ fd: input, readable: true, writable: false })
  const sink = new Socket({ fd: output, readable: false, writable: true })
  return new Promise((done) => {
    let by: End['by'] | undefined
    const endBy = (side: End['by']) => {
      by ??= side
    }
    const finish = () => {
      socket.destroy()
      source.destroy()
      sink.destroy()
      done({ by: by ?? 'server', received: socket.bytesRead })
    }
    const clientGone = () => {
      endBy('client')
      socket.end()
      socket.setTimeout(LINGER_MS, finish)
    }
    source.once('end', clientGone).on('error', clientGone)
    sink.once('finish', finish).on('error', () => {
      endBy('client')
      finish()
    })
    const serverGone = () => {
      endBy('server')
      sink.end()
    }
    socket.once('end', serverGone).once('error', serverGone)
    source.pipe(socket)
    socket.pipe(sink)
  })
}

function ignore(): void {}
