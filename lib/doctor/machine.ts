/** Checks of the machine: the kernel's port range, localhost, disk space, file watches, the clock. They only report. */
import { existsSync } from 'node:fs'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { judgeSpace } from '../tools/disk.ts'
import type { Scan } from './scan.ts'

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1)$/
const WATCHES = 65_536
const INSTANCES = 128

/** Ports out of the range that the kernel hands out to outgoing connections can be gone when a workspace starts. */
export async function checkPortRange({ machine, settings }: Scan): Promise<readonly Diagnosis[]> {
  const local = machine.read('/proc/sys/net/ipv4/ip_local_port_range')
  if (local === undefined || settings === undefined) return []
  const { start, end } = settings.ssh.portRange
  const [low = 0, high = 0] = local.trim().split(/\s+/).map(Number)
  const reserved = machine.read('/proc/sys/net/ipv4/ip_local_reserved_ports')?.trim() ?? ''
  if (high < start || low > end) return [well(`ports ${start}-${end} are in nobody's way`)]
  if (covers(reserved, Math.max(low, start), Math.min(high, end))) return [well(`ports ${start}-${end} are reserved`)]
  const wanted = [...(reserved === '' ? [] : [reserved]), `${start}-${end}`].join(',')
  return [
    warning({
      message: `The ports ${start}-${end} that workspaces lease lie in the range of outgoing connections, ${low}-${high}.`,
      why: 'A leased port can be taken by another program while its workspace is stopped; Nexus then has to move to others.',
      hint: `To keep them free, put the line net.ipv4.ip_local_reserved_ports = ${wanted} into /etc/sysctl.d/60-nexus.conf and run \`sudo sysctl --system\``,
    }),
  ]
}

/** `8080,32800-34999` as the kernel writes it. */
function covers(reserved: string, from: number, to: number): boolean {
  return reserved.split(',').some((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number)
    return first <= from && last >= to
  })
}

export async function checkNames({ machine }: Scan): Promise<readonly Diagnosis[]> {
  const addresses = await machine.resolve('localhost')
  if (addresses.length > 0 && addresses.every((address) => LOOPBACK.test(address))) {
    return [well(`localhost is ${addresses.join(' and ')}`)]
  }
  const said = addresses.length === 0 ? 'does not resolve' : `resolves to ${addresses.join(' and ')}`
  return [
    failure({
      message: `The name localhost ${said}.`,
      why: 'The addresses that Nexus prints, http://localhost:<port> and ssh nexus@localhost, lead nowhere or elsewhere.',
      hint: 'To set it right, put the line 127.0.0.1 localhost into /etc/hosts: `sudo nano /etc/hosts`',
    }),
  ]
}

/** Where state and worktrees lie, each file system once. */
export async function checkDisk({ app, machine, records }: Scan): Promise<readonly Diagnosis[]> {
  const folders = [app.home.home, ...new Set(records.map(({ repo }) => repo))].filter((folder) => existsSync(folder))
  const spaces = await Promise.all(folders.map(async (folder) => ({ folder, free: await machine.free(folder) })))
  // the same number of bytes left is the same file system
  const first = spaces.filter(({ free }, i) => spaces.findIndex((other) => other.free === free) === i)
  return first.flatMap(({ folder, free }) => judgeSpace(folder, free))
}

export async function checkInotify({ machine }: Scan): Promise<readonly Diagnosis[]> {
  const limit = (name: string) => Number(machine.read(`/proc/sys/fs/inotify/${name}`) ?? Number.NaN)
  const [watches, instances] = [limit('max_user_watches'), limit('max_user_instances')]
  if (Number.isNaN(watches) || Number.isNaN(instances)) return []
  if (watches >= WATCHES && instances >= INSTANCES) return [well(`${watches} file watches, ${instances} watchers`)]
  const [name, value, better] =
    watches < WATCHES
      ? (['max_user_watches', watches, 524_288] as const)
      : (['max_user_instances', instances, 512] as const)
  return [
    warning({
      message: `fs.inotify.${name} is ${value}, which several workspaces with file watchers use up.`,
      why: 'All containers of a user share the limit; a dev server then ends with ENOSPC or does not see changes.',
      hint: `To raise it, run \`sudo sysctl -w fs.inotify.${name}=${better}\``,
    }),
  ]
}

/** Records are dated by the clock, so one that is dated later than now tells of a clock that was set back. */
export async function checkClock({ machine, records }: Scan): Promise<readonly Diagnosis[]> {
  const now = machine.now()
  const latest = records.map(({ createdAt }) => Date.parse(createdAt)).reduce((a, b) => Math.max(a, b), 0)
  if (latest <= now.getTime() + 60_000) return [well(`it is ${now.toISOString()}`)]
  return [
    warning({
      message: `The clock says ${now.toISOString()}, but a workspace was made at ${new Date(latest).toISOString()}.`,
      why: 'Ages, time limits and certificates are judged by the clock.',
      hint: 'To set it right, run `sudo timedatectl set-ntp true`',
    }),
  ]
}
