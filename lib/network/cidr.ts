/**
 * IPv4 blocks such as `10.213.4.64/26`: reading, writing, and whether two have an address in common. Addresses are
 * whole numbers from 0 to 2^32 - 1, never the signed ones of JavaScript's bit operators. Pure.
 */

export interface Cidr {
  /** The first address; a multiple of the block's size. */
  readonly first: number
  /** Leading bits that all addresses share, 0 to 32. */
  readonly prefix: number
}

/** Addresses in a block. */
export function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix)
}

/** Undefined for anything else than an IPv4 block, also for leading zeros. Host bits are dropped. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([\d.]+)\/(0|[1-9]\d?)$/.exec(text)
  const address = parseAddress(match?.[1] ?? '')
  const prefix = Number(match?.[2])
  if (address === undefined || !(prefix <= 32)) return undefined
  return { first: address - (address % sizeOf(prefix)), prefix }
}

function parseAddress(text: string): number | undefined {
  const parts = text.split('.')
  const good = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  return good ? parts.reduce((sum, part) => sum * 256 + Number(part), 0) : undefined
}

export function formatCidr({ first, prefix }: Cidr): string {
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256)
  return `${parts.join('.')}/${prefix}`
}

export function overlap(a: Cidr, b: Cidr): boolean {
  return a.first < b.first + sizeOf(b.prefix) && b.first < a.first + sizeOf(a.prefix)
}
