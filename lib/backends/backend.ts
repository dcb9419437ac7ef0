/**
 * What every backend can be asked for. The use cases know this interface and nothing else of docker, a remote host or a
 * hosted microVM; what a backend lacks is asked through `capabilities` and answered with UNSUPPORTED, never pretended.
 *
 * Every verb is idempotent: done already is done. Verbs take the workspace's record and keep no memory of their own.
 */
import type { Readable, Writable } from 'node:stream'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceId } from '../core/names.ts'
import type { LogEntry, ProcessResource, ServiceLoad, ServiceResource } from '../core/status.ts'
import type { Observation, SshInfo, WorkspaceRecord } from '../core/workspace.ts'
import type { PortRange } from '../ports/blocks.ts'
import type { ComposeModel } from '../stack/model.ts'
import type { Refusal } from '../stack/network.ts'
import type { PublicKey } from '../tools/public-keys.ts'
import type { Housekeeping } from './housekeeping.ts'
import type {
  Ahead,
  Injection,
  LastLooks,
  LostWorkspace,
  Provision,
  Resolution,
  SeedStore,
  StartOptions,
  Watcher,
} from './making.ts'

export type Capability =
  /** The workspace's files are a git worktree on this machine. */
  | 'worktree'
  /** Ports are published on this machine, so they are leased. */
  | 'local-ports'
  /** There is an SSH door. */
  | 'ssh'
  | 'pause'
  | 'logs'
  /** It runs as services that can be looked at one by one: state, health, what each uses. */
  | 'services'
  /** A generated compose file can be used by hand. */
  | 'compose-file'
  /** git can be run where the workspace's files are, while it runs and while it does not. */
  | 'git'
  /** What is inside can be kept from the network, and from being more than an ordinary user. */
  | 'guards'
  /** What it holds can be looked through: health, leftovers, disk use. */
  | 'housekeeping'

export interface ExecRequest {
  readonly argv: readonly string[]
  /** Absolute folder inside; null is the workspace's own folder. */
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string>>
  /** Ask for a terminal inside. */
  readonly tty: boolean
}

export interface CaptureRequest extends Omit<ExecRequest, 'tty'> {
  readonly timeoutMs: number
  readonly onLine?: (line: string) => void
}

/** What a command inside said. */
export interface Captured {
  readonly code: number
  /** stdout and stderr as they came; of very much, the beginning and the end. */
  readonly output: string
}

export interface StreamRequest extends ExecRequest {
  /** Size of the terminal inside; only with `tty`. */
  readonly size?: TerminalSize
}

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** A command that runs inside, on streams that the caller has in hand. */
export interface Stream {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** From then on it can be written to and read: a terminal is as it should be. */
  readonly ready: Promise<void>
  /** Its exit code once all output was read; null when the connection failed. */
  readonly ended: Promise<number | null>
  /** To the command inside and what it started. */
  signal(signal: NodeJS.Signals): Promise<void>
  resize(size: TerminalSize): Promise<void>
  /** Ends it inside, then here: the one who wanted its output is gone. */
  end(): Promise<void>
}

/** A command inside, on streams of the caller's. */
export interface Session {
  /** Closed already unless it was asked for. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Its exit code; null when the connection failed. */
  readonly ended: Promise<number | null>
  /** Sends a signal to the command and whatever it started. */
  signal(signal: NodeJS.Signals): Promise<void>
  /** Ends our side of it, whatever becomes of the other. */
  cut(): void
}

export interface BeginRequest extends Omit<ExecRequest, 'tty'> {
  /** Its stdin is a pipe; else it is closed. */
  readonly input: boolean
}

/** A port of this machine's loopback that leads to a port as it is reached from inside. */
export interface Forward {
  readonly local: number
  /** `localhost` is the workspace's own container. */
  readonly host: string
  readonly port: number
}

/** Forwarding that goes on until it is ended, also by the end of this process. */
export interface Forwarding {
  /** True once every port listens; false when it ended before. */
  readonly listening: Promise<boolean>
  /** What ssh said, when it has ended. */
  readonly ended: Promise<string>
  end(): void
}

export interface ShellRequest {
  /** Empty for an interactive login shell. */
  readonly argv: readonly string[]
  /** A terminal for the command too. */
  readonly tty?: boolean
  /** The command is one of Nexus's own, which no dotfile inside may change. */
  readonly isOurs?: boolean
  readonly forwardAgent: boolean
}

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

