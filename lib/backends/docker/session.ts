/**
 * Commands and shells inside a workspace, over ssh. `exec` goes through Nexus's own ControlMaster and passes stdin,
 * stdout, stderr and the exit code through unchanged; `shell` is a connection of its own, because an agent forwarded over
 * a shared master would be the master's.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { boundedPieces } from '../../core/bounded.ts'
import { NexusError } from '../../core/errors.ts'
import { quoteForFishToo } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { hasIpv6Loopback } from '../../system/net.ts'
import { doorArgs, masterArgs, ownArgs } from '../../tools/ssh.ts'
import type {
  BeginRequest,
  Captured,
  CaptureRequest,
  ExecRequest,
  Forward,
  Forwarding,
  Session,
  ShellRequest,
} from '../backend.ts'
import type { BackendContext } from '../context.ts'
import type { createDoors } from './door.ts'
import {
  ALIVE,
  APART,
  byBash,
  carried,
  endWordOf,
  lastWord,
  listWithToken,
  optionWords,
  remoteCommand,
  signalScript,
} from './remote-command.ts'

export const SSH_FAILURE = 255
/** Doubles from one look to the next. */
const SIGNAL_AGAIN_MS = 50
/** Of what a command says that is captured: from its beginning, and as much from its end. */
const KEPT_BYTES = 1024 * 1024
/** Bytes of what ssh itself says. */
const KEPT_SAID = 8 * 1024
const REFUSED = /^channel \d+: open failed: (?:connect failed: )?(.*?)\r?$/m

