/** trash list, trash restore, trash empty. */

import type { Endpoints } from '../api/kit.ts'
import { worktreeOf } from '../core/record-parts.ts'
import { formatSize, sumSizes } from '../core/sizes.ts'
import { formatAge } from '../core/time.ts'
import { formatFields, formatTable } from '../report/tables.ts'
import { option, parsed, word } from '../verb-form/fields.ts'
import { DRY_RUN, REPO, readAge } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { planned } from '../verb-form/words.ts'

const list = verb({
  name: 'trash list',
  group: 'care',
  effect: 'looks',
  summary: 'show what deletes kept in the trash, and until when',
  fields: {},
  example: 'nexus trash list',
  run: async ({ app }) => {
    const { describeEntry, listTrash } = await import('../workspace/trash/trash.ts')
    const trash = await Promise.all((await listTrash(app)).map((entry) => describeEntry(app, entry)))
    const text = () => {
      const rows = trash.map(({ name, key, deletedAt, until, changes, data, repo }) => {
        const left = until === null ? 'for good' : until
        const size = data.length === 0 ? '' : formatSize(sumSizes(data.map(({ bytes }) => bytes)))
        return [name, key, `${formatAge(deletedAt)} ago`, left, String(changes), size, repo]
      })
      const titles = ['NAME', 'KEY', 'DELETED', 'KEPT UNTIL', 'CHANGES', 'DATA', 'REPOSITORY']
      return rows.length === 0 ? 'the trash is empty' : formatTable(titles, rows)
    }
    return { data: { trash }, text }
  },
})

const restore = verb({
  name: 'trash restore',
  group: 'care',
  effect: 'changes',
  summary: 'bring a deleted workspace back, stopped: its worktree with uncommitted files and all, on its branch',
  fields: {
    key: word('name or id of the workspace, or key of the entry', { as: 'id', completes: 'trash' }),
    as: option('name', 'under another name', { max: 200 }),
    repo: { ...REPO, http: 'Where its repository is now' },
    dryRun: DRY_RUN,
  },
  example: 'nexus trash restore feature-auth --dry-run',
  run: async (call, { key, as, repo: given, dryRun }) => {
    const { restoreTrash } = await import('../workspace/trash/trash-restore.ts')
    const { noteNamed } = await import('../workspace/names/find.ts')
    const there = await call.namedRepository(given)
    const { entry, record, branch } = await restoreTrash(call.app, { given: key, as, repo: there, dryRun })
    await noteNamed(call.app, record, '')
    const { id, name, repo } = record
    const worktree = worktreeOf(record)
    const fields = [['branch', branch ?? '(detached)'] as const, ['worktree', worktree ?? ''] as const]
    const said = dryRun ? `${name} would be restored` : `${name} is restored, stopped; \`nexus up ${name}\` starts it`
    return {
      data: { ...planned(dryRun), restored: { key: entry.key, id, name, repo, branch, worktree } },
      text: `${said}\n${formatFields(fields)}`,
    }
  },
})

const empty = verb({
  name: 'trash empty',
  group: 'care',
  effect: 'changes',
  summary: 'remove what is in the trash for good',
  fields: {
    olderThan: parsed(
      'duration',
      'only what was deleted longer ago, such as 7d or 12h',
      readAge('To remove what was deleted more than a week ago, run `nexus trash empty --older-than 7d`'),
      { max: 40 },
    ),
    dryRun: DRY_RUN,
  },
  example: 'nexus trash empty --older-than 7d',
  run: async ({ app }, { olderThan = 0, dryRun }) => {
    const { describeEntry, emptyTrash } = await import('../workspace/trash/trash.ts')
    const { removed, kept } = await emptyTrash(app, { olderThanMs: olderThan, dryRun })
    const entries = await Promise.all(removed.map((entry) => describeEntry(app, entry)))
    const lines = [
      ...entries.map(({ key, name }) => `${key} (${name}) ${dryRun ? 'would be' : 'is'} removed`),
      ...kept.map(({ key, record }) => `${key} (${record.name}) stays`),
    ]
    return {
      data: { ...planned(dryRun), removed: entries, kept: kept.map(({ key }) => key) },
      text: lines.join('\n') || 'nothing to remove',
      exitCode: kept.length === 0 ? 0 : 1,
    }
  },
})

export const verbs = [list, restore, empty]

export const endpoints: Endpoints = ({ z, via, keptDataSchema, recordSchema, sample }) => {
  const entry = z
    .object({
      key: z.string(),
      id: z.string(),
      name: z.string(),
      repo: z.string(),
      branch: z.string().nullable(),
      head: z.string().nullable(),
      deletedAt: z.string(),
      until: z.string().nullable(),
      files: z.string().nullable(),
      changes: z.int(),
      data: z.array(keptDataSchema),
    })
    .openapi('TrashEntry')
  const dryRun = z.literal(true).optional()
  return [
    via(list, {
      http: 'GET /trash',
      operationId: 'listTrash',
      tag: 'trash',
      answer: z.object({ trash: z.array(entry) }).openapi('Trash'),
      example: { trash: [sample.ENTRY] },
    }),
    via(restore, {
      http: 'POST /trash/{key}/restore',
      operationId: 'restoreTrash',
      tag: 'trash',
      params: z.strictObject({
        key: z.string().min(1).max(300).openapi({ description: 'Name or id of the workspace, or key of the entry' }),
      }),
      query: ['dryRun'],
      body: ['as', 'repo'],
      bodyName: 'Restore',
      answer: z
        .object({ dryRun, restored: recordSchema.extend({ key: z.string(), branch: z.string().nullable() }) })
        .openapi('Restored'),
      example: { restored: { key: sample.ENTRY.key, ...sample.ID, ...sample.PLACE } },
    }),
    via(empty, {
      http: 'DELETE /trash',
      operationId: 'emptyTrash',
      tag: 'trash',
      query: ['olderThan', 'dryRun'],
      answer: z.object({ dryRun, removed: z.array(entry), kept: z.array(z.string()) }).openapi('Emptied'),
      example: { removed: [sample.ENTRY], kept: [] },
    }),
  ]
}