/** A key that opens a workspace's door. */
export interface LetIn extends PublicKey {
  /** `unknown`: it was let in by an earlier start, and is found nowhere any more. */
  readonly from: 'nexus' | 'file' | 'sources' | 'agent' | 'unknown'
  /** Such as the path of its file. */
  readonly source: string | null
}

/** The keys of doors: who is let in, how a door proves what it is, and their exchange. */
export interface KeyCare {
  list(record: WorkspaceRecord, injection: Injection): Promise<readonly LetIn[]>
  /** Null before it is made. `rotating`: an exchange was cut off, and the one before it is trusted too. */
  hostKeyOf(record: WorkspaceRecord): Promise<(PublicKey & { readonly rotating: boolean }) | null>
  /** Returns the new one's fingerprint when the server shows it. @throws {NexusError} CONTAINER_ERROR when it does not */
  rotateHostKey(record: WorkspaceRecord, running: boolean): Promise<string>
  /** Ends what was cut off, when the server has been started anew; returns the fingerprint. */
  settleHostKey(record: WorkspaceRecord): Promise<string>
  /** Makes Nexus's next key, of which every workspace has to hear before it is taken. */
  makeOwn(): Promise<void>
  takeOwn(): Promise<void>
  /** Public lines: the one in use and, during an exchange, the next. */
  ownKeys(): Promise<readonly string[]>
  /** A workspace lets these in, and `former` no more. */
  renewOwn(record: WorkspaceRecord, former: readonly string[]): Promise<void>
  /** Proves that the key in use opens a running one; what runs over older connections goes on. */
  reopen(record: WorkspaceRecord): Promise<void>
}

export interface Backend extends Partial<LastLooks> {
  readonly name: string
  /** Where it runs, such as `local`. */
  readonly host: string
  readonly capabilities: ReadonlySet<Capability>
  /** Ports of this machine that its workspaces lease, given the configured range; only with the capability `local-ports`. */
  portRange?(configured: PortRange): PortRange

