/** How this machine reaches a port of a workspace. Pure. */
import type { PortMapping, WorkspaceAddress, WorkspaceRecord } from './workspace.ts'

/** Where a backend that publishes ports on this machine's loopback has its workspaces. What others say stands in the record. */
export const THIS_MACHINE: WorkspaceAddress = { name: 'localhost', host: '127.0.0.1' }

export interface Reach extends WorkspaceAddress {
  readonly port: number
  /** An argv of this machine whose stdin and stdout are the connection: the address alone leads nowhere. */
  readonly via?: readonly string[]
}

type Placed = Pick<WorkspaceRecord, 'address'>

/** A port that is published at the workspace's address; undefined for one that is not. */
export function reachOf({ address }: Placed, { host }: Pick<PortMapping, 'host'>): Reach | undefined {
  return address === null || host === null ? undefined : { ...address, port: host }
}

/** Its SSH server, where that is published. */
export function sshOf({ address, ports }: Placed & Pick<WorkspaceRecord, 'ports'>): Reach | undefined {
  const port = ports.find(({ name }) => name === 'ssh')
  return port === undefined ? undefined : reachOf({ address }, port)
}

/** `localhost:32801`; undefined for a port that is not published. */
export function publishedAt(record: Placed, port: Pick<PortMapping, 'host'>): string | undefined {
  const reach = reachOf(record, port)
  return reach === undefined ? undefined : `${reach.name}:${reach.port}`
}

/** What a user may type for an address; loopback has one more. */
export function namesOf({ name, host }: WorkspaceAddress): readonly string[] {
  return host === THIS_MACHINE.host ? [name, host, '::1'] : [name, host]
}

/** Undefined where no browser gets there by the address alone. */
export function urlOf(reach: Reach | undefined): string | undefined {
  return reach === undefined || reach.via !== undefined ? undefined : `http://${reach.name}:${reach.port}`
}
