/** Endpoints that go inside a workspace: commands, logs, services, throw-away runs. */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../core/errors.ts'
import { createInterruption } from '../core/interruption.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { exec, logs, streamLogs } from '../workspace/inside.ts'
import { runOnce } from '../workspace/run.ts'
import { Streamed } from './answers.ts'
import { collecting } from './collect.ts'
import { chooseRepository } from './context.ts'
import { type Endpoint, endpoint } from './endpoint.ts'
import { logsStream } from './logs-stream.ts'
import { workspaceOf } from './routes-workspaces.ts'
import { flag, idParams, NO_HOOKS, portSchema, REPO, scopedQuery, text, variables } from './schemas.ts'

const DEFAULT_TIMEOUT_S = 600
const TIMEOUT_MAX_S = 24 * 60 * 60
const LOGS_TIMEOUT_MS = 60_000
const DEFAULT_TAIL = 1_000

const argv = z
  .array(z.string().max(100_000))
  .min(1)
  .max(1_000)
  .openapi({ description: 'The command and its arguments; no shell reads them' })

const timeoutSeconds = z
  .int()
  .min(1)
  .max(TIMEOUT_MAX_S)
  .optional()
  .openapi({ description: `It is ended after so long; default ${DEFAULT_TIMEOUT_S}` })

const said = {
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
    follow: flag('Go on with what is logged from now on'),
  }),
  media: ['application/json', 'text/plain'],
  answer: z.object({ logs: z.string(), truncated: z.boolean() }).openapi('Logs'),
  run: async (asked) => {
    const { api, app, cancelled, query } = asked
    const record = await workspaceOf(asked)
    const request = {
      follow: query.follow === true,
      tail: Number(query.tail ?? DEFAULT_TAIL),
      service: query.service ?? null,
      terminal: false,
    }
    const follow = async () =>
      new Streamed('text/plain; charset=utf-8', logsStream(await streamLogs(app, record, request)))
    const isKnown = request.service === null || servicesOf(record).some(({ name }) => name === request.service)
    if (request.follow && isKnown) return follow()
    const collected = collecting({
      api,
      app,
      interruption: createInterruption(),
      timeoutMs: LOGS_TIMEOUT_MS,
      cancelled,
    })
    // a name that only the engine knows is tried first: of a stream that is empty nobody would learn why
    const code = await logs(collected.app, record, request.follow ? { ...request, follow: false, tail: 0 } : request)
    const { stdout, stderr, truncated } = collected.said()
    if (code === 0 && request.follow) return follow()
    if (code === 0) return { logs: stdout, truncated }
    if (/no such service/i.test(stderr) && query.service !== undefined) throw unknownService(record, query.service)
    throw new NexusError('CONTAINER_ERROR', `The logs of ${record.name} cannot be read.`, {
      hint: `To see what it is, run \`nexus status ${record.name}\``,
      output: stderr,
    })
  },
})

function unknownService(record: WorkspaceRecord, service: string): NexusError {
  const known = servicesOf(record).map(({ name }) => name)
  return new NexusError('INVALID_ARGUMENT', `${record.name} has no service ${JSON.stringify(service)}.`, {
    hint: `To see those that it has, run \`nexus api /workspaces/${record.id}/services\``,
    details: { services: known },
  })
}

const services = endpoint({
  method: 'get',
  path: '/workspaces/{id}/services',
  operationId: 'listServices',
  tag: 'inside',
  summary: 'List the services of a workspace that are known by their ports or from the catalogue',
  params: idParams,
  query: scopedQuery,
  answer: z
    .object({
      services: z.array(
        z.object({
          name: z.string(),
          main: z.boolean().openapi({ description: 'It has the SSH door' }),
          image: z.string().nullable(),
          ports: z.array(portSchema),
        }),
      ),
    })
    .openapi('Services'),
  run: async (asked) => ({ services: servicesOf(await workspaceOf(asked)) }),
})

function servicesOf({ stack, ready, image, ports }: WorkspaceRecord) {
  const main = stack?.main ?? 'workspace'
  const names = new Set([main, ...ports.flatMap(({ service }) => service ?? []), ...(ready?.wanted ?? [])])
  return [...names].map((name) => ({
    name,
    main: name === main,
    image: name === main ? image : (ready?.images[name] ?? null),
    ports: ports
      .filter(({ service }) => (service ?? main) === name)
      .map(({ canonical: _, offset: __, ...port }) => port),
  }))
}

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
      repo: await chooseRepository(app, repo),
      env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      folder: folder ?? '/',
    })
    return { exitCode, ...collected.said(), kept: kept && { id: kept.id, name: kept.name } }
  },
})

export const INSIDE: readonly Endpoint[] = [run, showLogs, services, runOnceIn]
