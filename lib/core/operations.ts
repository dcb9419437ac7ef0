/**
 * What is known of every kind of operation, in one table: which steps it may have, what a workspace shows while one runs or was cut
 * off, and what becomes of it then. Whoever meets an operation asks the table, and compares no kinds. Pure; how a kind is finished
 * after a cut is in `lib/workspace/recover.ts`, which `lib/workspace/open-app.ts` hands to the rest.
 */
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/**
 * How long each step may take. The commands in it have limits of their own, and hooks those that they are given; these end what hangs
 * all the same, and are far above what a slow machine needs.
 */
export const STEP_LIMITS_MS = {
  record: MINUTE_MS,
  lease: 5 * MINUTE_MS,
  /** Checkout, submodules and ignored files. */
  worktree: 2 * HOUR_MS,
  /** Images of the project are built or pulled here. */
  resolve: 2 * HOUR_MS,
  templates: 5 * MINUTE_MS,
  'pre-start': 25 * HOUR_MS,
  dotfiles: 25 * HOUR_MS,
  'post-create': 25 * HOUR_MS,
  'post-start': 25 * HOUR_MS,
  'pre-stop': 25 * HOUR_MS,
  'post-stop': 25 * HOUR_MS,
  'pre-delete': 25 * HOUR_MS,
  /** Commits between the workspace's own git dir and the repository. */
  'bring-back': HOUR_MS,
  'push-in': HOUR_MS,
  merge: HOUR_MS,
  provision: 2 * HOUR_MS,
  configure: 10 * MINUTE_MS,
  /** With health checks, prepared data, and other ports when some are taken. */
  start: 6 * HOUR_MS,
  stop: 15 * MINUTE_MS,
  pause: 10 * MINUTE_MS,
  resume: HOUR_MS,
  remove: 30 * MINUTE_MS,
  trash: 2 * HOUR_MS,
  'worktree-remove': 2 * HOUR_MS,
  'branch-delete': 10 * MINUTE_MS,
  release: 5 * MINUTE_MS,
  forget: 5 * MINUTE_MS,
} as const

export type StepId = keyof typeof STEP_LIMITS_MS

/** Steps of no operation: one git command each, which git itself does whole or not at all. They are planned for people to read. */
export const GIT_STEPS = ['push-in', 'merge'] as const satisfies readonly StepId[]

/** Hooks before the record says that the operation runs: one that fails stops it, and nothing has happened. */
export const STEPS_BEFORE: readonly StepId[] = ['pre-delete']
/** Hooks after the record says that it has ended: one that fails leaves the workspace as it is, up and in reach. */
export const STEPS_AFTER: readonly StepId[] = ['dotfiles', 'post-create', 'post-start']

const BRING_UP = ['resolve', 'lease', 'templates', 'provision', 'configure', 'pre-start', 'start'] as const

export interface KindOfOperation {
  /** Steps that it may consist of. Failpoints are made from it: a step that is missing here is tried by no test. */
  readonly steps: readonly StepId[]
  /** As it is told: `being created since 10:02`. */
  readonly participle: string
  /** The state that its workspace has while it runs; null: the one that the backend sees. */
  readonly state: 'creating' | 'deleting' | null
  /** The verb that finishes it, where its workspace is of no use before; null: whatever the next command is. */
  readonly finishedBy: 'up' | 'delete' | null
  /** It makes the workspace: what is missing is not made yet, and nobody is inside before its step `start`. */
  readonly makes: boolean
  /** It removes the workspace: nobody may name that any more, so that other commands finish it. */
  readonly removes: boolean
  /** The workspace counts against `limits` while it runs. */
  readonly takesPlace: boolean
  /** It gives room on the disk back, and may use what is reserved. */
  readonly freesRoom: boolean
  /** The record is saved before the first step begins, as what is missing from then on was taken away by this operation. */
  readonly notedFirst: boolean
  /** Cut off ones that its own plan covers, so that they need not be finished first. */
  readonly covers: readonly string[]
  /** When it has failed, and could not be taken back, the next command finishes it: always, once a step of it is done, or never. */
  readonly outlivesFailure: 'always' | 'once begun' | 'never'
}

/** What only changes the state of a workspace: the next change of state needs nothing of it. */
const STATES = ['start', 'stop', 'pause', 'resume'] as const

const ORDINARY = {
  state: null,
  finishedBy: null,
  makes: false,
  removes: false,
  takesPlace: true,
  freesRoom: false,
  notedFirst: false,
  covers: STATES,
  outlivesFailure: 'never',
} as const

export const KINDS = {
  create: {
    ...ORDINARY,
    steps: ['record', 'worktree', ...BRING_UP, ...STEPS_AFTER],
    participle: 'created',
    state: 'creating',
    finishedBy: 'up',
    makes: true,
    covers: [],
    outlivesFailure: 'always',
  },
  start: { ...ORDINARY, steps: ['stop', 'worktree', ...BRING_UP, ...STEPS_AFTER], participle: 'started' },
  stop: {
    ...ORDINARY,
    steps: ['pre-stop', 'bring-back', 'stop', 'post-stop'],
    participle: 'stopped',
    takesPlace: false,
    freesRoom: true,
  },
  pause: { ...ORDINARY, steps: ['pause'], participle: 'paused' },
  resume: { ...ORDINARY, steps: ['resume'], participle: 'resumed' },
  rebuild: {
    ...ORDINARY,
    steps: ['stop', 'resolve', 'lease', 'templates', 'provision', 'configure', 'start', ...STEPS_AFTER],
    participle: 'rebuilt',
    state: 'creating',
    covers: [...STATES, 'rebuild'],
  },
  delete: {
    ...ORDINARY,
    steps: ['pre-delete', 'remove', 'trash', 'worktree-remove', 'branch-delete', 'release', 'forget'],
    participle: 'deleted',
    state: 'deleting',
    finishedBy: 'delete',
    removes: true,
    takesPlace: false,
    freesRoom: true,
    notedFirst: true,
    covers: ['create', ...STATES, 'rebuild', 'delete'],
    outlivesFailure: 'once begun',
  },
} as const satisfies Readonly<Record<string, KindOfOperation>>

export type OperationKind = keyof typeof KINDS

/** Undefined for no operation, as a record has it. */
export function kindOf(operation: { readonly kind: OperationKind } | null): KindOfOperation | undefined {
  return operation === null ? undefined : KINDS[operation.kind]
}
