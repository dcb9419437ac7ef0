/**
 * The IPv4 routes of this machine. A workspace gets no addresses that a route covers: networks of other tools and of
 * other Nexus homes, a VPN, the office. Only the kernel's main table is seen (a policy-routed VPN is not), and nothing
 * at all where there is no /proc; Docker's own refusal has the last word.
 */
import { readIfPresent } from '../system/store.ts'
import type { Cidr } from './cidr.ts'

const ROUTES_FILE = '/proc/net/route'

/**
 * A default route does not count, nor do 0.0.0.0/1 and 128.0.0.0/1: tunnels write these two halves in order to leave
 * the old default route in place.
 */
const EVERYWHERE_PREFIX = 1
const FLAG_UP = 1

export interface Route extends Cidr {
  readonly interface: string
}

export async function readRoutes(): Promise<readonly Route[]> {
  return parseRoutes((await readIfPresent(ROUTES_FILE)) ?? '')
}

/** The text of /proc/net/route without default routes. Pure. */
export function parseRoutes(text: string): readonly Route[] {
  return text.split('\n').slice(1).flatMap(parseLine)
}

/** `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`; none for a line of another shape. */
function parseLine(line: string): readonly Route[] {
  const [name = '', destination = '', , flags = '', , , , mask = ''] = line.trim().split(/\s+/)
  const first = parseHex(destination)
  const bits = parseHex(mask)
  if (first === undefined || bits === undefined || (Number.parseInt(flags, 16) & FLAG_UP) === 0) return []
  const prefix = bits.toString(2).replace(/0+$/, '').length
  return prefix <= EVERYWHERE_PREFIX ? [] : [{ first, prefix, interface: name }]
}

/**
 * The kernel prints the four bytes of an address as one number of this machine, and all machines that Docker runs on
 * but one (s390x) have the lowest byte first: `0000D50A` is 10.213.0.0.
 */
function parseHex(word: string): number | undefined {
  if (!/^[0-9A-Fa-f]{8}$/.test(word)) return undefined
  return Buffer.from(word, 'hex').readUInt32LE(0)
}
