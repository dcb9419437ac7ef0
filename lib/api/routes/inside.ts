/** Endpoints that go inside a workspace: commands, logs, services. */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../../core/errors.ts'
import { createInterruption } from '../../core/interruption.ts'
import type { LogEntry } from '../../core/status.ts'
import { copy } from '../../workspace/inside/copy.ts'
import { exec } from '../../workspace/inside/inside.ts'
import { readHookLogs, readLogs } from '../../workspace/look/logs.ts'
import { Streamed } from '../answers.ts'
import { checkedRepo } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { collecting } from './collect.ts'
import { logsStream } from './logs-stream.ts'
import { DRY_RUN, flag, idParams, REPO, scopedQuery, text, variables } from './schemas.ts'
import { logEntrySchema, serviceSchema } from './status-schemas.ts'
import { workspaceOf } from './workspaces.ts'

export const DEFAULT_TIMEOUT_S = 600
const TIMEOUT_MAX_S = 24 * 60 * 60
/** Characters of one answer. */
const LOGS_MAX = 4 * 1024 * 1024
const DEFAULT_TAIL = 1_000

export const argv = z
  .array(z.string().max(100_000))
  .min(1)
  .max(1_000)
  .openapi({ description: 'The command and its arguments; no shell reads them' })

export const timeoutSeconds = z
  .int()
  .min(1)
  .max(TIMEOUT_MAX_S)
  .optional()
  .openapi({ description: `It is ended after so long; default ${DEFAULT_TIMEOUT_S}` })

