/** How this machine reaches a port of a workspace. Pure. */
import type { PortMapping, WorkspaceRecord } from './workspace.ts'

/** What a user types for this machine. */
export const HERE = 'localhost'

export interface Reach {
  /** What a user types. */
  readonly name: string
  /** Where connections go. */
  readonly host: string
  readonly port: number
  /** An argv of this machine whose stdin and stdout are the connection: the address alone leads nowhere. */
  readonly via?: readonly string[]
}

/** A port that is published on this machine's loopback; undefined for one that is not. A record on the disk may hold anything. */
export function reachHere({ host }: Pick<PortMapping, 'host'>): Reach | undefined {
  return typeof host !== 'number' ? undefined : { name: HERE, host: '127.0.0.1', port: host }
}

/** Its SSH server, where that is published on this machine. */
export function sshHere({ ports }: Pick<WorkspaceRecord, 'ports'>): Reach | undefined {
  const port = ports.find(({ name }) => name === 'ssh')
  return port === undefined ? undefined : reachHere(port)
}

/** Undefined where no browser gets there by the address alone. */
export function urlOf(reach: Reach | undefined): string | undefined {
  return reach === undefined || reach.via !== undefined ? undefined : `http://${reach.name}:${reach.port}`
}
