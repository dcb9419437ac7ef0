/**
 * Fetches from a program that speaks git's protocol and is not trusted (a git inside a workspace). What arrives is
 * checked, goes under the given refs alone, and starts nothing here. The fetch ends when nothing arrives for a while,
 * or too much is written.
 */
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { NexusError } from '../core/errors.ts'
import { type Begun, CommandFailed, type Runner } from '../system/exec.ts'
import { explainGitFailure } from './git-failures.ts'

/** Without a sign of life: git tells its progress about once a second. */
export const SILENCE_MS = 20_000
export const TOTAL_MS = 10 * 60_000
const KILL_GRACE_MS = 2_000
const PIPE_GRACE_MS = 500
/** Ten minutes of progress are less. */
const SAID_MAX_BYTES = 8 * 1024 * 1024
const SAID_KEPT_BYTES = 64 * 1024

const SETTINGS = {
  'core.hooksPath': '/dev/null',
  'protocol.ext.allow': 'always',
  'protocol.version': '2',
  'fetch.fsckObjects': 'true',
  'fetch.writeCommitGraph': 'false',
  'fetch.uriProtocols': '',
  'transfer.bundleURI': 'false',
  'core.fsmonitor': 'false',
}
const OPTIONS = ['--no-tags', '--no-prune', '--no-write-fetch-head', '--no-auto-gc', '--no-recurse-submodules']

export interface FetchRequest {
  /** Speaks git's protocol on its stdin and stdout. */
  readonly program: readonly string[]
  readonly refspecs: readonly string[]
  readonly signal: AbortSignal
  /** Whatever arrives; default: ten minutes. */
  readonly totalMs?: number
}

/**
 * Returns git's words for refs that could not be updated.
 * @throws {NexusError} TIMEOUT when nothing arrives for 20 s, when all takes too long, and upon a flood of words;
 * GIT_ERROR
 */
export async function fetchFrom(runner: Runner, repo: string, request: FetchRequest): Promise<string> {
  const { program, refspecs, signal, totalMs = TOTAL_MS } = request
  signal.throwIfAborted()
  const settings = Object.entries(SETTINGS).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  const source = `ext::${program.map(extWord).join(' ')}`
  const argv = ['git', '-C', repo, ...settings, 'fetch', '--progress', ...OPTIONS, '--stdin', '--', source]
  const fetching = runner.begin(argv, { cwd: '/', input: true, env: { GIT_NO_REPLACE_OBJECTS: '1' } })
  const heard = watch(fetching, signal, totalMs)
  // it ended before all was written: its exit code says how it went
  fetching.stdin?.on('error', () => undefined)
  fetching.stdin?.end(refspecs.map((refspec) => `${refspec}\n`).join(''))
  const code = await fetching.ended.finally(heard.release)
  signal.throwIfAborted()
  await heard.all()
  const stderr = heard.said()
  const why = heard.why()
  if (why !== undefined) {
    throw new NexusError('TIMEOUT', `git inside ${why}, and was not waited for any longer.`, {
      hint: 'To see what runs inside, run `nexus top`',
      output: stderr,
    })
  }
  if (code === 0) return ''
  if (code === 1) return stderr
  throw explainGitFailure(new CommandFailed(argv, { stdout: '', stderr, code }))
}

/** Ends the program when the fetch is over; its last output is kept. */
function watch({ stdout, stderr, kill }: Begun, signal: AbortSignal, totalMs: number) {
  let why: string | undefined
  let kept = Buffer.alloc(0)
  let bytes = 0
  let hard: NodeJS.Timeout | undefined
  const end = (reason: string) => {
    why ??= reason
    kill('SIGTERM')
    hard ??= setTimeout(() => kill('SIGKILL'), KILL_GRACE_MS)
  }
  const silent = setTimeout(() => end(`sent nothing for ${SILENCE_MS / 1000} s`), SILENCE_MS)
  const total = setTimeout(() => end(`was not done after ${totalMs / 1000} s`), totalMs)
  const onAbort = () => end('was interrupted')
  signal.addEventListener('abort', onAbort, { once: true })
  const listen = (stream: Readable) =>
    stream.on('data', (piece: Buffer) => {
      silent.refresh()
      bytes += piece.length
      kept = Buffer.concat([kept, piece]).subarray(-SAID_KEPT_BYTES)
      if (bytes > SAID_MAX_BYTES && why === undefined) end(`said more than ${SAID_MAX_BYTES / 1024 / 1024} MiB`)
    })
  for (const stream of [stdout, stderr]) listen(stream)
  const closed = Promise.all([stdout, stderr].map((stream) => new Promise((done) => stream.once('close', done))))
  return {
    /** The last output may arrive after the program's end; another process may hold the pipes for ever. */
    all: async () => {
      await Promise.race([closed, pause(PIPE_GRACE_MS, undefined, { ref: false })])
      for (const stream of [stdout, stderr]) stream.destroy()
    },
    why: () => why,
    said: () => failuresIn(kept.toString()),
    release: () => {
      for (const timer of [silent, total, hard]) clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    },
  }
}

/** Without the progress. */
function failuresIn(said: string): string {
  return said
    .split(/[\r\n]+/)
    .filter((line) => /^(fatal|error|warning): |^ ! /.test(line))
    .slice(-20)
    .join('\n')
}

/** A word of git's `ext::` address: its own way to write an argv, which passes no shell (git-remote-ext(1)). */
function extWord(word: string): string {
  return word.replaceAll('%', '%%').replaceAll(' ', '% ')
}
