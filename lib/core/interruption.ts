/**
 * One switch that ends what runs: a signal from the user, or the failure of a step beside others. After it was thrown,
 * `reset` gives the undoing of what was done a fresh signal, so that compensation is not itself cut off.
 */
export interface Interruption {
  readonly signal: AbortSignal
  abort(reason: Error): void
  reset(): void
  /** While `body` runs, an interruption is told to `handler` and ends nothing here: it belongs to what `body` waits for. */
  delegate<T>(handler: (reason: Error) => void, body: () => Promise<T>): Promise<T>
}

export function createInterruption(): Interruption {
  let controller = new AbortController()
  let delegated: ((reason: Error) => void) | undefined
  return {
    get signal() {
      return controller.signal
    },
    abort: (reason) => (delegated === undefined ? controller.abort(reason) : delegated(reason)),
    reset: () => {
      controller = new AbortController()
    },
    delegate: async (handler, body) => {
      delegated = handler
      try {
        return await body()
      } finally {
        delegated = undefined
      }
    },
  }
}
