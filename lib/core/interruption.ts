/**
 * One switch that ends what runs: a signal from the user, or the failure of a step beside others. After it was thrown,
 * `reset` gives the undoing of what was done a fresh signal, so that compensation is not itself cut off.
 */
export interface Interruption {
  readonly signal: AbortSignal
  abort(reason: Error): void
  reset(): void
}

export function createInterruption(): Interruption {
  let controller = new AbortController()
  return {
    get signal() {
      return controller.signal
    },
    abort: (reason) => controller.abort(reason),
    reset: () => {
      controller = new AbortController()
    },
  }
}