export const said = {
  exitCode: z.int(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z
    .boolean()
    .openapi({ description: 'More was said than is kept: a megabyte of each, from beginning and end' }),
}

const run = endpoint({
  method: 'post',
  path: '/workspaces/{id}/exec',
  operationId: 'execInWorkspace',
  tag: 'inside',
  summary: 'Run a command in a workspace and answer what it said and its exit code',
  verbs: ['exec'],
  params: idParams,
  query: scopedQuery,
  body: z
    .strictObject({
      command: argv,
      cwd: z
        .string()
        .regex(/^\//)
        .max(4_096)
        .optional()
        .openapi({ description: 'Absolute folder inside; default: the worktree' }),
      env: variables('Variables for it'),
      stdin: z.string().optional(),
      timeoutSeconds,
    })
    .openapi('Exec', { example: { command: ['git', 'status', '--short'] } }),
  answer: z
    .object(said)
    .openapi('ExecResult', { example: { exitCode: 0, stdout: ' M README.md\n', stderr: '', truncated: false } }),
  run: async (asked) => {
    const { api, app, cancelled, body } = asked
    const record = await workspaceOf(asked)
    const timeoutMs = (body.timeoutSeconds ?? DEFAULT_TIMEOUT_S) * 1_000
    // its own interruption, as the one that ends the command inside has to get there still
    const collected = collecting({
      api,
      app,
      interruption: createInterruption(),
      timeoutMs,
      cancelled,
      input: body.stdin,
    })
    const request = { argv: body.command, cwd: body.cwd ?? null, env: body.env ?? {}, tty: false }
    return { exitCode: await exec(collected.app, record, request), ...collected.said() }
  },
})

const showLogs = endpoint({
  method: 'get',
  path: '/workspaces/{id}/logs',
  operationId: 'getLogs',
  tag: 'inside',
  summary: 'Show the last lines that a workspace logged, or follow them',
  description: 'With `follow=true` the answer is text that goes on until the client goes, or nothing more can come.',
  verbs: ['logs'],
  params: idParams,
  query: z.strictObject({
    repo: REPO,
    service: text('Only this service', 200).optional(),
    tail: z
      .string()
      .regex(/^\d{1,6}$/)
      .optional()
      .openapi({
        type: 'integer',
        minimum: 0,
        maximum: 999_999,
        description: `Lines from the end; default ${DEFAULT_TAIL}`,
      }),
    since: text('Only what was said since: `10m`, or a time', 40).optional(),
    hooks: flag('What hooks have said instead'),
    follow: flag('Go on with what is logged from now on'),
  }),
  media: ['application/json', 'application/x-ndjson'],
  answer: z
    .object({
      logs: z.array(logEntrySchema),
      truncated: z.boolean().openapi({ description: 'Older lines are left out' }),
    })
    .openapi('Logs'),
  run: async (asked) => {
    const { app, query } = asked
    const record = await workspaceOf(asked)
    const tail = query.tail ?? String(DEFAULT_TAIL)
    if (query.hooks === true) return { logs: await readHookLogs(app, record, tail), truncated: false }
    const services = query.service === undefined ? [] : [query.service]
    if (query.follow === true) {
      const entries = await readLogs(app, record, { services, follow: true, tail, since: query.since })
      return new Streamed('application/x-ndjson', logsStream(entries))
    }
    return collectLogs(await readLogs(app, record, { services, follow: false, tail, since: query.since }))
  },
})

async function collectLogs(entries: AsyncIterable<LogEntry>) {
  const logs: LogEntry[] = []
  let size = 0
  let truncated = false
  for await (const entry of entries) {
    logs.push(entry)
    size += entry.text.length
    while (size > LOGS_MAX && logs.length > 1) {
      size -= logs.shift()?.text.length ?? 0
      truncated = true
    }
  }
  return { logs, truncated }
}

const services = endpoint({
  method: 'get',
  path: '/workspaces/{id}/services',
  operationId: 'listServices',
  tag: 'inside',
  summary: 'List the services of a workspace as the engine sees them',
  params: idParams,
  query: scopedQuery,
  answer: z.object({ services: z.array(serviceSchema) }).openapi('Services'),
  run: async (asked) => {
    const record = await workspaceOf(asked)
    return { services: (await (await asked.app.backend(record.backend)).services?.list(record)) ?? [] }
  },
})

const copied = z.object({ workspace: z.string().nullable(), path: z.string() })

const copyFiles = endpoint({
  method: 'post',
  path: '/copy',
  operationId: 'copyFiles',
  tag: 'inside',
  summary: 'Copy files and folders into a workspace, out of it, or from one to another',
  verbs: ['cp'],
  query: z.strictObject(DRY_RUN),
  body: z
    .strictObject({
      places: z
        .array(text('An absolute path of this machine, or `<name>:<path>` in a workspace'))
        .min(2)
        .max(1_000)
        .openapi({ description: 'Sources, then the target' }),
      repo: REPO,
    })
    .openapi('Copy', { example: { places: ['/home/u/notes.md', 'feature-auth:/tmp/notes.md'] } }),
  answer: z
    .object({
      dryRun: z.literal(true).optional(),
      copied: z.array(z.object({ from: copied, to: copied })),
      files: z.int(),
      folders: z.int(),
      links: z.int(),
      bytes: z.int(),
      skipped: z.array(z.string()),
    })
    .openapi('Copied'),
  run: async ({ app, query, body }) => {
    for (const place of body.places) requireAbsolute(place)
    const repo = body.repo === undefined ? undefined : await checkedRepo(app, body.repo)
    const dryRun = query.dryRun === true
    const { plan, ...done } = await copy(app, { places: body.places, repo, dryRun })
    const pairs = plan.steps.map(({ from, names }) => ({
      from: { workspace: from.record?.name ?? null, path: from.path },
      to: {
        workspace: plan.target.record?.name ?? null,
        path: [plan.base.replace(/\/$/, ''), ...names].join('/') || '/',
      },
    }))
    return { ...(dryRun ? { dryRun } : {}), copied: pairs, ...done }
  },
})

/** A path of this machine, where it is one, does not begin where the server happens to stand. */
function requireAbsolute(place: string): void {
  if (place.startsWith('/') || /^[^/]+:/.test(place)) return
  throw new NexusError(
    'INVALID_ARGUMENT',
    `The place ${JSON.stringify(place)} is neither an absolute path nor <name>:<path>.`,
    {
      hint: 'To name a file of the current folder, use `nexus cp <file> <name>:<path>`',
    },
  )
}

export const INSIDE: readonly Endpoint[] = [run, showLogs, services, copyFiles]
