/**
 * The way into a workspace over ssh: commands and shells, with their streams and exit codes unchanged, and forwarded ports.
 * The other end may vanish at any time, so that ending the command inside is a part of it.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { boundedPieces } from '../../core/bounded.ts'
import {
  type CommandRequest,
  type Forward,
  type Forwarding,
  type LoginRequest,
  type OpenRequest,
  type Session,
  withoutStreams,
} from '../../core/session.ts'
import { quoteForFishToo } from '../../core/shell.ts'
import type { TerminalSize } from '../../core/terminal-size.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WorkContext } from '../../system/context.ts'
import { hasIpv6Loopback } from '../../system/net.ts'
import { destinationArgs, masterArgs, ownArgs, SSH_FAILURE } from '../../tools/ssh.ts'
import type { createSshAccess } from '../server/access.ts'
import {
  ALIVE,
  APART,
  byBash,
  carried,
  endWordOf,
  lastWord,
  optionWords,
  remoteCommand,
  resizing,
  signalling,
} from './remote-command.ts'
import { lastOnly, openTerminal } from './terminal.ts'

const SESSION_TIMEOUT_MS = 10_000
/** Doubles from one look to the next. */
const SIGNAL_AGAIN_MS = 50
/** Bytes of what ssh itself says. */
const KEPT_SAID = 8 * 1024
const REFUSED = /^channel \d+: open failed: (?:connect failed: )?(.*?)\r?$/m

