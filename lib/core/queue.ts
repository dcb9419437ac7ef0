/** A queue that many put into and one reads, who waits while nothing is there. Pure. */

export interface Queue<T> {
  put(item: T): void
  /** What is in it is still read. */
  end(): void
  /** What is in it is still read; then the reader gets the error. */
  fail(error: unknown): void
  /** Throws away what is in it. */
  clear(): void
  /** How many wait to be read. */
  readonly size: number
  read(): AsyncGenerator<T, undefined>
}

export function createQueue<T>(first: readonly T[] = []): Queue<T> {
  let waiting = [...first]
  let over: { readonly error?: unknown } | undefined
  let wake: (() => void) | undefined
  const finish = (how: { readonly error?: unknown }) => {
    over ??= how
    wake?.()
  }
  async function* read(): AsyncGenerator<T, undefined> {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift() as T
      if (over !== undefined) {
        if ('error' in over) throw over.error
        return
      }
      await new Promise<void>((done) => {
        wake = done
      })
    }
  }
  return {
    put: (item) => {
      waiting.push(item)
      wake?.()
    },
    end: () => finish({}),
    fail: (error) => finish({ error }),
    clear: () => {
      waiting = []
    },
    get size() {
      return waiting.length
    },
    read,
  }
}
