/** What every backend, and each part of one, is given. Types alone. */
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import type { HomePaths } from '../core/paths.ts'
import type { Runner } from '../system/exec.ts'

/** What is needed to ask for the versions of its tools; nothing is made. */
export type VersionsContext = Pick<BackendContext, 'runner' | 'env'>

/** What a backend is made from. */
export interface BackendContext {
  readonly runner: Runner
  readonly home: HomePaths
  /** The random id of this `NEXUS_HOME`; everything a backend creates carries it. */
  readonly instance: string
  readonly env: NodeJS.ProcessEnv
  readonly emit: Emit
  readonly interruption: Interruption
}
