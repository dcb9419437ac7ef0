/**
 * Commands and shells inside a workspace, over ssh. `exec` goes through Nexus's own ControlMaster and passes stdin,
 * stdout, stderr and the exit code through unchanged; `shell` is a connection of its own, because an agent forwarded over
 * a shared master would be the master's.
 *
 * The command runs as a child of the remote shell, not in its place: a shell tells 128 + n for a child ended by a signal,
 * where ssh alone would say 255 for everything. The shell's own stderr is closed for its "Killed" remarks; the child's is not.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { boundedPieces } from '../../core/bounded.ts'
import { NexusError } from '../../core/errors.ts'
import { quoteForAnyShell, quoteWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { hasIpv6Loopback } from '../../system/net.ts'
import { CARRIER, type Door, doorArgs, masterArgs } from '../../tools/ssh.ts'
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

/** Linux's limit for one argument (MAX_ARG_STRLEN), which the whole remote command line is. */
const COMMAND_LINE_MAX = 128 * 1024 - 1
/** A shared connection takes 256 KiB at once, with the command line. */
const VARIABLES_MAX = 120 * 1024
export const SSH_FAILURE = 255
/** Seconds for what was asked to end. */
const GRACE_S = 3
/** Doubles from one look to the next. */
const SIGNAL_AGAIN_MS = 50
/** Of what a command says that is captured: from its beginning, and as much from its end. */
const KEPT_BYTES = 1024 * 1024
/** Bytes of what ssh itself says. */
const KEPT_SAID = 8 * 1024
const REFUSED = /^channel \d+: open failed: (?:connect failed: )?(.*?)\r?$/m
/** A connection of its own, beside the shared one, that asks no agent. */
const APART = ['ControlPath=none', 'IdentityAgent=none']
/** A connection that has not answered for 15 s is lost: the engine restarts, or the workspace is paused. */
const ALIVE = ['ServerAliveInterval=5', 'ServerAliveCountMax=3']

