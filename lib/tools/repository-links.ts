/**
 * Finds parts of a git dir that a symbolic link puts elsewhere. Inside a workspace only the git dir is mounted, at its
 * own path, and git writes the real path into each worktree: with such a link no git command works inside. The target
 * of a link is not mounted, as a program inside can write links.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import type { Repository } from './repository.ts'

/** Without any one of these git does not work, or works on other branches. */
const PARTS = ['objects', 'objects/pack', 'objects/info', 'refs', 'refs/heads', 'packed-refs', 'HEAD', 'config']

/** @throws {NexusError} UNSUPPORTED, with the command that mends it */
export function requireOwnParts({ root, gitDir }: Pick<Repository, 'root' | 'gitDir'>): void {
  const dotGit = join(root, '.git')
  if (isLink(dotGit)) throw linked(dotGit, whole(root, realpathSync(dotGit)))
  const real = realpathSync(gitDir)
  const part = PARTS.map((name) => join(gitDir, name)).find(
    (path) => isLink(path) && !realOf(path).startsWith(`${real}/`),
  )
  if (part === undefined) return
  if (statSync(part, { throwIfNoEntry: false })?.isFile())
    throw linked(
      part,
      `To have the file itself there, run \`cp --remove-destination ${shellWord(realOf(part))} ${shellWord(part)}\``,
    )
  const command = `git clone --no-local ${shellWord(root)} ${shellWord(`${root}-2`)}`
  throw linked(part, `To work in a clone that has all of it, run \`${command}\``)
}

/** The git dir itself, if called `.git` (git takes that for the folder around it), else a file in place of the link. */
function whole(root: string, gitDir: string): string {
  const file = `echo ${shellWord(`gitdir: ${gitDir}`)} > .git && git config core.worktree "$PWD"`
  const mend = basename(gitDir) === '.git' ? `mv ${shellWord(gitDir)} .git` : file
  return `To have git know where both are, run \`cd ${shellWord(root)} && rm .git && ${mend}\``
}

function linked(path: string, hint: string): NexusError {
  const text = `${path} is a symbolic link to ${realOf(path)}, so that git inside a workspace would not find what it leads to.`
  return new NexusError('UNSUPPORTED', text, { hint, details: { path } })
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return 'nothing' // it leads nowhere
  }
}
