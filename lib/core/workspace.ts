/**
 * The shapes that every layer shares: the stored record of a workspace, what a backend observes, and the public resource
 * of the API, `--json` and the SDKs. Types only.
 */

import type { GitMode, Isolation, NetworkMode, Protocol } from './modes.ts'
import type { WorkspaceId, WorkspaceName } from './names.ts'
import type { OperationKind } from './operations.ts'
import type { AgentMode } from './ssh-agent-mode.ts'

export type WorkspaceState = 'creating' | 'running' | 'paused' | 'stopped' | 'error' | 'deleting' | 'unknown'

export interface PortMapping {
  /** `ssh`, `web`, `api`, ... unique within the workspace. */
  readonly name: string
  readonly container: number
  /** The leased port on this machine; null on a backend without local ports. */
  readonly host: number | null
  readonly protocol: Protocol
  /** `ports.<name>.host` of the configuration (such as 3000), published besides while it is free. */
  readonly canonical?: number
  /** The compose service that listens on it; absent for the workspace's own container. */
  readonly service?: string
  /** Its place in the workspace's blocks. */
  readonly offset?: number
}

/** Ready services as the configuration names them. */
export interface ReadyRecord {
  readonly wanted: readonly string[]
  /** Image by service. */
  readonly images: Readonly<Record<string, string>>
  /** For all of them. The workspace's own, or the repository's where prepared data has it in it. */
  readonly password: string
  /** Name of the database where prepared data decides it; else it is the workspace's own. */
  readonly database?: string
}

/** A secret by its reference; its value is kept nowhere. */
export interface SecretRecord {
  readonly name: string
  readonly from: string
  /** Given as this variable too. */
  readonly variable?: string
  /** Services that get it; absent: the workspace's own container. */
  readonly services?: readonly string[]
}

/** What the image under the workspace's own container runs by itself. */
export interface AppCommand {
  /** Entry point and command; empty when it runs nothing. */
  readonly argv: readonly string[]
  /** As in a Dockerfile's USER; '' is root. */
  readonly user: string
  readonly cwd: string
}

/** What a workspace runs beside, or in place of, the base image. Absent in records of plain workspaces. */
export interface StackRecord {
  /** The project's compose files, from the top of the worktree, later ones on top; empty without any. */
  readonly files: readonly string[]
  readonly profiles: readonly string[]
  /** Variables of this machine that the compose files may use, by name. */
  readonly pass: readonly string[]
  /** The compose service that has the SSH door. */
  readonly main: string
  /** What the workspace's own container is made from. */
  readonly base: MainBase
  /** Services of the files that run once for all workspaces of the repository. */
  readonly shared?: {
    readonly services: readonly string[]
    /** The workspace's own database in one of them. */
    readonly database?: { readonly service: string; readonly engine: 'postgres' | 'mysql'; readonly name: string }
  }
  /** The image under ours, once it is built or pulled; absent for the default one. */
  readonly under?: string
  /** What runs in the workspace's own container beside the SSH door; only where it is made from the project's image. */
  readonly app?: AppCommand
  /** What its model asks for beyond the ordinary, as it was approved; absent for nothing. */
  readonly admitted?: readonly { readonly path: string; readonly value: string; readonly why: string }[]
  /** External volumes are copied, and the copies are the workspace's own; absent: they are shared. */
  readonly external?: 'private'
  /** What its services mount from below the worktree is held by the engine. */
  readonly holds?: true
}

export type MainBase =
  | { readonly kind: 'default' }
  | { readonly kind: 'image'; readonly image: string }
  /** Path from the top of the worktree. */
  | { readonly kind: 'dockerfile'; readonly file: string }
  /** The project's own service `main`. */
  | { readonly kind: 'service' }

/** Which long operation runs (or was cut off) on a workspace. The process is named so that a dead one is recognised. */
export interface Operation {
  readonly kind: OperationKind
  /** How it was asked for, as far as whoever finishes it must know: `force`, `delete-branch`, `no-start`. */
  readonly options?: readonly string[]
  /** Steps of the plan that are done; what a crash left is made good from here. */
  readonly done: readonly string[]
  /** All that were begun. */
  readonly begun?: readonly string[]
  /** The step begun last. */
  readonly step: string
  readonly startedAt: string
  readonly pid: number
  /** Start time of the process in clock ticks since boot (field 22 of /proc/<pid>/stat), '' where unknown. */
  readonly pidStart: string
  readonly bootId: string
  /** Network namespace of the process; absent in older records. */
  readonly network?: string
}

/** A public key, of which the forwarded agent has the other half; and what is signed without being asked. */
export interface SigningRecord {
  readonly key: string
  readonly commits: boolean
  readonly tags: boolean
}