export function createSessions(context: BackendContext, doors: ReturnType<typeof createDoors>) {
  const { runner } = context

  async function exec(record: WorkspaceRecord, request: ExecRequest): Promise<number | null> {
    const token = randomBytes(8).toString('hex')
    const command = remoteCommand(record, request, token)
    const door = doors.doorOf(record)
    const forwarded: { signal?: NodeJS.Signals } = {}
    const signals = signalsFor(record, token)
    const argv = ['ssh', ...masterArgs(door), request.tty ? '-tt' : '-T', '--', door.host, command]
    const attached = runner.attach(argv, {
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
    const command = remoteCommand(record, { ...request, argv, tty: false }, token)
    const door = doors.doorOf(record)
    try {
      const way = [...doorArgs(door), ...optionWords(APART)]
      const result = await runner.run(['ssh', ...way, '-T', '--', door.host, command], {
        okCodes: 'any',
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
    const command = remoteCommand(record, { ...request, tty: false }, token)
    const door = doors.doorOf(record)
    const signals = signalsFor(record, token)
    const argv = ['ssh', ...masterArgs(door), '-T', '--', door.host, command]
    const { stdin, stdout, stderr, ended, kill } = runner.begin(argv, {
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
    const words = ['-o', 'LogLevel=INFO', ...doorArgs(door), ...options, ...listen]
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
      for (let ms = SIGNAL_AGAIN_MS; !over && !(await signalInside(record, token, signal)); ms *= 2) await pause(ms)
    }
    const end = () => {
      over = true
    }
    return { pass, end }
  }

  /** ssh carries no signals without a terminal: a second session finds the command by its token and signals it. False when it is not there. */
  async function signalInside(record: WorkspaceRecord, token: string, signal: NodeJS.Signals): Promise<boolean> {
    const script = byBash(`${listWithToken(token)} | grep -q . || exit 1\n${signalScript(token, signal)}`)
    const door = doors.doorOf(record)
    const argv = ['ssh', ...masterArgs(door), '-T', '--', door.host, script]
    return (await runner.run(argv, { okCodes: 'any', timeoutMs: 10_000 })).code === 0
  }

  async function shell(record: WorkspaceRecord, request: ShellRequest): Promise<number> {
    const door = doors.doorOf(record)
    // one word is for the shell inside to read, as with ssh
    const command = request.argv.length === 1 ? request.argv.join() : request.argv.map(quoteForAnyShell).join(' ')
    const agent = request.forwardAgent
      ? await (await import('../../door/agent-place.ts')).openAgent(context, record, false)
      : undefined
    // without one, ssh is kept from asking an agent that may hang
    const forwarding = agent === undefined ? ['-a', '-o', 'IdentityAgent=none'] : ['-A']
    const terminal = request.tty === true ? ['-tt'] : []
    const options = [...doorArgs(door), '-o', 'ControlPath=none', ...forwarding, ...terminal]
    try {
      const argv = ['ssh', ...options, '--', door.host, ...(command === '' ? [] : [command])]
      return await runner.attach(argv, agent === undefined ? {} : { env: { SSH_AUTH_SOCK: agent.socketPath } })
    } finally {
      await agent?.close()
    }
  }

  return { exec, capture, begin, forward, shell }
}

function optionWords(options: readonly string[]): readonly string[] {
  return options.flatMap((option) => ['-o', option])
}

/** Shell text: prints `/proc/<pid>/environ` of each process of the command with this token, by one program however many processes run. */
function listWithToken(token: string): string {
  return `grep -lszx NEXUS_WS_EXEC=${token} /proc/[0-9]*/environ`
}

/** Shell text: does `body` for each of them, with its folder of /proc in `$p`. */
export function eachWithToken(token: string, body: string): string {
  return `for p in $(${listWithToken(token)}); do p=\${p%/environ}; ${body}; done 2>/dev/null; true`
}

export function signalScript(token: string, signal: NodeJS.Signals): string {
  return eachWithToken(token, `kill -s ${signal.slice(3)} "\${p#/proc/}"`)
}

/**
 * Ends the command with this token: asks, waits until nothing of it is left, and then does not ask. By a connection of its own, as
 * nothing that goes on in the shared one may keep a command from being ended.
 */
export function lastWord(door: Door, token: string): readonly string[] {
  const wait = `for i in $(seq ${GRACE_S * 10}); do ${listWithToken(token)} | grep -q . || exit 0; sleep 0.1; done`
  const script = [signalScript(token, 'SIGHUP'), signalScript(token, 'SIGTERM'), wait, signalScript(token, 'SIGKILL')]
  const way = [...doorArgs(door), ...optionWords([...APART, ...ALIVE])]
  return ['ssh', ...way, '-T', '--', door.host, byBash(script.join('\n'))]
}

/**
 * Shell text for a login shell that may be any, such as fish after a `chsh` inside: the script is read by bash, with these words. What
 * bash reads at its start, the login shell has read already.
 */
export function byBash(script: string, words: readonly string[] = []): string {
  return `exec ${['/bin/bash', '--norc', '-c', script, 'bash', ...words].map(quoteForAnyShell).join(' ')}`
}

/**
 * The environment of ssh for a command with these variables: it goes to the inside in there, as every user of this machine may read
 * the words of a command, and the environment of a process its owner alone.
 * @throws {NexusError} INVALID_ARGUMENT when they are too long
 */
export function carried(variables: Readonly<Record<string, string>>): Readonly<Record<string, string | undefined>> {
  const text = Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quoteWord(value)}`)
    .join('; ')
  const bytes = Buffer.byteLength(text)
  if (bytes <= VARIABLES_MAX) return { [CARRIER]: text === '' ? undefined : text }
  throw new NexusError('INVALID_ARGUMENT', `The variables are ${bytes} bytes long; at most ${VARIABLES_MAX} fit.`, {
    hint: 'To pass more, send it on stdin: `nexus exec <name> -- bash -s < script`',
  })
}

/** Takes the variables over from what carried them. A server that was started by an older Nexus does not let it in. */
function takeOver({ name }: WorkspaceRecord): string {
  const told = `nexus: ${name} takes no variables yet; run \`nexus stop ${name} && nexus start ${name}\``
  return `[ -n "$${CARRIER}" ] || { echo ${quoteWord(told)} >&2; exit 125; }; eval "$${CARRIER}"; unset ${CARRIER}; `
}

/** @throws {NexusError} INVALID_ARGUMENT when the command line is longer than Linux takes */
export function remoteCommand(record: WorkspaceRecord, request: ExecRequest, token: string, first = ''): string {
  const cwd = request.cwd ?? record.worktree ?? '/'
  const streams = request.tty ? '' : ' 2>&3 3>&-'
  // Ctrl-C at a terminal is for the shell too, which would end before it could tell the command's code
  const quiet = request.tty ? 'trap : INT QUIT; ' : 'exec 3>&2 2>/dev/null; '
  const variables = Object.keys(request.env).length === 0 ? '' : takeOver(record)
  const enter = `cd "$1" || exit 125; shift; ${variables}`
  const script = `${first}${enter}${quiet}NEXUS_WS_EXEC=${token} "$@"${streams}; exit $?`
  const line = byBash(script, [cwd, ...request.argv])
  if (Buffer.byteLength(line) > COMMAND_LINE_MAX) {
    throw new NexusError(
      'INVALID_ARGUMENT',
      `The command line is ${Buffer.byteLength(line)} bytes long; at most ${COMMAND_LINE_MAX} fit.`,
      {
        hint: 'To pass more, send it on stdin: `nexus exec <name> -- bash -s < script`',
      },
    )
  }
  return line
}
