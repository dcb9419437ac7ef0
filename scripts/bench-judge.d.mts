interface Case {
  readonly name: string
  readonly factor: number
  readonly plus: number
  readonly tolerance: number
}

/** Milliseconds, by round. */
interface Times {
  readonly nexus: readonly number[]
  readonly floor: readonly number[]
}

export function judge(
  one: Case,
  times: Times,
): { readonly ratio: number; readonly spread: number; readonly bound: number; readonly holds: boolean }
