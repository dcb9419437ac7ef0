/**
 * What a path leads to, symbolic links and all, also where its end does not exist yet. Reads links, opens nothing, and
 * walks as the kernel does: `..` behind a link leaves the link's target.
 */
import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

const LINKS_MAX = 40

/**
 * The real path; where nothing exists any more, the rest is appended as it stands. Undefined when it cannot be told:
 * too many links, no permission, a byte that no path has.
 * @param path absolute
 */
export function realPathOf(path: string): string | undefined {
  const left = path.split('/').reverse()
  let real = '/'
  let links = 0
  for (let word = left.pop(); word !== undefined; word = left.pop()) {
    if (word === '' || word === '.') continue
    if (word === '..') {
      real = dirname(real)
      continue
    }
    const next = join(real, word)
    const target = targetOf(next)
    if (target === 'unknown') return undefined
    if (target === 'none') {
      real = next
      continue
    }
    if (++links > LINKS_MAX) return undefined
    left.push(...target.link.split('/').reverse())
    if (target.link.startsWith('/')) real = '/'
  }
  return real
}

function targetOf(path: string): { readonly link: string } | 'none' | 'unknown' {
  try {
    return lstatSync(path).isSymbolicLink() ? { link: readlinkSync(path) } : 'none'
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? 'none' : 'unknown'
  }
}
