/**
 * The shapes that every layer shares: the stored record of a workspace (its fields are told in `record-shape.ts`), what a backend
 * observes, and the public resource of the API, `--json` and the SDKs. Types only.
 */

import type { z } from 'zod'
import type { GitMode, Isolation, NetworkMode, Protocol } from './modes.ts'
import type { WorkspaceId, WorkspaceName } from './names.ts'
import type * as shapes from './record-shape.ts'
import type { AgentMode } from './ssh-agent-mode.ts'

export type WorkspaceState = 'creating' | 'running' | 'paused' | 'stopped' | 'error' | 'deleting' | 'unknown'

type Plain = string | number | boolean | null | undefined
/** Nothing of it is changed in place. */
type Kept<T> = T extends Plain ? T : { readonly [Key in keyof T]: Kept<T[Key]> }
type Of<Shape extends z.ZodType> = Kept<z.infer<Shape>>

export type WorkspaceRecord = Of<typeof shapes.recordShape>
export type LocalPart = Of<typeof shapes.localShape>
export type DockerPart = Of<typeof shapes.dockerShape>
export type WorkspaceAddress = Of<typeof shapes.addressShape>
export type PortMapping = Of<typeof shapes.portShape>
export type ReadyRecord = Of<typeof shapes.readyShape>
export type SecretRecord = Of<typeof shapes.secretShape>
export type AppCommand = Of<typeof shapes.appCommandShape>
export type StackRecord = Of<typeof shapes.stackShape>
export type MainBase = Of<typeof shapes.mainBaseShape>
export type Operation = Of<typeof shapes.operationShape>
export type SigningRecord = Of<typeof shapes.signingShape>

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