export function createSessions(context: BackendContext, doors: ReturnType<typeof createDoors>) {
  const { runner } = context

  async function exec(record: WorkspaceRecord, request: ExecRequest): Promise<number | null> {
    const token = randomBytes(8).toString('hex')
    const door = doors.doorOf(record)
    const end = request.tty ? {} : { endWord: endWordOf(door, token) }
    const command = remoteCommand(record, request, { token, ...end })
    const forwarded: { signal?: NodeJS.Signals } = {}
    const signals = signalsFor(record, token)
    const argv = ['ssh', ...masterArgs(door), request.tty ? '-tt' : '-T', '--', door.host, command]
    const attached = runner.attach(argv, {
      ...end,
      env: carried(request.env),
      endsWithUs: { last: lastWord(door, token) },
      onSignal: (signal) => {
        forwarded.signal = signal
        void signals.pass(signal)
      },
    })
    const code = await attached.finally(signals.end)
    if (forwarded.signal !== undefined && code === SSH_FAILURE) return 128 + (constants.signals[forwarded.signal] ?? 15)
    if (code !== SSH_FAILURE || (await doors.ssh.hasMaster(door))) return code
    return null
  }

  /**
   * stdout and stderr come as one text, in their order. On a connection of its own: over the master, which holds the pipes, an
   * ended client would be waited for until the command inside ends by itself.
   */
  async function capture(record: WorkspaceRecord, request: CaptureRequest): Promise<Captured> {
    const token = randomBytes(8).toString('hex')
    const argv = ['sh', '-c', 'exec 2>&1; exec "$@"', 'sh', ...request.argv]
    const door = doors.doorOf(record)
    const endWord = endWordOf(door, token)
    const command = remoteCommand(record, { ...request, argv, tty: false }, { token, endWord })
    try {
      const way = [...ownArgs(door), ...optionWords(APART)]
      const result = await runner.run(['ssh', ...way, '-T', '--', door.host, command], {
        okCodes: 'any',
        endWord,
        env: carried(request.env),
        timeoutMs: request.timeoutMs,
        keepBytes: KEPT_BYTES,
        endsWithUs: { last: lastWord(door, token) },
        ...(request.onLine === undefined ? {} : { onLine: request.onLine }),
      })
      if (result.code !== SSH_FAILURE) return { code: result.code, output: result.stdout + result.stderr }
    } catch (error) {
      // ended here, it would run on inside
      if (context.interruption.signal.aborted) context.interruption.reset()
      await signalInside(record, token, 'SIGKILL')
      throw error
    }
    throw new NexusError('CONTAINER_ERROR', `The connection to ${record.name} was lost.`, {
      hint: `To see what happened, run \`nexus logs ${record.name}\``,
    })
  }

  function begin(record: WorkspaceRecord, request: BeginRequest): Session {
    const token = randomBytes(8).toString('hex')
    const door = doors.doorOf(record)
    const endWord = endWordOf(door, token)
    const command = remoteCommand(record, { ...request, tty: false }, { token, endWord })
    const signals = signalsFor(record, token)
    const argv = ['ssh', ...masterArgs(door), '-T', '--', door.host, command]
    const { stdin, stdout, stderr, ended, kill } = runner.begin(argv, {
      endWord,
      env: carried(request.env),
      input: request.input,
      endsWithUs: { last: lastWord(door, token) },
    })
    const codeOf = async () => {
      const code = await ended
      return code !== SSH_FAILURE || (await doors.ssh.hasMaster(door)) ? code : null
    }
    return {
      stdin,
      stdout,
      stderr,
      ended: codeOf().finally(signals.end),
      signal: signals.pass,
      cut: () => kill('SIGKILL'),
    }
  }

  /**
   * A connection of its own, whose end is the end of the forwarding. The command inside speaks when every port listens, and waits
   * for the end of its stdin, which is a pipe of this process: however that ends, the whole connection is dropped.
   */
  async function forward(
    record: WorkspaceRecord,
    forwards: readonly Forward[],
    onRefused: (why: string) => void,
  ): Promise<Forwarding> {
    const door = doors.doorOf(record)
    const addresses = (await hasIpv6Loopback()) ? ['127.0.0.1', '[::1]'] : ['127.0.0.1']
    const listen = forwards.flatMap(({ local, host, port }) =>
      addresses.flatMap((address) => ['-L', `${address}:${local}:${host}:${port}`]),
    )
    const options = optionWords([...APART, 'ExitOnForwardFailure=yes', ...ALIVE])
    // the first value counts; at INFO, ssh tells of channels that could not be opened
    const words = ['-o', 'LogLevel=INFO', ...ownArgs(door), ...options, ...listen]
    const begun = runner.begin(['ssh', ...words, '-T', '--', door.host, byBash('echo; cat >/dev/null; kill "$PPID"')], {
      input: true,
    })
    begun.stdin?.on('error', () => undefined) // the connection is gone, which `ended` tells
    const kept = boundedPieces<Buffer>(KEPT_SAID)
    begun.stderr.on('data', (piece: Buffer) => {
      const [, why] = REFUSED.exec(piece.toString()) ?? []
      if (why === undefined) kept.push(piece)
      else onRefused(why)
    })
    const ended = begun.ended.then(() => Buffer.concat(kept).toString().trim())
    const spoke = new Promise<boolean>((done) => begun.stdout.once('data', () => done(true)))
    begun.stdout.resume()
    return {
      listening: Promise.race([spoke, ended.then(() => false)]),
      ended,
      end: () => begun.kill('SIGTERM'),
    }
  }

  /** For one command. A signal that comes before the command is there is passed on when it is. */
  function signalsFor(record: WorkspaceRecord, token: string) {
    let over = false
    const pass = async (signal: NodeJS.Signals): Promise<void> => {
      // at least once, for what is left behind by a command that is over
      for (let ms = SIGNAL_AGAIN_MS; !(await signalInside(record, token, signal)) && !over; ms *= 2) await pause(ms)
    }
    const end = () => {
      over = true
    }
    return { pass, end }
  }

  /**
   * ssh carries no signals without a terminal: a second session finds the command by its token and signals it. False when it is not
   * there.
   */
  async function signalInside(record: WorkspaceRecord, token: string, signal: NodeJS.Signals): Promise<boolean> {
    const script = byBash(`${listWithToken(token)} | grep -q . || exit 1\n${signalScript(token, signal)}`)
    const door = doors.doorOf(record)
    const argv = ['ssh', ...masterArgs(door), '-T', '--', door.host, script]
    return (await runner.run(argv, { okCodes: 'any', timeoutMs: 10_000 })).code === 0
  }

  async function shell(record: WorkspaceRecord, request: ShellRequest): Promise<number> {
    const door = doors.doorOf(record)
    // one word is for the shell inside to read, as with ssh
    const words = request.argv.length === 1 ? request.argv.join() : request.argv.map(quoteForFishToo).join(' ')
    const command = request.isOurs === true ? byBash('exec "$@"', request.argv) : words
    const agent = request.forwardAgent
      ? await (await import('../../door/agent-place.ts')).openAgent(context, record, false)
      : undefined
    // without one, ssh is kept from asking an agent that may hang
    const forwarding = agent === undefined ? ['-a', '-o', 'IdentityAgent=none'] : ['-A']
    const terminal = request.tty === true ? ['-tt'] : []
    const way = request.isOurs === true ? ownArgs(door) : doorArgs(door)
    const options = [...way, '-o', 'ControlPath=none', ...forwarding, ...terminal]
    try {
      const argv = ['ssh', ...options, '--', door.host, ...(command === '' ? [] : [command])]
      return await runner.attach(argv, agent === undefined ? {} : { env: { SSH_AUTH_SOCK: agent.socketPath } })
    } finally {
      await agent?.close()
    }
  }

  return { exec, capture, begin, forward, shell }
}