export function createSessions(context: WorkContext, access: ReturnType<typeof createSshAccess>) {
  const { runner } = context

  function open(record: WorkspaceRecord, request: OpenRequest): Session {
    return request.login === undefined ? run(record, request) : enter(record, request)
  }

  /** The ssh command line of a command, which is found again inside by its token. */
  function prepare(record: WorkspaceRecord, request: CommandRequest) {
    const token = randomBytes(8).toString('hex')
    const destination = access.destinationOf(record)
    const size = request.tty === true ? undefined : request.tty
    const terminal = size === undefined ? undefined : openTerminal(size)
    const tty = request.tty !== undefined
    const end = tty ? {} : { endWord: endWordOf(destination, token) }
    const { argv, cwd, env } = request
    const command = remoteCommand(record, { argv, cwd, env }, { token, ...end, terminal: terminal?.words })
    const way = request.apart === true ? [...ownArgs(destination), ...optionWords(APART)] : masterArgs(destination)
    const words = ['ssh', ...way, ...(terminal?.options ?? []), tty ? '-tt' : '-T', '--', destination.host, command]
    const options = {
      ...end,
      env: { ...carried(env), ...terminal?.env },
      endsWithUs: { last: lastWord(destination, token) },
    }
    return { token, destination, terminal, words, options }
  }

  /**
   * A command that can be signalled inside: ssh carries no signals without a terminal, and ended here alone it would
   * run on. Over Nexus's own ControlMaster, unless it is to be apart.
   */
  function run(record: WorkspaceRecord, request: CommandRequest): Session {
    const { token, destination, terminal, words, options } = prepare(record, request)
    let over = false
    let asked: NodeJS.Signals | undefined
    const signal = async (name: NodeJS.Signals): Promise<void> => {
      // at least once, for what is left behind by a command that is over; again, until a command that comes later is there
      for (let ms = SIGNAL_AGAIN_MS; !(await signalInside(record, token, name)) && !over; ms *= 2) await pause(ms)
    }
    const onSignal = (name: NodeJS.Signals) => {
      asked = name
      void signal(name)
    }
    const inside = async (argv: readonly string[]) => {
      if (!over) await runner.run(argv, { okCodes: 'any', timeoutMs: SESSION_TIMEOUT_MS })
    }
    const codeOf = async (exit: Promise<number>) => {
      const code = await exit.finally(() => {
        over = true
      })
      if (asked !== undefined && code === SSH_FAILURE) return 128 + (constants.signals[asked] ?? 15)
      return code !== SSH_FAILURE || (request.apart !== true && (await access.ssh.hasMaster(destination))) ? code : null
    }
    if (request.streams === 'ours') {
      const ended = codeOf(runner.attach(words, { ...options, onSignal }))
      return { ...withoutStreams(ended), signal, end: () => inside(lastWord(destination, token)) }
    }
    const begun = runner.begin(words, { ...options, input: request.streams === 'pipes' })
    begun.stdin?.on('error', () => undefined) // the command ended, or closed its stdin, before all was written
    const { stdout, seen } = terminal?.read(begun.stdout) ?? { stdout: begun.stdout, seen: Promise.resolve() }
    const ended = codeOf(begun.ended)
    ended.catch(() => undefined) // told to whoever waits for it
    const resize = (to: TerminalSize) => inside(resizing(destination, token, to))
    return {
      stdin: begun.stdin,
      stdout,
      stderr: begun.stderr,
      ready: seen,
      ended,
      signal,
      resize: terminal === undefined ? async () => {} : lastOnly(resize),
      end: async () => {
        try {
          await inside(lastWord(destination, token))
        } finally {
          stdout.resume()
          begun.stderr.resume()
          begun.kill('SIGTERM')
        }
      },
      cut: () => begun.kill('SIGKILL'),
    }
  }

  /** A connection of its own, as an agent that is forwarded over a shared master would be the master's. */
  function enter(record: WorkspaceRecord, request: LoginRequest): Session {
    const { argv, login, tty } = request
    const destination = access.destinationOf(record)
    // one word is for the shell inside to read, as with ssh
    const words = argv.length === 1 ? argv.join() : argv.map(quoteForFishToo).join(' ')
    const command = login.isOurs === true ? byBash('exec "$@"', argv) : words
    const way = login.isOurs === true ? ownArgs(destination) : destinationArgs(destination)
    const attach = async () => {
      const agent = login.forwardAgent
        ? await (await import('../ssh-agent/agent-place.ts')).openAgent(context, record, false)
        : undefined
      // without one, ssh is kept from asking an agent that may hang
      const forwarding = agent === undefined ? ['-a', '-o', 'IdentityAgent=none'] : ['-A']
      const options = [...way, '-o', 'ControlPath=none', ...forwarding, ...(tty === true ? ['-tt'] : [])]
      try {
        const line = ['ssh', ...options, '--', destination.host, ...(command === '' ? [] : [command])]
        return await runner.attach(line, agent === undefined ? {} : { env: { SSH_AUTH_SOCK: agent.socketPath } })
      } finally {
        await agent?.close()
      }
    }
    return withoutStreams(attach())
  }

  /**
   * A second session finds the command by its token and signals it. False when it is not there.
   */
  async function signalInside(record: WorkspaceRecord, token: string, signal: NodeJS.Signals): Promise<boolean> {
    const argv = signalling(access.destinationOf(record), token, signal)
    return (await runner.run(argv, { okCodes: 'any', timeoutMs: SESSION_TIMEOUT_MS })).code === 0
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
    const destination = access.destinationOf(record)
    const addresses = (await hasIpv6Loopback()) ? ['127.0.0.1', '[::1]'] : ['127.0.0.1']
    const listen = forwards.flatMap(({ local, host, port }) =>
      addresses.flatMap((address) => ['-L', `${address}:${local}:${host}:${port}`]),
    )
    const options = optionWords([...APART, 'ExitOnForwardFailure=yes', ...ALIVE])
    // the first value counts; at INFO, ssh tells of channels that could not be opened
    const words = ['-o', 'LogLevel=INFO', ...ownArgs(destination), ...options, ...listen]
    const begun = runner.begin(
      ['ssh', ...words, '-T', '--', destination.host, byBash('echo; cat >/dev/null; kill "$PPID"')],
      {
        input: true,
      },
    )
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

  return { open, forward }
}
