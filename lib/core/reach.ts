/** How this machine reaches a port of a workspace. Pure. */
import type { PortMapping } from './workspace.ts'

export interface Reach {
  /** What a user types. */
  readonly name: string
  /** Where connections go. */
  readonly host: string
  readonly port: number
  /** An argv of this machine whose stdin and stdout are the connection: the address alone leads nowhere. */
  readonly via?: readonly string[]
}

/** A port that is published on this machine's loopback; undefined for one that is not. */
export function reachHere({ host }: Pick<PortMapping, 'host'>): Reach | undefined {
  return host === null ? undefined : { name: 'localhost', host: '127.0.0.1', port: host }
}

/** Undefined where no browser gets there by the address alone. */
export function urlOf(reach: Reach | undefined): string | undefined {
  return reach === undefined || reach.via !== undefined ? undefined : `http://${reach.name}:${reach.port}`
}
