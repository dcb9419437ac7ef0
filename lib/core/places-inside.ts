/**
 * Folders inside a workspace that a project may not mount over: what Nexus mounts or starts there, and what the system
 * runs. Pure.
 */
import { posix } from 'node:path'

const HOME_INSIDE = '/home/nexus'

/** Nexus's own: configuration and keys of sshd, the programs that start it, their files, editors' servers. */
const NEXUS = ['/etc/nexus', '/usr/local/lib/nexus', '/run/nexus', '/run/sshd', '/var/nexus-editors']
/** What a volume that workspaces share would replace or hide. */
const SYSTEM = [
  ...['/etc', '/proc', '/sys', '/dev', '/run', '/var/run', '/boot', '/bin', '/sbin', '/lib', '/lib32', '/lib64'],
  ...['/usr/bin', '/usr/sbin', '/usr/libexec', '/usr/lib/openssh', '/workspace', HOME_INSIDE],
]
/** Nexus needs only this in the home, and the home itself. */
const KEYS = `${HOME_INSIDE}/.ssh`

/** The place of Nexus's that a service's mount hides: at it, in it, or above programs of the image. */
export function coveredPlace(target: string): string | undefined {
  const clean = cleanPath(target)
  const hidden = ['/etc/nexus', '/usr/local/lib/nexus'].find((place) => isIn(place, clean))
  return NEXUS.find((place) => isIn(clean, place)) ?? hidden
}

/** Where a folder of `caches` lies inside. */
export function cacheTarget(folder: string): string {
  return folder.replace(/^~(?=\/)/, HOME_INSIDE).replace(/\/+$/, '')
}

/** Why a folder cannot be a volume that workspaces share, as the end of a sentence. */
export function cacheProblem(folder: string): string | undefined {
  const target = cacheTarget(folder)
  if (!/^(\/[\w.@+-]+){2,}$/.test(target) || cleanPath(target) !== target) return 'is no path below a top folder'
  const covered = [...NEXUS, ...SYSTEM, KEYS].find(
    (place) => isIn(place, target) || (place !== HOME_INSIDE && isIn(target, place)),
  )
  return covered === undefined ? undefined : `lies over ${covered}, which the workspace itself needs`
}

/** As Docker cleans a path. */
function cleanPath(path: string): string {
  return posix.resolve('/', path)
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)
}
