/**
 * The only way to start a process, together with `begin.ts` and with `capture.ts`, which is loaded only when
 * something is captured.
 *
 * argv arrays only, never shell text. `environment.ts` says which variables each program gets, so that the caller's
 * environment cannot change what runs. A child stands in `/` unless its caller says where: the user may stand in a
 * stranger's folder.
 */
import { spawn } from 'node:child_process'
import { isatty } from 'node:tty'
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import { beginStreams, launch, relieve } from './begin.ts'
import { endAfter, hear } from './end-word.ts'
import { childEnvironment } from './environment.ts'
import {
  type Attach,
  type AttachOptions,
  codeOf,
  type Daemon,
  type Guard,
  kill,
  liveGroups,
  type Runner,
  requireFolder,
  toolMissing,
} from './exec.ts'
import { pumpOut } from './pump.ts'

/** Replaces the caller's streams in `attach`: a server's caller has no terminal here. */
export function createRunner(
  emit: Emit,
  environment: NodeJS.ProcessEnv,
  interruption: Interruption,
  attach?: Attach,
): Runner {
  return {
    run: async (argv, options = {}) => {
      interruption.signal.throwIfAborted()
      requireFolder(options.cwd)
      const { runCaptured } = await import('./capture.ts')
      const relieved = () => relieve(options.endWord, emit, environment)
      return runCaptured(argv, options, emit, environment, interruption.signal, relieved)
    },
    attach: attach ?? ((argv, options = {}) => runAttached(argv, options, emit, environment)),
    begin: (argv, options = {}) => beginStreams(argv, options, emit, environment),
    launch: (argv, waitMs) => launch(argv, waitMs, emit, environment),
    guard: (argv, logFile) => startGuard(argv, logFile, environment),
    daemon: (argv, logFile) => startDaemon(argv, logFile, environment),
  }
}

/** Calls `handler` for each signal that would end us, until it is released. */
export function catchSignals(handler: (signal: NodeJS.Signals) => void): () => void {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, handler)
  return () => {
    for (const signal of signals) process.off(signal, handler)
  }
}

/** The pipe to it is ours alone: the kernel closes it when we die. */
function startGuard(argv: readonly string[], logFile: string, environment: NodeJS.ProcessEnv): Guard {
  const script = 'read -r word; [ "$word" = done ] || exec "$@" >> "$0" 2>&1'
  const child = spawn('/bin/bash', ['-c', script, logFile, ...argv], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: childEnvironment(argv, environment),
  })
  child.unref()
  child.stdin.on('error', () => undefined) // it was ended by somebody else: there is nobody left to dismiss
  return { dismiss: () => child.stdin.end('done\n') }
}

function startDaemon(argv: readonly string[], logFile: string, environment: NodeJS.ProcessEnv): Daemon {
  let ended = false
  const end = () => {
    ended = true
  }
  const child = spawn('/bin/bash', ['-c', 'exec "$@" > "$0" 2>&1', logFile, ...argv], {
    stdio: 'ignore',
    detached: true,
    cwd: '/',
    env: childEnvironment(argv, environment),
  })
  child.once('error', end)
  child.once('exit', end)
  child.unref()
  return { hasEnded: () => ended }
}

/**
 * Runs a command on the caller's own terminal or pipes. Not through zx: there is nothing to capture, and a shell
 * between would only stand in the way of signals and cost every `exec` its start.
 */
async function runAttached(
  argv: readonly string[],
  options: AttachOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  requireFolder(options.cwd)
  const began = performance.now()
  const release = catchSignals((signal) => options.onSignal?.(signal))
  try {
    const code = await spawnAttached(argv, options, emit, environment)
    emit({ type: 'command', argv, ms: performance.now() - began, code })
    return code
  } finally {
    release()
  }
}

async function spawnAttached(
  argv: readonly string[],
  options: AttachOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const [program = '', ...args] = argv
  const { endsWithUs, endWord } = options
  const env = childEnvironment(argv, environment, { LC_ALL: environment.LC_ALL, ...options.env })
  const child = spawn(program, args, {
    // a terminal belongs to the child; writes to any other stdout are checked
    stdio: [
      'inherit',
      endWord !== undefined || !isatty(1) ? 'pipe' : 'inherit',
      endWord === undefined ? 'inherit' : 'pipe',
    ],
    env,
    cwd: options.cwd ?? '/',
  })
  const { stdout, stderr } = child
  const heard = stdout !== null && stderr !== null ? hear({ stdout, stderr }, endWord?.word) : { stdout, stderr }
  const pumping = pumpOut(heard.stdout, heard.stderr)
  // the guard runs beside the command, as a life line needs a session without the terminal
  const guard =
    endsWithUs === undefined || child.pid === undefined
      ? undefined
      : startGuard(
          ['/bin/bash', '-c', 'kill "$0"; "$@"', `${child.pid}`, ...(endsWithUs.last ?? [])],
          '/dev/null',
          environment,
        )
  const exit = new Promise<number>((done, fail) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      fail(['ENOENT', 'EACCES'].includes(error.code ?? '') ? toolMissing(program) : error),
    )
    child.once('exit', (code, signal) => done(codeOf(code, signal)))
  })
  if ('over' in heard) {
    void endAfter(heard.over, {
      isAlive: () => child.exitCode === null && child.signalCode === null,
      relieve: () => relieve(endWord, emit, environment),
      end: () => child.kill('SIGTERM'),
    })
  }
  const code = await Promise.race('over' in heard ? [heard.over, exit] : [exit])
  guard?.dismiss()
  await pumping.finish()
  return code
}

/** Sends a signal to every running child's process group. */
export function killChildren(signal: NodeJS.Signals): void {
  for (const pid of liveGroups) kill(-pid, signal)
}
