/** Objects of which all methods are asynchronous, made at the first call: what is behind them is loaded then. Pure. */

type Method = (...args: never[]) => Promise<unknown>

/** `load` runs once; a failure of it is the failure of the calls that wait for it. */
export function late<T extends object & { readonly [name in keyof T]: Method }>(load: () => Promise<T>): T {
  let made: Promise<T> | undefined
  const get = (_: unknown, name: string | symbol) => {
    // not something to await itself
    if (name === 'then') return undefined
    return async (...args: never[]) => {
      made ??= load()
      return (await made)[name as keyof T](...args)
    }
  }
  return new Proxy<T>({} as T, { get })
}