  /**
   * Checks what can be checked before anything is changed; given what a new workspace will be, looks ahead for what it needs.
   * @throws {NexusError} BACKEND_UNAVAILABLE, TOOL_MISSING, UNSUPPORTED
   */
  check(ahead?: Ahead): Promise<void>
  /** What there is of this instance's workspaces, in one look; a workspace without parts is absent from the map. */
  observe(): Promise<ReadonlyMap<WorkspaceId, Observation>>
  /**
   * Reads the project's compose files in the worktree; starts nothing of them. Only with the capability `compose-file`.
   * @throws {NexusError} CONFIG_INVALID
   */
  resolve?(record: WorkspaceRecord): Promise<Pick<Resolution, 'model' | 'warnings' | 'unset'>>
  /** What the containers of its compose files were made from last. Only with the capability `compose-file`. */
  startedModel?(record: WorkspaceRecord): Promise<ComposeModel | undefined>
  /** Builds or pulls the image under the workspace's own container. Only with the capability `compose-file`. */
  prepareImage?(record: WorkspaceRecord, model: ComposeModel | undefined): Promise<Resolution['under']>
  /**
   * For a workspace whose images are made at create alone. Only with the capability `guards`.
   * @throws {NexusError} BUILD_FAILED naming an image that its services would need and that is not there
   */
  requireImages?(record: WorkspaceRecord, model: ComposeModel | undefined): Promise<void>
  /** Only with the capability `compose-file`. */
  seeds?(): Promise<SeedStore>
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
  pause(record: WorkspaceRecord): Promise<void>
  resume(record: WorkspaceRecord): Promise<void>
  /**
   * Removes every part, but for these volumes, and verifies that none is left. Local files of the record are the caller's.
   * @param kept names
   */
  remove(record: WorkspaceRecord, kept?: readonly string[]): Promise<void>
  /** What there is of a workspace that has no record, by its id, or by the name or id of one of its parts. */
  findLost?(reference: string): Promise<LostWorkspace | undefined>
  /** Takes away what was made for the places and names of a record that are about to change, and keeps its data. */
  dismantle?(record: WorkspaceRecord): Promise<void>
  /**
   * Empties, or gives to its user, a folder of this machine in which a container's root made files. Only with the capability
   * `worktree`.
   */
  emptyFolder?(record: WorkspaceRecord, path: string): Promise<void>
  ownFolder?(record: WorkspaceRecord, path: string): Promise<void>
  /** True when a connection is open already, so that nobody need ask whether the workspace runs. */
  isReachable(record: WorkspaceRecord): Promise<boolean>
  /** Runs a command on the caller's stdin, stdout and stderr; returns its exit code, null when the connection failed. */
  exec(record: WorkspaceRecord, request: ExecRequest): Promise<number | null>
  /** Starts a command on streams of the caller's. @throws {NexusError} INVALID_ARGUMENT */
  stream(record: WorkspaceRecord, request: StreamRequest): Stream
  /** Tells of changes that others make until `signal` is aborted; absent where all is in files of the home. */
  watch?(watcher: Watcher, signal: AbortSignal): Promise<void>
  /**
   * Runs a command inside and returns what it printed; ends it after the time limit.
   * @throws {NexusError} TIMEOUT; CONTAINER_ERROR when the connection failed
   */
  capture(record: WorkspaceRecord, request: CaptureRequest): Promise<Captured>
  /** Runs a command inside and hands its streams over; what is not read holds it up. */
  begin(record: WorkspaceRecord, request: BeginRequest): Session
  /** `onRefused` hears why a connection was not taken inside. Only with the capability `ssh`. */
  forward?(record: WorkspaceRecord, forwards: readonly Forward[], onRefused: (why: string) => void): Promise<Forwarding>
  /**
   * Another list of what can be reached, for a workspace that may run; with `cut`, connections that are open end. Only with the
   * capability `guards`.
   */
  applyNetwork?(record: WorkspaceRecord, cut: boolean): Promise<void>
  /** What was refused on the way out, the newest last. Only with the capability `guards`. */
  listRefusals?(record: WorkspaceRecord): Promise<readonly Refusal[]>
  /** Values of its secrets by name, as they are in the workspace now. */
  readSecrets?(record: WorkspaceRecord): Promise<ReadonlyMap<string, string>>
  /** An interactive shell or a command through the SSH door, as the user's own ssh would. */
  shell(record: WorkspaceRecord, request: ShellRequest): Promise<number>
  /** What its services have printed, in order of time; only with the capability `logs`. */
  logs(record: WorkspaceRecord, request: LogsRequest): Promise<AsyncIterable<LogEntry>>
  /** Its services one by one. Only with the capability `services`. */
  listServices?(record: WorkspaceRecord): Promise<readonly ServiceResource[]>
  /** What running workspaces use at this moment, by id, container by container. Only with the capability `services`. */
  measureLoads?(records: readonly WorkspaceRecord[]): Promise<ReadonlyMap<string, readonly ServiceLoad[]>>
  /** Only with the capability `services`. */
  listProcesses?(record: WorkspaceRecord): Promise<readonly ProcessResource[]>
  /**
   * An argv of this machine that runs git in the workspace's worktree, with the git dir that is used there; stdin, stdout and
   * exit code are git's. While the workspace runs it runs inside; else beside the files, which it can only read, without
   * network, in something that is gone afterwards. Only with the capability `git`.
   */
  gitCommand?(record: WorkspaceRecord, args: readonly string[], running: boolean): Promise<readonly string[]>
  sshInfo(record: WorkspaceRecord): SshInfo
  /** Only with the capability `ssh`. */
  keyCare?(): Promise<KeyCare>
  /** Ends an exchange of host keys that was cut off, for one that has just been started; undefined for none. */
  settleHostKey?(record: WorkspaceRecord): Promise<string | undefined>
  /** Only with the capability `housekeeping`. */
  housekeeping?(): Promise<Housekeeping>
}

/** @throws {NexusError} UNSUPPORTED, naming the backend and what it lacks */
export function requireCapability(backend: Backend, capability: Capability, what: string): never | 0 {
  if (backend.capabilities.has(capability)) return 0
  throw new NexusError('UNSUPPORTED', `The backend ${backend.name} does not support ${what}.`, {
    hint: 'To use the one that does, create the workspace with `--backend docker`',
    details: { backend: backend.name, capability },
  })
}
