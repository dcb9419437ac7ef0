/** Endpoints that run a command in several workspaces, or in one that is there for nothing else. */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../../core/errors.ts'
import { execAll } from '../../workspace/inside/exec-all.ts'
import { runOnce } from '../../workspace/inside/run.ts'
import { requireWorkspace } from '../../workspace/look/find.ts'
import { checkedRepo, chooseRepository } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { collecting } from './collect.ts'
import { argv, DEFAULT_TIMEOUT_S, said, timeoutSeconds } from './inside.ts'
import { NO_HOOKS, REPO, text, variables } from './schemas.ts'
import { refuseCurrent } from './workspaces.ts'

const DEFAULT_JOBS = 8
const JOBS_MAX = 64

const execEverywhere = endpoint({
  method: 'post',
  path: '/exec',
  operationId: 'execInWorkspaces',
  tag: 'inside',
  summary: 'Run a command in several workspaces, side by side: in those named, else in all of the repository',
  verbs: ['exec'],
  body: z
    .strictObject({
      command: argv,
      workspaces: z.array(text('Name or id', 300)).min(1).max(1_000).optional(),
      everywhere: z.boolean().optional().openapi({ description: 'In all workspaces of all repositories' }),
      repo: REPO,
      cwd: z.string().regex(/^\//).max(4_096).optional().openapi({ description: 'Absolute folder inside' }),
      env: variables('Variables for it'),
      jobs: z
        .int()
        .min(1)
        .max(JOBS_MAX)
        .optional()
        .openapi({ description: `At a time; default ${DEFAULT_JOBS}` }),
    })
    .openapi('ExecAll', { example: { command: ['git', 'status', '--short'] } }),
  answer: z
    .object({
      results: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          repo: z.string(),
          state: z.string(),
          exitCode: z.int().nullable().openapi({ description: 'Null where it did not run; see `why`' }),
          why: z.string().nullable(),
          ms: z.number(),
          stdout: z.string(),
          stderr: z.string(),
          truncated: z.boolean(),
        }),
      ),
    })
    .openapi('ExecAllResult'),
  run: async ({ api, app, cancelled, body }) => {
    const { command, workspaces, everywhere = false, cwd = null, env = {}, jobs = DEFAULT_JOBS } = body
    for (const name of workspaces ?? []) refuseCurrent(name)
    const repo = body.repo === undefined ? undefined : await checkedRepo(app, body.repo)
    const chosen = async () => {
      const all = await app.records.list()
      if (workspaces !== undefined) return Promise.all(workspaces.map((name) => requireWorkspace(app, name, repo)))
      if (everywhere) return all
      const { root } = await chooseRepository(api, app, body.repo)
      return all.filter((record) => record.repo === root)
    }
    const records = [...new Map((await chosen()).map((record) => [record.id, record])).values()]
    const { ran, interrupted } = await execAll(app, { records, argv: command, cwd, env, jobs, cancelled })
    if (interrupted !== undefined) throw interrupted
    const results = ran.map(({ record: { id, name, repo }, cut, ...one }) => ({
      id,
      name,
      repo,
      ...one,
      truncated: cut,
    }))
    return { results }
  },
})

const runOnceIn = endpoint({
  method: 'post',
  path: '/run',
  operationId: 'runOnce',
  tag: 'inside',
  summary: 'Run a command in a throw-away workspace, as CI does; everything is removed afterwards',
  verbs: ['run'],
  body: z
    .strictObject({
      command: argv,
      repo: REPO,
      name: text('Name of the workspace; default: run- and eight letters', 200).optional(),
      from: text('Of this commit or branch instead of HEAD', 1_000).optional(),
      env: variables('Variables for it'),
      artifacts: z.array(text('A path in the worktree')).max(100).optional(),
      folder: z
        .string()
        .regex(/^\//)
        .max(4_096)
        .optional()
        .openapi({ description: 'Absolute folder that artifacts are copied to' }),
      keepOnFailure: z.boolean().optional(),
      imageCache: text('Folder or registry that keeps images and built layers between machines').optional(),
      noHooks: NO_HOOKS,
      approve: z.array(text('A hash', 200)).max(100).optional(),
      timeoutSeconds,
    })
    .openapi('Run', { example: { command: ['make', 'test'], from: 'main' } }),
  settings: ({ approve, noHooks }) => ({
    flags: approve === undefined ? {} : { 'trust.approve': approve.join(',') },
    names: { 'trust.approve': 'approve' },
    noHooks: noHooks === true,
  }),
  answer: z.object({ ...said, kept: z.object({ id: z.string(), name: z.string() }).nullable() }).openapi('RunResult'),
  run: async ({ api, app, cancelled, body }) => {
    const { command, repo, name, from, env = {}, artifacts = [], folder, keepOnFailure = false, imageCache } = body
    if (artifacts.length > 0 && folder === undefined) {
      throw new NexusError(
        'INVALID_ARGUMENT',
        'The field folder is needed: it says where the artifacts are copied to.',
        {
          hint: 'To have them in the current folder, use `nexus run --artifact <path> -- <command>`',
        },
      )
    }
    const timeoutMs = (body.timeoutSeconds ?? DEFAULT_TIMEOUT_S) * 1_000
    const settings = { flags: app.flags ?? {}, names: app.flagNames ?? {}, noHooks: app.noHooks === true }
    const collected = collecting({ api, app, interruption: app.interruption, settings, timeoutMs, cancelled })
    const { exitCode, kept } = await runOnce(collected.app, {
      ...{ argv: command, name, from, artifacts, keepOnFailure, imageCache, self: api.program },
      repo: await chooseRepository(api, app, repo),
      env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      folder: folder ?? '/',
    })
    return { exitCode, ...collected.said(), kept: kept && { id: kept.id, name: kept.name } }
  },
})

export const RUN: readonly Endpoint[] = [execEverywhere, runOnceIn]
