/** Endpoints that make workspaces, change their state and remove them; one use case each. */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../../core/errors.ts'
import { isWorkspaceId, nameOfBranch } from '../../core/names.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../../workspace/app.ts'
import { pause, restart, resume, stop } from '../../workspace/change/down.ts'
import { rebuild } from '../../workspace/change/rebuild.ts'
import { splitRepository } from '../../workspace/create/meant.ts'
import { alreadyExists } from '../../workspace/create/naming.ts'
import { bringUp, start, type UpResult } from '../../workspace/create/up.ts'
import { CURRENT } from '../../workspace/look/current.ts'
import { findWorkspace, requireWorkspace } from '../../workspace/look/find.ts'
import { resourceOf } from '../../workspace/look/list.ts'
import { isUnfinished } from '../../workspace/operation/repaired.ts'
import { deleteWorkspace } from '../../workspace/remove/delete.ts'
import { describeKept } from '../../workspace/remove/trash.ts'
import { checkedRepo, chooseRepository } from '../context.ts'
import { type Asked, type Endpoint, endpoint } from '../endpoint.ts'
import { CREATE_BODY, settingsOf } from './create-body.ts'
import { planAnswer } from './plans.ts'
import {
  changeQuery,
  DRY_RUN,
  flag,
  idParams,
  keptDataSchema,
  NO_HOOKS,
  planSchema,
  REPO,
  workspaceSchema,
} from './schemas.ts'

/** The workspace that a request names by its path, in the repository that it may name besides. */
export async function workspaceOf({
  app,
  params,
  query,
  concerns,
}: Asked<{ id: string }, { repo?: string | undefined }, unknown>): Promise<WorkspaceRecord> {
  const record = await namedWorkspace(app, params.id, query.repo)
  concerns(record.id)
  return record
}

/** @throws {NexusError} WORKSPACE_NOT_FOUND, NAME_AMBIGUOUS, REPOSITORY_NOT_FOUND, INVALID_ARGUMENT */
export async function namedWorkspace(app: App, id: string, repo: string | undefined): Promise<WorkspaceRecord> {
  refuseCurrent(id)
  return requireWorkspace(app, id, repo === undefined ? undefined : await checkedRepo(app, repo))
}

/** The word means the folder that the user stands in, which a server does not know. */
export function refuseCurrent(id: string): void {
  if (id !== CURRENT) return
  throw new NexusError('INVALID_ARGUMENT', 'A server does not know which workspace is the current one.', {
    hint: 'To ask by a folder, run `nexus api "/current?folder=$PWD"`',
  })
}

const changed = z.union([workspaceSchema, planSchema])

async function answerUp(app: App, result: UpResult, dryRun: boolean) {
  return dryRun ? planAnswer(result.plan, result.record) : resourceOf(app, result.record)
}

const create = endpoint({
  method: 'post',
  path: '/workspaces',
  operationId: 'createWorkspace',
  tag: 'workspaces',
  summary: 'Create a workspace and start it',
  description: [
    'With `existing: start` it is what `nexus up` does: a workspace that is there is started.',
    'Without `repo` the only known repository is meant.',
  ].join(' '),
  verbs: ['create', 'up'],
  status: 201,
  idempotent: true,
  location: (answer) => `/workspaces/${(answer as { id: string }).id}`,
  query: z.strictObject(DRY_RUN),
  body: CREATE_BODY,
  settings: settingsOf,
  answer: changed,
  run: async ({ api, app, query, body, concerns }) => {
    const dryRun = query.dryRun === true
    const { repo: meant, given } = await splitRepository(app, body.name, body.repo)
    if (given === undefined && body.pr === undefined) {
      throw new NexusError('INVALID_ARGUMENT', 'The field name is needed: it names the new workspace.', {
        hint: 'To create one, run `nexus api /workspaces -X POST --data \'{"name":"feature-auth"}\'`',
      })
    }
    if (given !== undefined && !isWorkspaceId(given)) nameOfBranch(given)
    const repo = await chooseRepository(api, app, meant)
    const existing = await findWorkspace(app, given ?? `pr-${body.pr}`, repo)
    if (existing !== undefined && body.existing !== 'start' && !isUnfinished(existing)) throw alreadyExists(existing)
    if (existing !== undefined) concerns(existing.id)
    const { from, branch, pr, env = {}, ports = [] } = body
    const result = await bringUp(app, {
      ...{ given, repo, existing, from, branch, pr, dryRun, start: body.start !== false, onId: concerns },
      env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      ports: ports.map(String),
    })
    return answerUp(app, result, dryRun)
  },
})

