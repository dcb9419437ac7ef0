/** trash list, trash restore, trash empty. */
import { types } from '../../lib/config/types.ts'
import { NexusError } from '../../lib/core/errors.ts'
import { formatSize, sumSizes } from '../../lib/core/sizes.ts'
import { formatAge, parseDuration } from '../../lib/core/time.ts'
import { formatFields, formatTable } from '../../lib/report/tables.ts'
import { findRepo, noteNamed } from '../../lib/workspace/look/find.ts'
import { describeEntry, emptyTrash, listTrash } from '../../lib/workspace/remove/trash.ts'
import { restoreTrash } from '../../lib/workspace/remove/trash-restore.ts'
import type { Call, Run } from './command.ts'

export const list: Run = async ({ app }) => {
  const entries = await Promise.all((await listTrash(app)).map((entry) => describeEntry(app, entry)))
  const rows = entries.map(({ name, key, deletedAt, until, changes, data, repo }) => {
    const left = until === null ? 'for good' : until
    const size = data.length === 0 ? '' : formatSize(sumSizes(data.map(({ bytes }) => bytes)))
    return [name, key, `${formatAge(deletedAt)} ago`, left, String(changes), size, repo]
  })
  const text = formatTable(['NAME', 'KEY', 'DELETED', 'KEPT UNTIL', 'CHANGES', 'DATA', 'REPOSITORY'], rows)
  return { data: { trash: entries }, text: rows.length === 0 ? 'the trash is empty' : text }
}

export const restore: Run = async (call) => {
  const given = call.value('repo')
  const { entry, record, branch } = await restoreTrash(call.app, {
    given: call.args[0] ?? '',
    as: call.value('as'),
    repo: given === undefined ? undefined : await findRepo(call.app, given),
    dryRun: call.flag('dry-run'),
  })
  await noteNamed(call.app, record, '')
  const dryRun = call.flag('dry-run')
  const { id, name, repo, worktree } = record
  const text = [
    dryRun ? `${name} would be restored` : `${name} is restored, stopped; \`nexus up ${name}\` starts it`,
    formatFields([
      ['branch', branch ?? '(detached)'],
      ['worktree', worktree ?? ''],
    ]),
  ].join('\n')
  return {
    data: { ...(dryRun ? { dryRun } : {}), restored: { key: entry.key, id, name, repo, branch, worktree } },
    text,
  }
}

export const empty: Run = async (call) => {
  const dryRun = call.flag('dry-run')
  const { removed, kept } = await emptyTrash(call.app, { olderThanMs: olderThan(call), dryRun })
  const entries = await Promise.all(removed.map((entry) => describeEntry(call.app, entry)))
  const lines = entries.map(({ key, name }) => `${key} (${name}) ${dryRun ? 'would be' : 'is'} removed`)
  return {
    data: { ...(dryRun ? { dryRun } : {}), removed: entries, kept: kept.map(({ key }) => key) },
    text:
      [...lines, ...kept.map(({ key, record }) => `${key} (${record.name}) stays`)].join('\n') || 'nothing to remove',
    exitCode: kept.length === 0 ? 0 : 1,
  }
}

function olderThan(call: Call): number {
  const text = call.value('older-than')
  if (text === undefined) return 0
  const ms = 'value' in types.duration.check(text) ? parseDuration(text) : undefined
  if (ms !== undefined) return ms
  throw new NexusError('INVALID_ARGUMENT', `--older-than ${JSON.stringify(text)} is not a duration.`, {
    hint: 'To remove what was deleted more than a week ago, run `nexus trash empty --older-than 7d`',
  })
}
