/**
 * A command that would run on the caller's terminal, with what it says collected instead. What is cancelled or takes too
 * long is ended inside the workspace first, as ending the connection alone would let it run on there.
 */
import { Interrupted, NexusError } from '../core/errors.ts'
import { createInterruption, type Interruption } from '../core/interruption.ts'
import { createRunner } from '../system/runner.ts'
import type { App } from '../workspace/app.ts'
import type { ApiContext, RequestSettings } from './context.ts'

/** Of stdout and of stderr. */
const KEPT_BYTES = 1024 * 1024
/** Between asking to end, ending, and giving up the connection. */
const GRACE_MS = 5_000

export interface Said {
  readonly stdout: string
  readonly stderr: string
  /** More was said than is kept: its beginning and its end. */
  readonly truncated: boolean
}

export interface CollectOptions {
  readonly api: ApiContext
  readonly app: App
  readonly interruption: Interruption
  readonly settings?: RequestSettings
  readonly timeoutMs: number
  readonly cancelled: AbortSignal
  readonly input?: string | undefined
}

/** An app whose attached command is collected. */
export function collecting(options: CollectOptions): { readonly app: App; said(): Said } {
  const { api, interruption, settings, timeoutMs, cancelled, input } = options
  // ended alone, as what signals the command inside has to get there still
  const own = createInterruption()
  const runner = createRunner(options.app.emit, api.env, own)
  let said: Said = { stdout: '', stderr: '', truncated: false }
  const app: App = api.appFor({
    emit: options.app.emit,
    interruption,
    ...(settings === undefined ? {} : { settings }),
    attach: async (argv, { cwd, env, onSignal, endsWithUs, endWord } = {}) => {
      if (cancelled.aborted) throw new Interrupted('SIGINT')
      const watch = watchOver({ timeoutMs, cancelled, interruption: own, signal: onSignal })
      try {
        const result = await runner.run(argv, {
          ...(cwd === undefined ? {} : { cwd }),
          ...(input === undefined ? {} : { input }),
          ...(endsWithUs === undefined ? {} : { endsWithUs }),
          ...(endWord === undefined ? {} : { endWord }),
          env: { LC_ALL: app.env.LC_ALL, ...env },
          anyEnd: true,
          keepBytes: KEPT_BYTES,
          timeoutMs: timeoutMs + 4 * GRACE_MS,
        })
        said = { stdout: result.stdout, stderr: result.stderr, truncated: result.cut === true }
        return result.code
      } finally {
        watch.end()
      }
    },
  })
  return { app, said: () => said }
}

interface Watch {
  readonly timeoutMs: number
  readonly cancelled: AbortSignal
  readonly interruption: Interruption
  /** Reaches the command inside; undefined where the connection is the command. */
  readonly signal: ((signal: NodeJS.Signals) => void) | undefined
}

/** @throws {NexusError} from `end`: TIMEOUT, or Interrupted, when that was the end of it */
function watchOver({ timeoutMs, cancelled, interruption, signal }: Watch): { end(): void } {
  let why: Error | undefined
  const timers: NodeJS.Timeout[] = []
  const stop = (reason: Error) => {
    if (why !== undefined) return
    why = reason
    if (signal === undefined) return interruption.abort(reason)
    signal('SIGTERM')
    timers.push(setTimeout(() => signal('SIGKILL'), GRACE_MS))
    timers.push(setTimeout(() => interruption.abort(reason), 2 * GRACE_MS))
  }
  const onCancel = () => stop(new Interrupted('SIGINT'))
  timers.push(setTimeout(() => stop(tookTooLong(timeoutMs)), timeoutMs))
  cancelled.addEventListener('abort', onCancel, { once: true })
  return {
    end: () => {
      for (const timer of timers) clearTimeout(timer)
      cancelled.removeEventListener('abort', onCancel)
      if (why !== undefined) throw why
    },
  }
}

function tookTooLong(timeoutMs: number): NexusError {
  return new NexusError('TIMEOUT', `The command did not end within ${timeoutMs / 1000} s and was ended.`, {
    hint: 'To let it run without a limit, use `nexus exec <name> -- <command>`',
    details: { timeoutMs },
  })
}
