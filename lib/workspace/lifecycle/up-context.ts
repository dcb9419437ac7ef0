/** What the steps of a create, a start and a rebuild know from the first, and what they hand from one to the next. Types only. */
import type { Resolution } from '../../backends/making.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import type { Inputs } from '../../project/inputs.ts'
import type { SecretValues } from '../../project/secrets.ts'
import type { ComposeModel } from '../../stack/model.ts'
import type { App } from '../app.ts'
import type { Seen } from '../observe.ts'
import type { Added, Carried, RecordFields } from '../operation/apply.ts'
import type { Draft } from './draft.ts'

/** As it was decided; no step changes it. */
export interface Scene {
  readonly app: App
  readonly draft: Draft
  /** Undefined for a new workspace. */
  readonly seen: Seen | undefined
  /** Containers and image are made anew though they are there. */
  readonly isRebuild: boolean
}

export interface UpCarried extends Carried {
  readonly observed: Seen['observation']
  readonly wanted: readonly WantedPort[]
  /** Values of the configured secrets, for this operation alone. */
  readonly secrets: SecretValues
  /** What generated files are made from; undefined while no step has read the project's files. */
  readonly resolution?: Resolution
  /** The project's compose files as this operation read them. */
  readonly model?: ComposeModel | undefined
  /** The files behind it as they were then. */
  readonly inputs?: Inputs
  /** This operation has added the worktree to git's. */
  readonly isWorktreeAdded?: boolean
}

/** What a step takes of all that is carried. */
export type Takes<Key extends keyof UpCarried> = Pick<UpCarried, Key>
/** What a step yields: the first beside the record, the second in it. */
export type Yields<Key extends keyof Added<UpCarried>, Field extends keyof WorkspaceRecord = never> = Pick<
  Added<UpCarried>,
  Key
> & { readonly record?: Pick<RecordFields, Field> }
