/**
 * The shapes of what `status`, `top` and `logs` tell beyond the resource that a list has. Types only. Null always
 * means: it could not be told (in time); the times are RFC 3339 UTC.
 */
import type { PortResource, WorkspaceResource } from './workspace.ts'

export interface ServiceResource {
  readonly name: string
  /** The container's name on the engine. */
  readonly container: string
  /** created, running, paused, restarting, removing, exited, dead */
  readonly state: string
  /** Null without a health check. */
  readonly health: 'healthy' | 'unhealthy' | 'starting' | null
  /** Since when it runs, or does not. */
  readonly since: string | null
  /** Null while it runs. */
  readonly exitCode: number | null
  /** How often the engine restarted it. */
  readonly restarts: number
  readonly outOfMemory: boolean
  readonly ports: readonly PortResource[]
}

/** Against what commits are counted. */
export interface Counterpart {
  /** Short, such as `origin/main` or `main`. */
  readonly name: string
  /** The branch's upstream, else what the main worktree has checked out. */
  readonly kind: 'upstream' | 'main-worktree'
}

export interface GitStanding {
  readonly upstream: string | null
  readonly against: Counterpart | null
  readonly ahead: number | null
  readonly behind: number | null
  readonly modified: number | null
  readonly untracked: number | null
  readonly conflicts: number | null
  /** Commits inside that the repository does not have yet; null also where there is nothing to bring back. */
  readonly notBroughtBack: number | null
  readonly stashes: number | null
  /** Such as `merge` or `rebase`. */
  readonly unfinished: readonly string[]
  /** Fields that only the workspace's own git dir tells, which is written inside. */
  readonly toldInside: readonly string[]
}

export interface WorkspaceOperation {
  readonly kind: string
  readonly step: string
  readonly startedAt: string
  /** False when it was cut off. */
  readonly running: boolean
}

export interface WorkspaceStatus extends WorkspaceResource {
  /** Null where the backend lists none or cannot be asked. */
  readonly services: readonly ServiceResource[] | null
  /** Null for a workspace without local files. */
  readonly git: GitStanding | null
  readonly lastActivity: string | null
  /** True while an SSH connection is open; null where that cannot be seen. */
  readonly connected: boolean | null
  readonly operation: WorkspaceOperation | null
  /** When and for whom it was stopped; null while it is not, and where that was never noted. */
  readonly stopped: { readonly at: string; readonly by: 'user' | 'idle' } | null
}

/** What one container uses. Bytes; null where the engine does not tell. */
export interface ServiceLoad {
  readonly name: string
  readonly container: string
  /** Percent of one processor, over the moment between two looks. */
  readonly cpu: number | null
  readonly memory: number | null
  readonly memoryLimit: number | null
  readonly processes: number | null
  readonly received: number | null
  readonly sent: number | null
  readonly since: string | null
}

export interface ProcessResource {
  readonly service: string
  readonly pid: number
  readonly user: string
  /** Percent of one processor, over its whole life. */
  readonly cpu: number
  readonly memory: number
  readonly elapsed: string
  readonly command: string
}

export interface LogEntry {
  /** The service, or the hook with `hook` set. */
  readonly service: string
  readonly stream: 'stdout' | 'stderr'
  readonly time: string
  readonly text: string
}
