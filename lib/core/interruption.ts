/**
 * One switch that ends what runs: a signal from the user, or the failure of a step beside others. After it was thrown,
 * `reset` gives the undoing of what was done a fresh signal, so that compensation is not itself cut off.
 */
import { setMaxListeners } from 'node:events'

export interface Interruption {
  readonly signal: AbortSignal
  abort(reason: Error): void
  reset(): void
  /** While `body` runs, an interruption is told to `handler` and ends nothing here: it belongs to what `body` waits for. */
  delegate<T>(handler: (reason: Error) => void, body: () => Promise<T>): Promise<T>
  /** Marks what `body` does as what is undone when it is interrupted. */
  undoable<T>(body: () => Promise<T>): Promise<T>
  /** Something runs that will be undone. */
  readonly undoes: boolean
}

export function createInterruption(): Interruption {
  let controller = createController()
  let delegated: ((reason: Error) => void) | undefined
  let undoable = 0
  return {
    get signal() {
      return controller.signal
    },
    abort: (reason) => (delegated === undefined ? controller.abort(reason) : delegated(reason)),
    reset: () => {
      controller = createController()
    },
    delegate: async (handler, body) => {
      delegated = handler
      try {
        return await body()
      } finally {
        delegated = undefined
      }
    },
    undoable: async (body) => {
      undoable++
      try {
        return await body()
      } finally {
        undoable--
      }
    },
    get undoes() {
      return undoable > 0
    },
  }
}

/** Everything that runs side by side listens, and twenty workspaces are no leak. */
function createController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
