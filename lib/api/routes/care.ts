/** Endpoints that look after the whole: doctor, gc, prune, the trash, the version. */
import { z } from '@hono/zod-openapi'
import { toolVersions } from '../../backends/registry.ts'
import { NexusError } from '../../core/errors.ts'
import { parseDuration } from '../../core/time.ts'
import { examine } from '../../doctor/doctor.ts'
import { collectGarbage } from '../../doctor/gc.ts'
import { acceptGitConfig } from '../../doctor/git-config.ts'
import type { App } from '../../workspace/app.ts'
import { findRepo } from '../../workspace/look/find.ts'
import { pruneMerged } from '../../workspace/remove/prune.ts'
import { describeEntry, emptyTrash, listTrash } from '../../workspace/remove/trash.ts'
import { restoreTrash } from '../../workspace/remove/trash-restore.ts'
import { checkedRepo } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { DRY_RUN, keptDataSchema, REPO, recordSchema, text } from './schemas.ts'

const finding = z.object({
  check: z.string(),
  status: z.enum(['ok', 'warning', 'error']),
  message: z.string(),
  why: z.string().nullable(),
  hint: z.string().nullable(),
  fixable: z.boolean(),
})
const health = z.object({ healthy: z.boolean(), findings: z.array(finding), fixed: z.array(finding) }).openapi('Health')

const look = endpoint({
  method: 'get',
  path: '/doctor',
  operationId: 'getHealth',
  tag: 'care',
  summary: 'Check machine, engine and state; changes nothing',
  verbs: ['doctor'],
  answer: health,
  run: ({ app }) => examine(app, { fix: false }),
})

const fix = endpoint({
  method: 'post',
  path: '/doctor',
  operationId: 'fixHealth',
  tag: 'care',
  summary: 'Repair what can be repaired, and look again',
  verbs: ['doctor'],
  body: z
    .strictObject({
      fix: z.boolean().optional().openapi({ description: 'Default true' }),
      accept: z.boolean().optional().openapi({ description: 'Take changed git settings and hooks as they are' }),
    })
    .openapi('Fix'),
  answer: health,
  run: async ({ app, body }) => {
    if (body.accept === true) await acceptGitConfig(app)
    return examine(app, { fix: body.fix !== false })
  },
})

const item = z.object({ kind: z.string(), name: z.string(), cause: z.string(), bytes: z.int().nullable() })

const gc = endpoint({
  method: 'post',
  path: '/gc',
  operationId: 'collectGarbage',
  tag: 'care',
  summary: 'Remove what no workspace needs: parts of deleted ones, images, old logs',
  verbs: ['gc'],
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      all: z.boolean().optional().openapi({ description: 'Also caches and data of repositories without workspaces' }),
    })
    .openapi('Gc'),
  answer: z.object({ dryRun: z.boolean(), items: z.array(item), kept: z.array(item) }).openapi('Garbage'),
  run: async ({ app, query, body }) => {
    const dryRun = query.dryRun === true
    return { dryRun, ...(await collectGarbage(app, { all: body.all === true, dryRun })) }
  },
})

const pruned = z.object({
  id: z.string(),
  name: z.string(),
  branch: z.string(),
  reason: z.string(),
  lastUsed: z.string(),
})

const prune = endpoint({
  method: 'post',
  path: '/prune',
  operationId: 'pruneWorkspaces',
  tag: 'care',
  summary: 'Delete the workspaces whose branch is merged; those that hold changes stay',
  verbs: ['prune'],
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      merged: z.literal(true).openapi({ description: 'Needed, so that nothing else is ever meant' }),
      olderThan: text('Made and last committed to so long ago: 12h, 30d', 40).optional(),
      repo: REPO,
    })
    .openapi('Prune', { example: { merged: true, olderThan: '30d' } }),
  answer: z.object({ dryRun: z.boolean(), pruned: z.array(pruned), kept: z.array(pruned) }).openapi('Pruned'),
  run: async ({ app, query, body }) => {
    const dryRun = query.dryRun === true
    const repo = await rootOf(app, body.repo)
    const verdicts = await pruneMerged(app, { repo, olderThanMs: durationOf(body.olderThan), dryRun })
    const told = (wanted: boolean) =>
      verdicts
        .filter((one) => one.prune === wanted)
        .map(({ record: { id, name, branch }, reason, lastUsed }) => ({ id, name, branch, reason, lastUsed }))
    return { dryRun, pruned: told(true), kept: told(false) }
  },
})

