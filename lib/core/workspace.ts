/**
 * The shapes that every layer shares: the stored record of a workspace, what a backend observes, and the public resource
 * of the API, `--json` and the SDKs. Types only.
 */
import type { WorkspaceId, WorkspaceName } from './names.ts'

export type WorkspaceState = 'creating' | 'running' | 'paused' | 'stopped' | 'error' | 'deleting' | 'unknown'
export type Isolation = 'standard' | 'agent'
export type Protocol = 'tcp' | 'udp'

export interface PortMapping {
  /** `ssh`, `web`, `api`, ... unique within the workspace. */
  readonly name: string
  readonly container: number
  /** The leased port on this machine; null on a backend without local ports. */
  readonly host: number | null
  readonly protocol: Protocol
  /** `ports.<name>.host` of the configuration (such as 3000), published besides while it is free. */
  readonly canonical?: number
}

/** Which long operation runs (or was cut off) on a workspace. The process is named so that a dead one is recognised. */
export interface Operation {
  readonly kind: 'create' | 'start' | 'stop' | 'pause' | 'resume' | 'delete'
  /** Steps of the plan that are done; what a crash left is made good from here. */
  readonly done: readonly string[]
  /** The step begun last. */
  readonly step: string
  readonly startedAt: string
  readonly pid: number
  /** Start time of the process in clock ticks since boot (field 22 of /proc/<pid>/stat), '' where unknown. */
  readonly pidStart: string
  readonly bootId: string
}

export interface WorkspaceRecord {
  readonly schema: 1
  readonly id: WorkspaceId
  readonly name: WorkspaceName
  /** What the user typed. */
  readonly given: string
  readonly displayName: string
  /** Absolute path of the main worktree. */
  readonly repo: string
  /** The project's word in names and host names. */
  readonly project: string
  readonly branch: string
  /** The commit that this workspace made its branch at; null when the branch was there before. */
  readonly base: string | null
  /** Nexus made the branch, so it may go with the workspace. */
  readonly branchCreated: boolean
  /** Null on a backend without local files. */
  readonly worktree: string | null
  /** The repository's common git dir; null on a backend without local files. */
  readonly gitDir: string | null
  readonly backend: string
  readonly host: string
  readonly isolation: Isolation
  readonly sudo: boolean
  readonly createdAt: string
  readonly desired: 'running' | 'paused' | 'stopped' | 'absent'
  readonly ports: readonly PortMapping[]
  /** The repository's owner, who is the user inside. */
  readonly uid: number
  readonly gid: number
  readonly env: Readonly<Record<string, string>>
  readonly cpus: number | null
  /** Bytes. */
  readonly memory: number | null
  readonly idleTimeout: string
  readonly forwardAgent: boolean
  /** No other workspace had the name first, so `<name>.nexus` leads here. */
  readonly shortAlias: boolean
  /** Name and address for commits made inside; '' where git on this machine has none. */
  readonly author: { readonly name: string; readonly email: string }
  /** Image reference that the workspace runs; null before it is known. */
  readonly image: string | null
  /** `SHA256:...` of the workspace's host key; null before it is made. */
  readonly hostKeyFingerprint: string | null
  readonly operation: Operation | null
}

/** What a backend sees of one workspace, without our own records. */
export interface Observation {
  readonly state: Exclude<WorkspaceState, 'creating' | 'deleting'>
  readonly reason: string
}

export interface SshInfo {
  readonly workspaceId: WorkspaceId
  readonly enabled: boolean
  readonly host: string | null
  readonly port: number | null
  readonly user: string
  readonly forwardAgent: boolean
  readonly connectionCommand: string | null
  /** The same door with the host key verified, usable before the include is installed. */
  readonly verifiedCommand: string | null
  readonly alias: string | null
  /** `SHA256:...` of the workspace's host key. */
  readonly hostKeyFingerprint: string | null
}

export interface PortResource {
  readonly name: string
  readonly container: number
  readonly host: number | null
  readonly protocol: Protocol
  readonly url?: string
}

/** The public resource; later capabilities add fields and change none. Times are RFC 3339 UTC. */
export interface WorkspaceResource {
  readonly id: WorkspaceId
  readonly name: WorkspaceName
  readonly displayName: string
  readonly repo: string
  readonly branch: string
  readonly worktree: string | null
  readonly backend: string
  readonly host: string
  readonly state: WorkspaceState
  readonly reason: string
  readonly createdAt: string
  readonly ports: readonly PortResource[]
  readonly ssh: SshInfo
  readonly isolation: Isolation
  readonly idleTimeout: string
  readonly dirty?: boolean | null
}
