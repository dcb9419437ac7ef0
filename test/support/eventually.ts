/**
 * Waits for something that comes about by itself (a process ends, a port opens) by looking again and again. Tests do not
 * sleep: a sleep is too long on a fast machine and too short on a slow one.
 */
import { setTimeout as pause } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Default 5 000. */
  readonly timeoutMs?: number
  /** Default 20. */
  readonly everyMs?: number
}

/**
 * Calls `check` until it neither throws nor returns `false`, and returns what it returned.
 * @throws what `check` threw last, once `timeoutMs` have passed
 */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 5_000, everyMs = 20 } = options
  const deadline = performance.now() + timeoutMs
  let last: unknown
  do {
    try {
      const value = await within(check, deadline - performance.now(), last)
      if (value !== false) return value
      last = undefined
    } catch (error) {
      last = error
    }
    await pause(Math.min(everyMs, Math.max(0, deadline - performance.now())))
  } while (performance.now() < deadline)
  throw last ?? new Error(`not so within ${timeoutMs} ms: ${check}`)
}

/** A look that hangs must not outlast the deadline. */
async function within<T>(check: () => T | Promise<T>, timeoutMs: number, last: unknown): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, fail) => {
    timer = setTimeout(
      () => fail(new Error(`the check itself did not end${last === undefined ? '' : `; before: ${last}`}`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([(async () => check())(), limit])
  } finally {
    clearTimeout(timer)
  }
}