async function rootOf(app: App, given: string | undefined): Promise<string | undefined> {
  return given === undefined ? undefined : (await findRepo(app, await checkedRepo(app, given))).root
}

function durationOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const ms = /^(\d{1,5}[dhms])+$/.test(given) ? parseDuration(given) : undefined
  if (ms !== undefined) return ms
  throw new NexusError('INVALID_ARGUMENT', `olderThan ${JSON.stringify(given)} is not a time.`, {
    hint: 'To mean a month, give `30d`, as in `nexus prune --merged --older-than 30d`',
  })
}

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

const list = endpoint({
  method: 'get',
  path: '/trash',
  operationId: 'listTrash',
  tag: 'trash',
  summary: 'Show what deletes kept in the trash, and until when',
  verbs: ['trash list'],
  answer: z.object({ trash: z.array(entry) }).openapi('Trash'),
  run: async ({ app }) => ({
    trash: await Promise.all((await listTrash(app)).map((one) => describeEntry(app, one))),
  }),
})

const restore = endpoint({
  method: 'post',
  path: '/trash/{key}/restore',
  operationId: 'restoreTrash',
  tag: 'trash',
  summary: 'Bring a deleted workspace back, stopped: its worktree with uncommitted files and all, on its branch',
  verbs: ['trash restore'],
  params: z.strictObject({
    key: z.string().min(1).max(300).openapi({ description: 'Name or id of the workspace, or key of the entry' }),
  }),
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      as: text('Under another name', 200).optional(),
      repo: text('Where its repository is now').optional(),
    })
    .openapi('Restore'),
  answer: z
    .object({
      dryRun: z.literal(true).optional(),
      restored: recordSchema.extend({ key: z.string(), branch: z.string().nullable() }),
    })
    .openapi('Restored'),
  run: async ({ app, params, query, body }) => {
    const dryRun = query.dryRun === true
    const repo = body.repo === undefined ? undefined : await findRepo(app, await checkedRepo(app, body.repo))
    const result = await restoreTrash(app, { given: params.key, as: body.as, repo, dryRun })
    const { id, name, worktree, repo: root } = result.record
    const restored = { key: result.entry.key, id, name, repo: root, branch: result.branch, worktree }
    return { ...(dryRun ? { dryRun } : {}), restored }
  },
})

const empty = endpoint({
  method: 'delete',
  path: '/trash',
  operationId: 'emptyTrash',
  tag: 'trash',
  summary: 'Remove what is in the trash for good',
  verbs: ['trash empty'],
  query: z.strictObject({
    olderThan: text('Only what was deleted longer ago, such as 7d or 12h', 40).optional(),
    ...DRY_RUN,
  }),
  answer: z
    .object({ dryRun: z.literal(true).optional(), removed: z.array(entry), kept: z.array(z.string()) })
    .openapi('Emptied'),
  run: async ({ app, query }) => {
    const dryRun = query.dryRun === true
    const { removed, kept } = await emptyTrash(app, { olderThanMs: durationOf(query.olderThan) ?? 0, dryRun })
    const entries = await Promise.all(removed.map((one) => describeEntry(app, one)))
    return { ...(dryRun ? { dryRun } : {}), removed: entries, kept: kept.map(({ key }) => key) }
  },
})

const version = endpoint({
  method: 'get',
  path: '/version',
  operationId: 'getVersion',
  tag: 'about',
  summary: 'Show the version of Nexus and of what it works with',
  verbs: ['version'],
  answer: z
    .object({ version: z.string(), node: z.string(), docker: z.string().nullable(), compose: z.string().nullable() })
    .openapi('Version'),
  run: async ({ app, api }) => {
    const { docker = null, compose = null } = await toolVersions(app)
    return { version: api.version, node: process.versions.node, docker, compose }
  },
})

export const CARE: readonly Endpoint[] = [look, fix, gc, prune, version]
export const TRASH: readonly Endpoint[] = [list, restore, empty]
