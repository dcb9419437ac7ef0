/**
 * Looks at ports of this machine. A port counts as free when it can be bound on the loopback addresses and nothing
 * answers a connection: the bind sees listeners on any family and ports in use by outgoing connections, the connection
 * sees forwards that never bind (Docker without its userland proxy). Neither is a reservation: a lease is, and Docker's
 * own refusal has the last word.
 */
import { readFile } from 'node:fs/promises'
import { BlockList, connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Address } from './splice.ts'

const LOOPBACK = ['127.0.0.1', '::1'] as const

/** True when the port is free on 127.0.0.1 and ::1. */
export async function isPortFree(port: number): Promise<boolean> {
  const bound = await Promise.all(LOOPBACK.map((address) => canBind(port, address)))
  return bound.every(Boolean) && !(await answers(port))
}

/** True when every one of the ports is free. */
export async function arePortsFree(ports: readonly number[]): Promise<boolean> {
  const free = await Promise.all(ports.map(isPortFree))
  return free.every(Boolean)
}

async function answers(port: number): Promise<boolean> {
  try {
    return await (await import('tcp-port-used')).default.check(port, '127.0.0.1')
  } catch {
    // neither refused nor accepted: something is in the way, so the port is not ours to take
    return true
  }
}

function canBind(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      // a machine without IPv6 has nothing that could be taken there
      done(error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT')
    })
    server.listen({ port, host, exclusive: true, ipv6Only: host === '::1' }, () => server.close(() => done(true)))
  })
}

/** True when the machine has ::1, so that ports can be published there too. */
export function hasIpv6Loopback(): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen({ port: 0, host: '::1', exclusive: true }, () => server.close(() => done(true)))
  })
}

/**
 * True once an SSH server sends its banner on the port. Only a trigger for a real login, never proof of readiness:
 * Docker's proxy accepts connections before anything listens inside.
 */
export function sendsSshBanner(at: Address, timeoutMs: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port: at.port, host: at.host })
    const finish = (seen: boolean) => {
      socket.destroy()
      done(seen)
    }
    socket.setTimeout(timeoutMs, () => finish(false))
    socket.once('data', (chunk) => finish(chunk.toString('latin1').startsWith('SSH-')))
    socket.once('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}

/** Addresses of this machine: whatever listens on all of them is reached there. */
export function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return [...new Set(all.map(({ address }) => address.replace(/%.*$/, '')))].sort()
}

/**
 * What the kernel tells of the network that a process is in: its IPv6 addresses and IPv4 routes, as `/proc` has them.
 * @param mark stands in the control group of the process that is meant; undefined for another one, or where none is
 * seen
 */
export async function networkOfProcess(pid: number, mark: string): Promise<string | undefined> {
  try {
    if (!(await readFile(`/proc/${pid}/cgroup`, 'utf8')).includes(mark)) return undefined
    const files = ['if_inet6', 'route'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8'))
    return (await Promise.all(files)).join('')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(code)) return undefined
    throw error
  }
}

/** Of addresses and blocks, those that begin in none of the ranges. */
export function outsideOf(ranges: readonly string[], addresses: readonly string[]): readonly string[] {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', prefix = ''] = range.split('/')
    list.addSubnet(network, Number(prefix), familyOf(network))
  }
  const beginOf = (text: string) => text.split('/')[0] ?? ''
  return addresses.filter((text) => !list.check(beginOf(text), familyOf(text)))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}
