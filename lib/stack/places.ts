/**
 * Tells whether a path that a project names lies within its worktree, and writes it for people: with `<worktree>`,
 * `<repo>` and `<home>` for the folders of this machine, so that the same project asks for the same on every branch and
 * machine. Pure: the caller hands in `realpath`.
 */
import { posix } from 'node:path'

export interface Where {
  /** Absolute path of the workspace's worktree. */
  readonly worktree: string
  /** Absolute path of the main worktree. All of it but the worktree counts as outside. */
  readonly repo: string
  /** The user's home folder, written as `<home>`. */
  readonly home?: string | undefined
  /** What a path leads to, itself when nothing is there; undefined when it cannot be told. */
  readonly realpath?: (path: string) => string | undefined
}

export interface OutsidePlace {
  /** The path as people read it, with what it leads to. */
  readonly value: string
  /** What is there, as the end of a phrase: `files outside of this workspace`. */
  readonly what: string
}

export type Places = ReturnType<typeof createPlaces>

const SOCKET = /^(docker|containerd|podman|buildkitd|crio|dockershim)[\w.-]*\.sock$/

const SOCKET_FOLDERS = ['/run', '/var/run', '/var']

export function createPlaces(where: Where) {
  const { home, realpath = (path: string) => posix.normalize(path) } = where
  const worktree = realpath(where.worktree) ?? where.worktree
  const repo = realpath(where.repo) ?? where.repo
  const folders = [
    ['<worktree>', worktree],
    ['<worktree>', where.worktree],
    ['<repo>', repo],
    ['<repo>', where.repo],
    ...(home === undefined || home === '/' ? [] : [['<home>', home] as const]),
  ] as const

  function name(path: string): string {
    const clean = posix.normalize(path)
    const found = folders.find(([, folder]) => isWithin(clean, folder))
    return found === undefined ? clean : `${found[0]}${clean.slice(found[1].length)}`.replace(/\/$/, '')
  }

  /** What a path leads to when that is not within the worktree; undefined when it is. Relative ones begin at `base`. */
  function outside(given: string, base = where.worktree): OutsidePlace | undefined {
    const path = given.startsWith('/') ? given : `${base}/${given}`
    // the kernel and a program that cleans the path first disagree about `..` behind a symbolic link
    const leads = [...new Set([realpath(path), realpath(posix.normalize(path))])]
    if (leads.includes(undefined)) return { value: `${name(path)} (leads nobody knows where)`, what: OUTSIDE }
    for (const real of leads) {
      const what = real === undefined ? undefined : whatIsAt(real)
      if (real === undefined || what === undefined) continue
      return { value: real === posix.normalize(path) ? name(path) : `${name(path)} (leads to ${name(real)})`, what }
    }
    return undefined
  }

  function whatIsAt(real: string): string | undefined {
    if (SOCKET.test(posix.basename(real))) return 'the Docker socket, which is full control of this machine'
    if ([worktree, repo].some((folder) => isWithin(real, posix.join(folder, '.git')))) return GIT
    if (isWithin(real, worktree)) return undefined
    if (real === '/') return 'the whole disk of this machine'
    if (SOCKET_FOLDERS.includes(real)) return 'a folder with the Docker socket, which is full control of this machine'
    if (isWithin(worktree, real)) return 'a folder that holds this workspace and more'
    if (isWithin(repo, real)) return 'a folder that holds the repository and more'
    if (isWithin(real, repo)) return 'files of the main worktree, outside of this workspace'
    return OUTSIDE
  }

  return { name, outside }
}

const OUTSIDE = 'files outside of this workspace'
const GIT = "the repository's git data, through which commands can be made to run on this machine"

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** True for what compose and BuildKit fetch from elsewhere: URLs, `oci://`, `user@host:path`, `github.com/...`. */
export function isRemote(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) || /^[^/]+@[^/]+:/.test(text) || /^github\.com\//i.test(text)
}
