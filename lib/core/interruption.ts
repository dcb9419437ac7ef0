/**
 * One switch that interrupts an operation: a signal from the user, or the failure of a parallel step. After an
 * interruption `reset` gives the undoing a fresh signal, so that it is not cut off itself.
 */
import { setMaxListeners } from 'node:events'

export interface Interruption {
  readonly signal: AbortSignal
  abort(reason: Error): void
  reset(): void
  /** While `body` runs, an interruption goes to `handler` alone: it is meant for the program that runs in `body`. */
  delegate<T>(handler: (reason: Error) => void, body: () => Promise<T>): Promise<T>
  /** Marks that an interruption of `body` is undone. */
  undoable<T>(body: () => Promise<T>): Promise<T>
  /** True while such a body runs. */
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

/** Parallel steps all listen, so twenty workspaces are no leak. */
function createController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
