/** current: which workspace the folder belongs to; and what to tell a shell whose folder went with it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { shellWord } from '../../lib/core/shell.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { isWithin } from '../../lib/stack/places.ts'
import { requireCurrent } from '../../lib/workspace/look/current.ts'
import { describeWorkspace } from '../../lib/workspace/look/list.ts'
import type { Call, Run } from './command.ts'

/** The name alone needs no engine; `--json` tells the state, too. */
export const current: Run = async (call) => {
  const record = await requireCurrent(call.app, resolve(call.cwd, call.args[0] ?? '.'))
  return { data: call.json ? await describeWorkspace(call.app, record) : null, text: record.name }
}

/** A last line for a shell in the worktree of a workspace that was removed: no program runs well in a folder that is gone. */
export function wayOut(call: Call, removed: readonly WorkspaceRecord[]): string {
  const own = removed.find(({ worktree }) => worktree !== null && isWithin(call.cwd, worktree))
  if (own === undefined || existsSync(call.cwd)) return ''
  return `\nthis shell stands in its folder, which is gone; to leave it: cd ${shellWord(own.repo)}`
}
