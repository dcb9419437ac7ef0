/**
 * Slows down who guesses tokens: after some failures each further one is told to wait, twice as long as the last. One count
 * for all, as everybody on the loopback address looks the same; it needs no memory that grows. Pure but for its own count.
 */
const FREE_FAILURES = 10
const FIRST_WAIT_MS = 500
const WAIT_MAX_MS = 60_000
/** So long without a failure, and all is forgotten. */
const FORGET_MS = 5 * 60_000

export interface Throttle {
  /** Counts a failure; how long to wait before the next try. */
  failed(): { readonly waitMs: number }
}

export function createThrottle(now: () => number = Date.now): Throttle {
  let failures = 0
  let last = 0
  return {
    failed: () => {
      if (now() - last > FORGET_MS) failures = 0
      last = now()
      failures = Math.min(failures + 1, 1_000)
      const beyond = failures - FREE_FAILURES
      return { waitMs: beyond <= 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** Math.min(beyond - 1, 10), WAIT_MAX_MS) }
    },
  }
}
