/** What every backend, and each part of one, is given. Types alone. */
import type { WorkContext } from '../system/context.ts'

/** What is needed to ask for the versions of its tools; nothing is made. */
export type VersionsContext = Pick<WorkContext, 'runner' | 'env'>

/** What a backend is made from. */
export interface BackendContext extends WorkContext {
  /** The random id of this `NEXUS_HOME`; everything a backend creates carries it. */
  readonly instance: string
}
