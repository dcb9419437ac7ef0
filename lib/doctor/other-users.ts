/**
 * Checks of what other users of this machine can do: enter the folders of worktrees, or run set-user-ID and
 * set-group-ID files in them.
 */

import { type Dirent, existsSync, lstatSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { worktreeOf } from '../core/record-parts.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { clearSetId, closeFolder, openTo } from '../system/modes.ts'
import { closedFolders } from '../workspace/worktree-place.ts'
import type { Scan } from './scan.ts'

/** For all worktrees together; a worktree that is not reached by then is reported. */
const LOOK_MS = 5_000
const SET_ID_BITS = 0o6000
const SHOWN_MAX = 3
/** Characters; the kernel takes 4096 bytes of UTF-8. */
const PATH_MAX = 1_000

export async function checkWorktreeFolders({ records, settings }: Scan): Promise<readonly Diagnosis[]> {
  const repos = [...new Set(records.filter(({ local }) => local !== null).map(({ repo }) => repo))]
  const folders = repos.flatMap((repo) => closedFolders({ worktreeDir: settings?.worktreeDir }, repo))
  const found = [...new Set(folders)].flatMap(judgeFolder)
  return found.length > 0 ? found : [well('nobody else can enter the folders of worktrees')]
}

function judgeFolder(path: string): readonly Diagnosis[] {
  const mode = openTo(path)
  if (mode === undefined) return []
  return [
    warning({
      message: `${path} can be entered by others (mode ${mode.toString(8)}).`,
      why: 'What is made inside a workspace keeps its mode on this machine, so that others could read or run it.',
      hint: `To close it, run \`chmod 700 ${shellWord(path)}\``,
      fix: () => closeFolder(path),
    }),
  ]
}

export async function checkSetIdFiles({ records }: Scan): Promise<readonly Diagnosis[]> {
  const until = Date.now() + LOOK_MS
  const looked = await Promise.all(
    records.map(async (record) => {
      const { name } = record
      const worktree = worktreeOf(record)
      if (worktree === null || !existsSync(worktree)) return []
      const { files, whole } = await findSetIdFiles(worktree, until)
      if (files.length > 0) return [judgeSetId(record, worktree, files)]
      return whole ? [] : [well(`not every file of ${name} was looked at; \`${findCommand(worktree)}\` looks at all`)]
    }),
  )
  return looked.flat().length > 0 ? looked.flat() : [well('no file in a worktree runs as its owner for others')]
}

function findCommand(worktree: string): string {
  return `find ${shellWord(worktree)} -xdev -type f -perm /6000`
}

/** Root's files stay for the user to do, as nothing here runs as root. */
function judgeSetId({ id, name }: WorkspaceRecord, worktree: string, files: readonly string[]): Diagnosis {
  const more = files.length > SHOWN_MAX ? ` and ${files.length - SHOWN_MAX} more` : ''
  const shown = files.slice(0, SHOWN_MAX).map((path) => JSON.stringify(path))
  return failure({
    message: `Workspace ${name} has files with the set-user-ID or set-group-ID bit: ${shown.join(', ')}${more}.`,
    why: 'Who can reach such a file runs it with the rights of its owner, which is you or root.',
    hint: `To take the bits away, run \`nexus stop ${id}\`, then \`sudo ${findCommand(worktree)} -exec chmod ug-s {} +\``,
    fix: async () => {
      for (const path of files) await clearSetId(worktree, path)
    },
  })
}

/** Files below a folder that have one of the bits. No link is followed, and no other file system entered. */
async function findSetIdFiles(top: string, until: number) {
  const files: string[] = []
  const folders = [top]
  let whole = true
  const { dev } = lstatSync(top)
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (Date.now() > until) return { files, whole: false }
    for (const entry of await entriesOf(folder)) {
      if (!entry.isDirectory() && !entry.isFile()) continue
      const path = join(folder, entry.name)
      // deeper than a path can name, which a program inside may have made
      if (path.length > PATH_MAX) whole = false
      const stat = path.length > PATH_MAX ? undefined : lstatSync(path, { throwIfNoEntry: false })
      if (stat?.isDirectory() === true && stat.dev === dev) folders.push(path)
      if (stat?.isFile() === true && (stat.mode & SET_ID_BITS) !== 0) files.push(path)
    }
  }
  return { files, whole }
}

/** Nothing for a folder that is gone by now, or that is another user's and closed. */
async function entriesOf(path: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true })
  } catch {
    return [] // there is nothing that this user could be told of
  }
}
