/**
 * A command inside on streams of the caller's, over Nexus's own ControlMaster: what `exec` over the API is. The other end may vanish at
 * any time, so that ending the command inside is part of it: ssh alone would leave it running.
 *
 * A terminal has no local counterpart here. ssh asks for one without a size; the size is set inside, at first by the command line and
 * later by a second session, and the kernel there tells the programs of it, as if a window had been dragged.
 */
import { randomBytes } from 'node:crypto'
import { type Readable, Transform } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { masterArgs } from '../../tools/ssh.ts'
import type { Stream, StreamRequest, TerminalSize } from '../backend.ts'
import type { BackendContext } from '../context.ts'
import type { createDoors } from './door.ts'
import { byBash, carried, eachWithToken, endWordOf, lastWord, remoteCommand, signalScript } from './remote-command.ts'
import { SSH_FAILURE } from './session.ts'

const SESSION_TIMEOUT_MS = 10_000
/** What may be printed before it. */
const MARKER_WITHIN_BYTES = 64 * 1024
const TERMINAL = 'xterm-256color'

export function createStreams({ runner }: BackendContext, doors: ReturnType<typeof createDoors>) {
  function stream(record: WorkspaceRecord, request: StreamRequest): Stream {
    const token = randomBytes(8).toString('hex')
    const door = doors.doorOf(record)
    const ready = randomBytes(8).toString('hex')
    const first = request.size === undefined ? '' : `stty ${SANE} ${sizeOf(request.size)}; printf ${ready}; `
    const end = request.tty ? {} : { endWord: endWordOf(door, token) }
    const command = remoteCommand(record, request, { token, first, ...end })
    const options = ['-o', 'EscapeChar=none', request.tty ? '-tt' : '-T']
    const child = runner.begin(['ssh', ...masterArgs(door), ...options, '--', door.host, command], {
      ...end,
      env: { ...carried(request.env), ...(request.tty ? { TERM: TERMINAL } : {}) },
      input: true,
      endsWithUs: { last: lastWord(door, token) },
    })
    const { stdin } = child
    if (stdin === null) throw new Error('its stdin was asked for')
    stdin.on('error', () => undefined) // the command ended, or closed its stdin, before all was written
    let over = false
    const { stdout, seen } =
      first === '' ? { stdout: child.stdout, seen: Promise.resolve() } : withoutMarker(child.stdout, Buffer.from(ready))
    const ended = child.ended.then(async (code) => {
      over = true
      // what was said is not all read yet
      await Promise.all([stdout, child.stderr].map((said) => finished(said, { writable: false })))
      return code !== SSH_FAILURE || (await doors.ssh.hasMaster(door)) ? code : null
    })
    ended.catch(() => undefined) // told to whoever waits for it
    const session = async (argv: readonly string[]) => {
      if (!over) await runner.run(argv, { okCodes: 'any', timeoutMs: SESSION_TIMEOUT_MS })
    }
    const inside = (script: string) => session(['ssh', ...masterArgs(door), '-T', '--', door.host, byBash(script)])
    const resize = lastOnly((size: TerminalSize) => inside(resizeScript(token, size)))
    return {
      stdin,
      stdout,
      stderr: child.stderr,
      ready: seen,
      ended,
      signal: (signal) => inside(signalScript(token, signal)),
      resize: request.tty ? resize : async () => {},
      end: async () => {
        try {
          await session(lastWord(door, token))
        } finally {
          stdout.resume()
          child.stderr.resume()
          child.kill('SIGTERM')
        }
      },
    }
  }

  return { stream }
}

/** One at a time; of those that come meanwhile only the newest is done. */
function lastOnly<T>(work: (value: T) => Promise<void>): (value: T) => Promise<void> {
  let next: { readonly value: T } | undefined
  let running: Promise<void> | undefined
  const run = async () => {
    for (let now = next; now !== undefined; now = next) {
      next = undefined
      await work(now.value)
    }
    running = undefined
  }
  return (value) => {
    next = { value }
    running ??= run()
    return running
  }
}

/** What is said without the marker; `seen` resolves when that has come, or when nothing comes any more. */
function withoutMarker(from: Readable, marker: Buffer): { readonly stdout: Readable; readonly seen: Promise<void> } {
  let said: Buffer | undefined = Buffer.alloc(0)
  let see = () => {}
  const seen = new Promise<void>((done) => {
    see = done
  })
  const stdout = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (said === undefined) return done(null, chunk)
      said = Buffer.concat([said, chunk])
      const at = said.indexOf(marker)
      if (at < 0 && said.length < MARKER_WITHIN_BYTES) return done()
      this.push(at < 0 ? said : Buffer.concat([said.subarray(0, at), said.subarray(at + marker.length)]))
      said = undefined
      see()
      done()
    },
    flush(done) {
      see()
      done(null, said)
    },
  })
  from.pipe(stdout)
  return { stdout, seen }
}

/** A master that is given no terminal asks for one with every mode off: nothing is echoed, and Ctrl-C is a letter. */
const SANE = 'sane iutf8'

function sizeOf({ columns, rows }: TerminalSize): string {
  return `cols ${columns} rows ${rows}`
}

/** The terminal is the fifth field behind the program's name in `stat`, as a device number; a redirected stdin does not hide it. */
function resizeScript(token: string, size: TerminalSize): string {
  const number = '$(( ($5 & 255) | (($5 >> 12) & 1048320) ))'
  const found = `s=$(cat "$p/stat"); set -- \${s##*) }; stty ${sizeOf(size)} < /dev/pts/${number} && break`
  return eachWithToken(token, found)
}