export interface WorkspaceRecord {
  readonly schema: 1
  readonly id: WorkspaceId
  readonly name: WorkspaceName
  /** The name that it was made under, where it was renamed since: compose project, volumes and databases keep it. */
  readonly madeAs?: WorkspaceName
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
  /** The worktree was there before the workspace, and stays when that is deleted. */
  readonly adopted?: boolean
  /** The repository's common git dir; null on a backend without local files. */
  readonly gitDir: string | null
  readonly backend: string
  readonly host: string
  readonly isolation: Isolation
  readonly sudo: boolean
  /** Absent in records of older versions: shared. */
  readonly gitMode?: GitMode
  /** Absent: open. */
  readonly network?: NetworkMode
  /** What can be reached in `allowlist`: host names, `.name` with all below it, each perhaps with a port. */
  readonly networkAllow?: readonly string[]
  readonly createdAt: string
  readonly desired: 'running' | 'paused' | 'stopped'
  /** When and for whom it was stopped; absent while it is not, and where it was never started. */
  readonly stopped?: { readonly at: string; readonly by: 'user' | 'idle' }
  readonly ports: readonly PortMapping[]
  /** These are other ports than its containers were made with: the next start makes them anew. */
  readonly portsMoved?: true
  /** The user inside: the repository's owner, or who stands in for root in isolation `agent`. */
  readonly uid: number
  readonly gid: number
  readonly env: Readonly<Record<string, string>>
  readonly cpus: number | null
  /** Bytes. */
  readonly memory: number | null
  /** How many processes it may have at once; absent in records of older versions. */
  readonly pids?: number
  readonly idleTimeout: string
  readonly forwardAgent: boolean
  /** Absent in records of older versions; see `agentModeOf`. */
  readonly agentMode?: AgentMode
  /** The agent's keys that may be used in mode `proxy`, as configured; absent: all. */
  readonly agentKeys?: readonly string[]
  /** No other workspace had the name first, so `<name>.nexus` leads here. */
  readonly shortAlias: boolean
  /** The repository in the long alias, where another repository has the name that it would have; see `labelInAlias`. */
  readonly aliasLabel?: string
  /** Name and address for commits made inside; '' where git on this machine has none. */
  readonly author: { readonly name: string; readonly email: string }
  /** The key that signs commits made inside; absent for none. */
  readonly signing?: SigningRecord
  /** Harmless settings of the user's own git, such as aliases, and the text of the global ignore file, as they were at its create. */
  readonly comfort?: { readonly settings: readonly (readonly [key: string, value: string])[]; readonly ignore?: string }
  /** Image reference that the workspace runs; null before it is known. */
  readonly image: string | null
  /** `SHA256:...` of the workspace's host key; null before it is made. */
  readonly hostKeyFingerprint: string | null
  readonly operation: Operation | null
  readonly stack?: StackRecord
  /** Leased CIDR blocks, one for each network, in their order. */
  readonly subnets?: readonly string[]
  readonly ready?: ReadyRecord
  /** Volumes that all workspaces of the repository share. */
  readonly caches?: readonly { readonly name: string; readonly target: string }[]
  /** What editors install in the home inside lies in a volume of its own, which outlives its containers. Absent in records of older versions. */
  readonly editors?: true
  readonly secrets?: readonly SecretRecord[]
  /** What runs once after the first start, and has not yet. */
  readonly pendingHooks?: boolean
  /** What it was made from: path in the worktree -> hash of the content, '' for a file that was not there. */
  readonly inputs?: Readonly<Record<string, string>>
  /** Where images are looked for before they are built, and left: an absolute path, or a registry's repository. */
  readonly imageCache?: string
}

/** What a backend sees of one workspace, without our own records. */
export interface Observation {
  readonly state: Exclude<WorkspaceState, 'creating' | 'deleting'>
  readonly reason: string
  /** True while a health check has not answered yet. */
  readonly settling?: boolean
  /** True when one has answered that all is not well. */
  readonly unhealthy?: boolean
}

export interface SshInfo {
  readonly workspaceId: WorkspaceId
  readonly enabled: boolean
  readonly host: string | null
  readonly port: number | null
  readonly user: string
  readonly forwardAgent: boolean
  readonly agentMode: AgentMode
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
  /** The compose service that listens on it; absent for the workspace's own container. */
  readonly service?: string
}

/** Bytes on the disk; null where it could not be measured. */
export interface WorkspaceSize {
  readonly worktree: number | null
  /** Its folder in NEXUS_HOME: keys, generated files, a private git dir, checkpoints. */
  readonly state: number | null
  /** What its containers wrote, beside their images. */
  readonly layers: number | null
  readonly volumes: number | null
  readonly total: number | null
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
  readonly gitMode: GitMode
  readonly network: NetworkMode
  readonly idleTimeout: string
  readonly dirty?: boolean | null
  readonly size?: WorkspaceSize
  /** What was changed by hand and is not as the record says, with what takes it over. */
  readonly drift?: string
  /** Files that changed since the workspace was made from them; `rebuild` renews it. */
  readonly outdated?: readonly string[]
}