const startIt = change(
  'start',
  'Start a stopped or broken workspace; one that runs stays as it is',
  (app, record, dryRun) => start(app, record, { start: true, dryRun }),
)

function withoutHooks(body: { noHooks?: boolean | undefined }) {
  return { flags: {}, names: {}, noHooks: body.noHooks === true }
}

type Change = (app: App, record: WorkspaceRecord, dryRun: boolean) => Promise<UpResult>

function change(verb: string, summary: string, run: Change): Endpoint {
  return endpoint({
    method: 'post',
    path: `/workspaces/{id}/${verb}`,
    operationId: `${verb}Workspace`,
    tag: 'workspaces',
    summary,
    verbs: [verb],
    params: idParams,
    query: changeQuery,
    body: z.strictObject({ noHooks: NO_HOOKS }),
    settings: withoutHooks,
    answer: changed,
    run: async (asked) => {
      const dryRun = asked.query.dryRun === true
      return answerUp(asked.app, await run(asked.app, await workspaceOf(asked), dryRun), dryRun)
    },
  })
}

const deletion = z
  .object({
    deleted: z.object({ id: z.string(), name: z.string() }),
    keptBranch: z.object({ name: z.string(), uniqueCommits: z.int() }).nullable(),
    trash: z
      .object({
        key: z.string(),
        files: z.string().nullable(),
        until: z.string().nullable(),
        data: z.array(keptDataSchema),
      })
      .nullable(),
  })
  .openapi('Deletion')

const remove = endpoint({
  method: 'delete',
  path: '/workspaces/{id}',
  operationId: 'deleteWorkspace',
  tag: 'workspaces',
  summary: 'Delete a workspace; refused while something would be lost',
  verbs: ['delete'],
  params: idParams,
  query: z.strictObject({
    repo: REPO,
    ...DRY_RUN,
    force: flag('Also what is not committed; it stays in the trash for a while'),
    locked: flag('Also a worktree that `git worktree lock` keeps'),
    trash: flag('False keeps nothing: ignored files and data of services too are lost at once'),
    deleteBranch: flag('Delete its branch too; with force even one with commits found nowhere else'),
    noHooks: flag('Run no hooks this time'),
  }),
  answer: z.union([deletion, planSchema]),
  run: async (asked) => {
    const { app, query } = asked
    const record = await workspaceOf(asked)
    const result = await deleteWorkspace(query.noHooks === true ? { ...app, noHooks: true } : app, record, {
      force: query.force === true,
      locked: query.locked === true,
      deleteBranch: query.deleteBranch === true,
      trash: query.trash !== false,
      dryRun: query.dryRun === true,
    })
    if (query.dryRun === true) return planAnswer(result.plan, record)
    const { keptBranch, trash } = result
    const kept = trash && (await describeKept(app, trash))
    return { deleted: { id: record.id, name: record.name }, keptBranch, trash: kept }
  },
})

export const WORKSPACES: readonly Endpoint[] = [
  create,
  startIt,
  change('stop', 'Stop a workspace and keep everything of it', stop),
  change('restart', 'Stop a workspace and start it again', restart),
  change('rebuild', 'Make a workspace anew from what its files say now; worktree, volumes and ports stay', rebuild),
  change('pause', 'Freeze a running workspace in memory', pause),
  change('resume', 'Let a paused workspace run on', resume),
  remove,
]
