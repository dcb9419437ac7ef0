/** Shapes that several endpoints share: of what comes in, which is checked, and of what goes out, which is documented. */
import { z } from '@hono/zod-openapi'
import { ERROR_TABLE } from '../core/errors.ts'
import { AGENT_MODES } from '../core/ssh-agent-mode.ts'

const CODES = Object.keys(ERROR_TABLE) as [string, ...string[]]

/** Query parameters are text; any other word than these two is a mistake. */
export const queryFlag = (description: string) =>
  z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .openapi({ type: 'boolean', description })

export const text = (description: string, max = 4_096) => z.string().min(1).max(max).openapi({ description })

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,200}$/

const WITHOUT_NUL = /^[^\u0000]*$/

export const variables = (description: string) =>
  z
    .record(
      z.string().regex(VARIABLE),
      z.string().max(100_000).regex(WITHOUT_NUL, 'no variable can hold a NUL character'),
    )
    .optional()
    .openapi({ description, propertyNames: { pattern: VARIABLE.source } } as object)

export const repoSchema = text('The repository: an absolute path, or an alias of the configuration', 4_096).optional()
export const noHooksSchema = z
  .boolean()
  .optional()
  .openapi({ description: 'Run no hooks and install no dotfiles this time' })

export const idParams = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(300)
    .openapi({
      description: 'Id, name, or `<repo>/<name>` with the slash as `%2F`',
      example: 'feature-auth',
      param: { name: 'id', in: 'path' },
    }),
})

export const scopedQuery = z.strictObject({ repo: repoSchema })

export const portSchema = z
  .object({
    name: z.string(),
    container: z.int().openapi({ description: 'Port inside' }),
    host: z.int().nullable().openapi({ description: 'Port on this machine' }),
    protocol: z.enum(['tcp', 'udp']),
    url: z.string().optional(),
    service: z.string().optional().openapi({ description: "Absent for the workspace's own container" }),
  })
  .openapi('Port')

export const sshSchema = z
  .object({
    workspaceId: z.string(),
    enabled: z.boolean(),
    host: z.string().nullable(),
    port: z.int().nullable(),
    user: z.string(),
    forwardAgent: z.boolean(),
    agentMode: z
      .enum(AGENT_MODES)
      .openapi({ description: 'How far it reaches: not at all, for signing alone, or whole' }),
    connectionCommand: z.string().nullable(),
    verifiedCommand: z.string().nullable().openapi({ description: 'The same with the host key verified' }),
    alias: z.string().nullable(),
    hostKeyFingerprint: z.string().nullable(),
  })
  .openapi('SshInfo', {
    example: {
      workspaceId: 'ws-k3v9q2xa',
      enabled: true,
      host: 'localhost',
      port: 32801,
      user: 'nexus',
      forwardAgent: true,
      agentMode: 'proxy',
      connectionCommand: 'ssh -A nexus@localhost -p 32801',
      verifiedCommand: 'ssh -F ~/.nexus/ssh/config feature-auth.nexus',
      alias: 'feature-auth.nexus',
      hostKeyFingerprint: 'SHA256:4dCJb1ZnW2c7cJ8bN5ZrYl1mS0m4oUu1H8m0bqk1vGk',
    },
  })

const bytes = z.int().nullable()

export const workspaceSchema = z
  .object({
    id: z.string().openapi({ example: 'ws-k3v9q2xa' }),
    name: z.string(),
    displayName: z.string(),
    repo: z.string().openapi({ description: 'Absolute path of the main worktree' }),
    branch: z.string(),
    worktree: z.string().nullable(),
    backend: z.string(),
    host: z.string(),
    state: z.enum(['creating', 'running', 'paused', 'stopped', 'error', 'deleting', 'unknown']),
    reason: z.string(),
    createdAt: z.string().openapi({ format: 'date-time' }),
    ports: z.array(portSchema),
    ssh: sshSchema,
    isolation: z.enum(['standard', 'agent']),
    gitMode: z.enum(['shared', 'private']),
    network: z.enum(['open', 'allowlist', 'none']),
    idleTimeout: z.string(),
    dirty: z.boolean().nullable().optional(),
    size: z.object({ worktree: bytes, state: bytes, layers: bytes, volumes: bytes, total: bytes }).optional(),
    drift: z.string().optional(),
    outdated: z.array(z.string()).optional(),
  })
  .openapi('Workspace')

/** What the trash keeps beside work: an ignored file or folder, or the volume of a service. */
export const keptDataSchema = z.object({ what: z.string(), bytes, volume: z.string().nullable() }).openapi('KeptData')

export const planSchema = z
  .object({
    dryRun: z.literal(true),
    name: z.string(),
    branch: z.string(),
    worktree: z.string().nullable(),
    plan: z.array(z.object({ step: z.string(), subject: z.string(), cause: z.string(), needs: z.array(z.string()) })),
  })
  .openapi('Plan', { description: 'What would be done, and why' })

export const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(CODES),
      message: z.string(),
      hint: z.string().nullable(),
      retryable: z.boolean(),
      details: z.record(z.string(), z.unknown()),
    }),
  })
  .openapi('Error', {
    example: {
      error: {
        code: 'WORKSPACE_NOT_FOUND',
        message: 'There is no workspace "feature-x".',
        hint: 'To see what there is, run `nexus list --all`',
        retryable: false,
        details: { given: 'feature-x' },
      },
    },
  })

export const operationSchema = z
  .object({
    id: z.string(),
    kind: z.string().openapi({ description: 'operationId of what was asked for' }),
    workspaceId: z.string().nullable(),
    status: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
    startedAt: z.string().openapi({ format: 'date-time' }),
    endedAt: z.string().nullable().openapi({ format: 'date-time' }),
    events: z.array(z.looseObject({ time: z.string(), type: z.string() })),
    result: z.unknown().openapi({ description: 'What the request would have answered; null where it did' }),
    error: errorSchema.shape.error.nullable(),
  })
  .openapi('Operation')

export const recordSchema = z
  .object({ id: z.string(), name: z.string(), repo: z.string(), branch: z.string(), worktree: z.string().nullable() })
  .openapi('WorkspaceSummary')

export const DEFAULT_TIMEOUT_S = 600
const TIMEOUT_MAX_S = 24 * 60 * 60

/** Of what runs a command. */
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
