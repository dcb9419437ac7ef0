/**
 * A backend is a few facets: lifecycle, where the code is, one way in, how its ports are reached, and what else it has.
 * The use cases know these and nothing else of docker, a remote host or a hosted microVM. What a backend can do follows
 * from the facets that it has; `requireFacet` answers for one that is not there with UNSUPPORTED.
 *
 * Every verb is idempotent: done already is done. Verbs take the workspace's record and keep no memory of their own.
 */
import type { WorkspaceId } from '../core/names.ts'
import type { Reach } from '../core/reach.ts'
import type { Forward, Forwarding, OpenRequest, Session } from '../core/session.ts'
import type { LogEntry, ProcessResource, ServiceLoad, ServiceResource } from '../core/status.ts'
import type { Observation, PortMapping, SshInfo, WorkspaceAddress, WorkspaceRecord } from '../core/workspace.ts'
import type { RefusedRequest } from '../network/network.ts'
import type { PortRange } from '../ports/blocks.ts'
import type { KeyCare } from '../ssh/keys/key-care.ts'
import type { Injection } from '../ssh/keys/user-keys.ts'
import type { ComposeModel } from '../stack/model.ts'
import type { Housekeeping } from './housekeeping.ts'
import type {
  Ahead,
  DataVolume,
  LostWorkspace,
  Provision,
  Resolution,
  SeedStore,
  StartOptions,
  Watcher,
} from './making.ts'

export interface Backend {
  readonly name: string
  /** Where it runs, such as `local`. */
  readonly host: string
  /**
   * Checks what can be checked before anything is changed; given what a new workspace will be, looks ahead for what it needs.
   * @throws {NexusError} BACKEND_UNAVAILABLE, TOOL_MISSING, UNSUPPORTED
   */
  check(ahead?: Ahead): Promise<void>
  readonly lifecycle: Lifecycle
  readonly code: MountedCode | CarriedCode
  readonly endpoints: BackendEndpoints
  /** True when a connection is open already, so that nobody need ask whether the workspace runs. */
  isReachable(record: WorkspaceRecord): Promise<boolean>
  /**
   * The one way in: starts a command or a shell inside. What runs has the streams that the request asks for.
   * @throws {NexusError} INVALID_ARGUMENT for a command that does not fit
   */
  open(record: WorkspaceRecord, request: OpenRequest): Session
  readonly pause?: PauseFacet
  readonly ssh?: SshFacet
  readonly logs?: LogsFacet
  readonly stack?: StackFacet
  readonly services?: ServicesFacet
  readonly data?: DataFacet
  readonly network?: NetworkFacet
  readonly secrets?: SecretsFacet
  readonly upkeep?: UpkeepFacet
}

export interface Lifecycle {
  /** What there is of this instance's workspaces, in one look; a workspace without parts is absent from the map. */
  observe(): Promise<ReadonlyMap<WorkspaceId, Observation>>
  /** Tells of changes that others make, until `signal` is aborted; at once over where all is in files of the home. */
  watch(watcher: Watcher, signal: AbortSignal): Promise<void>
  /** Makes what needs no ports: image, keys. */
  provision(record: WorkspaceRecord, under?: Resolution['under']): Promise<Provision>
  /** Writes what the workspace is started from; the record has its ports and image by now. */
  configure(record: WorkspaceRecord, injection: Injection, resolution?: Resolution): Promise<void>
  /**
   * Brings the workspace up, creating what is missing, and returns when a real login (or its like) has succeeded.
   * `observed` is what the caller saw of it, undefined when it has no parts yet.
   * @throws {NexusError} PORT_CONFLICT when a port was taken in the meantime; WORKSPACE_START_FAILED
   */
  start(record: WorkspaceRecord, observed: Observation | undefined, options?: StartOptions): Promise<void>
  stop(record: WorkspaceRecord, observed: Observation | undefined): Promise<void>
  /**
   * Removes every part, but for these volumes, and verifies that none is left. Local files of the record are the caller's.
   * @param kept names
   */
  remove(record: WorkspaceRecord, kept?: readonly string[]): Promise<void>
  /**
   * Takes away what was made for the places and names of a record that are about to change, and keeps its data.
   * False where nothing hangs on them.
   */
  dismantle(record: WorkspaceRecord): Promise<boolean>
  /** What there is of a workspace that has no record, by its id, or by the name or id of one of its parts. */
  findLost(reference: string): Promise<LostWorkspace | undefined>
}

/** The workspace's files are a git worktree, a folder of this machine. */
export interface MountedCode {
  readonly kind: 'mounted'
  readonly git?: GitFacet
  /** For a folder of this machine in which a container's root made files. */
  readonly asRoot?: AsRootFacet
}

/**
 * The workspace's files are elsewhere. They come and go by git, through `open`: `git receive-pack` and `git upload-pack`
 * of this folder inside, or bundles.
 */
export interface CarriedCode {
  readonly kind: 'carried'
  /** Absolute, inside: where its repository is, or is made. */
  folder(record: WorkspaceRecord): string
}

