/** Commands whose streams their caller holds, and programs that Nexus starts and leaves. Reached by `runner.ts`. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Emit } from '../core/events.ts'
import { endAfter, hear } from './end-word.ts'
import { childEnvironment, withoutRelative } from './environment.ts'
import {
  type BeginOptions,
  type Begun,
  codeOf,
  type EndWord,
  kill,
  liveGroups,
  requireFolder,
  toolMissing,
} from './exec.ts'
import { holdLifeLine, LIFE_LINE, underLifeLine } from './life-line.ts'

/** In its own process group: Nexus passes on a Ctrl-C of the terminal. */
export function beginStreams(
  argv: readonly string[],
  options: BeginOptions,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
): Begun {
  requireFolder(options.cwd)
  const bound = options.endsWithUs
  const [program = '', ...args] = bound === undefined ? argv : underLifeLine(argv, bound)
  const began = performance.now()
  const child = spawn(program, args, {
    stdio: [options.input === true ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(bound === undefined ? [] : [LIFE_LINE])],
    detached: true,
    env: childEnvironment(argv, environment, options.env),
    cwd: options.cwd ?? '/',
  })
  const { pid } = child
  if (pid !== undefined) liveGroups.add(pid)
  const letGo = bound && holdLifeLine(child)
  const heard = hear({ stdout: child.stdout as Readable, stderr: child.stderr as Readable }, options.endWord?.word)
  const end = (signal: NodeJS.Signals) => void (pid !== undefined && liveGroups.has(pid) && kill(-pid, signal))
  void endAfter(heard.over, {
    isAlive: () => pid !== undefined && liveGroups.has(pid),
    letGo,
    relieve: () => relieve(options.endWord, emit, environment),
    end: () => end('SIGTERM'),
  })
  const exit = new Promise<number>((done, fail) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      fail(['ENOENT', 'EACCES'].includes(error.code ?? '') ? toolMissing(program) : error),
    )
    child.once('exit', (code, signal) => {
      if (pid !== undefined) liveGroups.delete(pid)
      emit({ type: 'command', argv, ms: performance.now() - began, code: codeOf(code, signal) })
      done(codeOf(code, signal))
    })
  })
  const { stdout, stderr } = heard
  return { stdin: child.stdin, stdout, stderr, ended: Promise.race([heard.over, exit]), kill: end }
}

/** Lets another process read what a command's background processes still write. */
export async function relieve(endWord: EndWord | undefined, emit: Emit, environment: NodeJS.ProcessEnv): Promise<void> {
  if (endWord?.relieve === undefined) return
  const { stdout, stderr, ended } = beginStreams(endWord.relieve, {}, emit, environment)
  stdout.resume()
  stderr.resume()
  await ended
}

/** Starts a program of the user's, such as an editor: it has no terminal and goes on when Nexus ends. */
export async function launch(
  argv: readonly string[],
  waitMs: number,
  emit: Emit,
  environment: NodeJS.ProcessEnv,
): Promise<number | null> {
  const [program = '', ...args] = argv
  const began = performance.now()
  // the user's own environment: what is started there later inherits it
  const child = spawn(program, args, { stdio: 'ignore', detached: true, env: withoutRelative(environment) })
  const code = await new Promise<number | null>((done, fail) => {
    const timer = setTimeout(() => done(null), waitMs)
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      fail(['ENOENT', 'EACCES'].includes(error.code ?? '') ? toolMissing(program) : error)
    })
    child.once('exit', (exitCode, signal) => {
      clearTimeout(timer)
      done(codeOf(exitCode, signal))
    })
  })
  child.unref()
  emit({ type: 'command', argv, ms: performance.now() - began, code: code ?? 0 })
  return code
}
