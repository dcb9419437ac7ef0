/** What every part is given that works with this machine for one command. Types alone. */
import type { Emit } from '../core/events.ts'
import type { Interruption } from '../core/interruption.ts'
import type { HomePaths } from '../core/paths.ts'
import type { Runner } from './exec.ts'

export interface WorkContext {
  readonly runner: Runner
  readonly home: HomePaths
  readonly env: NodeJS.ProcessEnv
  readonly emit: Emit
  readonly interruption: Interruption
}