export interface GitFacet {
  /**
   * An argv of this machine that runs git in the workspace's worktree, with the git dir that is used there; stdin, stdout and
   * exit code are git's. While the workspace runs it runs inside; else beside the files, which it can only read, without
   * network, in something that is gone afterwards.
   */
  command(record: WorkspaceRecord, args: readonly string[], running: boolean): Promise<readonly string[]>
}

export interface AsRootFacet {
  empty(record: WorkspaceRecord, path: string): Promise<void>
  /** Gives it to its user. */
  own(record: WorkspaceRecord, path: string): Promise<void>
}

export interface BackendEndpoints {
  /** Where ports of its new workspaces are reached from this machine; null where they have no address. */
  readonly address: WorkspaceAddress | null
  /** How a port of the workspace is reached from this machine; undefined for one that is not. */
  reach(record: WorkspaceRecord, port: PortMapping): Reach | undefined
  /** Ports of this machine that its workspaces lease, given the configured range. Without it they take none here. */
  readonly leased?: (configured: PortRange) => PortRange
}

export interface PauseFacet {
  pause(record: WorkspaceRecord): Promise<void>
  resume(record: WorkspaceRecord): Promise<void>
}

/** There is an SSH server inside. */
export interface SshFacet {
  info(record: WorkspaceRecord): SshInfo
  /** `onRefused` hears why a connection was not taken inside. */
  forward(record: WorkspaceRecord, forwards: readonly Forward[], onRefused: (why: string) => void): Promise<Forwarding>
  keys(): Promise<KeyCare>
  /** Ends an exchange of host keys that was cut off, for one that has just been started; undefined for none. */
  settleHostKey(record: WorkspaceRecord): Promise<string | undefined>
}

export interface LogsFacet {
  /** What its services have printed, in order of time. */
  read(record: WorkspaceRecord, request: LogsRequest): Promise<AsyncIterable<LogEntry>>
}

/** Its shape comes from compose files, and a generated one can be used by hand. */
export interface StackFacet {
  /**
   * Reads the project's compose files in the worktree; starts nothing of them.
   * @throws {NexusError} CONFIG_INVALID
   */
  resolve(record: WorkspaceRecord): Promise<Pick<Resolution, 'model' | 'warnings' | 'unset'>>
  /** What the containers of its compose files were made from last. */
  startedModel(record: WorkspaceRecord): Promise<ComposeModel | undefined>
  /** Builds or pulls the image under the workspace's own container. */
  prepareImage(record: WorkspaceRecord, model: ComposeModel | undefined): Promise<Resolution['under']>
  /**
   * For a workspace whose images are made at create alone.
   * @throws {NexusError} BUILD_FAILED naming an image that its services would need and that is not there
   */
  requireImages(record: WorkspaceRecord, model: ComposeModel | undefined): Promise<void>
  seeds(): Promise<SeedStore>
}

/** It runs as services that can be looked at one by one. */
export interface ServicesFacet {
  list(record: WorkspaceRecord): Promise<readonly ServiceResource[]>
  /** What running workspaces use at this moment, by id, container by container. */
  measure(records: readonly WorkspaceRecord[]): Promise<ReadonlyMap<string, readonly ServiceLoad[]>>
  processes(record: WorkspaceRecord): Promise<readonly ProcessResource[]>
}

/** What a delete asks before it takes anything away, and what becomes of the data that it kept. */
export interface DataFacet {
  /** What goes with the workspace unless it is kept. */
  list(record: WorkspaceRecord): Promise<readonly DataVolume[]>
  /** Removes volumes that were kept, by name; missing is fine. */
  remove(volumes: readonly string[]): Promise<void>
  /** What somebody runs in the workspace at this moment, as commands. */
  guests(record: WorkspaceRecord): Promise<readonly string[]>
}

/** What is inside can be kept from the network, and from being more than an ordinary user. */
export interface NetworkFacet {
  /** Another list of what can be reached, for a workspace that may run; with `cut`, connections that are open end. */
  apply(record: WorkspaceRecord, cut: boolean): Promise<void>
  /** What was refused on the way out, the newest last. */
  refusals(record: WorkspaceRecord): Promise<readonly RefusedRequest[]>
}

export interface SecretsFacet {
  /** Values of its secrets by name, as they are in the workspace now. */
  read(record: WorkspaceRecord): Promise<ReadonlyMap<string, string>>
}

/** What it holds can be looked through: health, leftovers, disk use. */
export type UpkeepFacet = () => Promise<Housekeeping>

export interface LogsRequest {
  /** Go on over stops and starts until the workspace is gone, or nobody reads any more. */
  readonly follow: boolean
  /** Lines of each service from the end; null for all. */
  readonly tail: number | null
  /** Seconds since 1970; '' for the beginning. */
  readonly since: string
  /** Empty for all. */
  readonly services: readonly string[]
  /** False when the workspace was deleted. */
  readonly isThere: () => Promise<boolean>
}
