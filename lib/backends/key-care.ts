/** The keys of ssh as a backend keeps them: whom a workspace lets in, and how it proves what it is. Types only. */
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { PublicKey } from '../tools/public-keys.ts'
import type { Injection } from './making.ts'

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
