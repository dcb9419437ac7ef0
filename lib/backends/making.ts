/** What backends are given, and give, when a workspace is made, started, watched, found again or deleted. Types only. */
import type { WorkspaceId } from '../core/names.ts'
import type { AppCommand, DockerPart, PortMapping, WorkspaceRecord } from '../core/workspace.ts'
import type { WantedPort } from '../ports/blocks.ts'
import type { ComposeModel } from '../stack/model.ts'
import type { Seed } from '../stack/seed.ts'

/** What a project's own files say, before anything of them runs. */
export interface Resolution {
  /** The compose files merged; undefined without any. */
  readonly model: ComposeModel | undefined
  /** What the user should know of them. */
  readonly warnings: readonly string[]
  /** Variables that they use and nobody sets, as compose said when it read them. */
  readonly unset?: readonly string[]
  /** The image under the workspace's own container; undefined where that is the default one. */
  readonly under:
    | {
        readonly reference: string
        /** Tells one build of it from another by what is in it. */
        readonly content: string
        /** What it runs by itself. */
        readonly app: AppCommand | undefined
        /** Ports that it exposes. */
        readonly exposed: readonly WantedPort[]
      }
    | undefined
}

/** What a workspace was given before it has ports; null where a backend has no such thing. */
export interface Provision {
  readonly docker?: Pick<DockerPart, 'image'>
  readonly hostKeyFingerprint: string | null
}

export interface StartOptions {
  /** Build what is built and make every container anew, though it is there. */
  readonly rebuild: boolean
  /** What its containers were made from may have changed since: those that differ are made anew. */
  readonly compare?: boolean
  /** Values of the record's secrets, by name. */
  readonly secrets?: ReadonlyMap<string, string>
  /** Prepared data that goes into the workspace's empty volumes before anything starts. */
  readonly seed?: Seed
}

/** Prepared data of services, kept by hash. */
export interface SeedStore {
  has(seed: Seed): Promise<boolean>
  /** Keeps what the workspace's volumes hold now; its service is stopped for that moment. */
  save(record: WorkspaceRecord, seed: Seed): Promise<void>
}

/** What decides about a new workspace's images before it has a record. */
export type Ahead = Pick<DockerPart, 'uid' | 'gid'> & Partial<Pick<WorkspaceRecord, 'isolation' | 'network'>>

/** What the parts of a workspace without a record tell of it. */
export interface LostWorkspace {
  readonly id: WorkspaceId
  readonly name: string
  /** Its compose project, which has the name that it was made under. */
  readonly project: string
  readonly repo: string
  readonly branch: string
  readonly worktree: string
  readonly image: string
  readonly running: boolean
  /** It runs as an agent's, or without open network: its record said so. */
  readonly agent: boolean
  readonly gate: boolean
  /** This very home made it. */
  readonly ours: boolean
  /** The record of the home that made it, where that is still there. */
  readonly heldBy: string | null
  /** Leased ports by name. */
  readonly ports: readonly (PortMapping & { readonly host: number })[]
  /** Of its ready services. */
  readonly password: string | null
  /** They have the volume for what editors install. */
  readonly editors: boolean
}

/** What a backend tells while it is watched. */
export interface Watcher {
  /** Something of this instance's workspaces is not as it was. */
  readonly onChange: () => void
  /** It can be asked (null), or cannot, and why. Told at first and whenever that changes. */
  readonly onReach: (trouble: string | null) => void
}

/** A volume, or a folder of the worktree, in which services of a workspace have data. */
export interface DataVolume {
  /** Of a folder its absolute path. */
  readonly name: string
  readonly isFolder?: true
  /** The services that mount it, or its key in the compose files where none does now. */
  readonly of: string
  /** Null where it could not be measured. */
  readonly bytes: number | null
  /** It has no name by which a later container would find it again. */
  readonly nameless: boolean
}
