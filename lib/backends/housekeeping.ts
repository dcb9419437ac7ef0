/**
 * What `doctor`, `gc` and `list --size` ask of a backend beside its workspaces: whether it is well, what lies there that no
 * workspace needs, and how much each workspace takes. Only what belongs to this instance is ever named or removed.
 */
import type { Check } from '../core/finding.ts'
import type { WorkspaceId } from '../core/names.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'

/** What must stay. */
export interface Needed {
  /** Workspaces with a record, or with a folder whose record cannot be read. */
  readonly ids: ReadonlySet<string>
  readonly records: readonly WorkspaceRecord[]
  /** Ids of workspaces in the trash, whose volumes are kept. */
  readonly trashed: ReadonlySet<string>
  /** Also name what outlives workspaces on purpose, of repositories that have none now. */
  readonly all: boolean
}

export interface Leftover {
  /** In the backend's words: container, network, volume, image. */
  readonly kind: string
  /** Unique among its kind. */
  readonly name: string
  /** A `part` of a workspace that is gone, or a `store` that only takes room. */
  readonly sort: 'part' | 'store'
  readonly cause: string
  /** Null where it was not measured. */
  readonly bytes: number | null
}

/** Bytes; null where unknown. */
export interface Usage {
  /** What its containers wrote, beside the image. */
  readonly layers: number | null
  readonly volumes: number | null
}

export interface Housekeeping {
  checks(records: readonly WorkspaceRecord[]): readonly Check[]
  /** `needed` is asked after the look, so that what is being made just now is never named. */
  leftovers(needed: () => Promise<Needed>, sizes: boolean): Promise<readonly Leftover[]>
  /** Removes them; what could not be is told as a warning, and seen by the next look. */
  remove(leftovers: readonly Leftover[]): Promise<void>
  /** The ports of this machine that the parts of each workspace were made to publish, running or not. */
  published(): Promise<ReadonlyMap<WorkspaceId, readonly number[]>>
  /** Of all workspaces that have parts, in one look of at most ten seconds. */
  usage(): Promise<ReadonlyMap<WorkspaceId, Usage>>
}
