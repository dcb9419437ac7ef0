/** Shapes of what `status`, `top` and `logs` tell, as `core/status.ts` has them; documented, and held to by tests. */
import { z } from '@hono/zod-openapi'
import { portSchema, workspaceSchema } from './shapes.ts'

const count = z.int().nullable()

export const serviceSchema = z
  .object({
    name: z.string(),
    container: z.string(),
    state: z.string().openapi({ description: 'created, running, paused, restarting, removing, exited or dead' }),
    health: z.enum(['healthy', 'unhealthy', 'starting']).nullable(),
    since: z.string().nullable(),
    exitCode: z.int().nullable(),
    restarts: z.int(),
    outOfMemory: z.boolean(),
    ports: z.array(portSchema),
  })
  .openapi('Service')

const gitSchema = z.object({
  upstream: z.string().nullable(),
  against: z.object({ name: z.string(), kind: z.enum(['upstream', 'main-worktree']) }).nullable(),
  ahead: count,
  behind: count,
  modified: count,
  untracked: count,
  conflicts: count,
  notBroughtBack: count,
  stashes: count,
  unfinished: z.array(z.string()),
  toldInside: z
    .array(z.string())
    .openapi({ description: "Fields that only the workspace's own git dir tells, which is written inside" }),
})

export const statusSchema = workspaceSchema
  .extend({
    services: z.array(serviceSchema).nullable().openapi({ description: 'Null where they cannot be told' }),
    git: gitSchema.nullable().openapi({ description: 'Null for a workspace without local files' }),
    lastActivity: z.string().nullable(),
    stopped: z
      .object({ at: z.string(), by: z.enum(['user', 'idle']) })
      .nullable()
      .openapi({
        description: 'When and for whom it was stopped; null while it is not, and where that was never noted',
      }),
    connected: z.boolean().nullable().openapi({ description: 'Somebody has an SSH connection open' }),
    operation: z.object({ kind: z.string(), step: z.string(), startedAt: z.string(), running: z.boolean() }).nullable(),
  })
  .openapi('WorkspaceStatus')

const amount = z.number().nullable()

export const loadSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    repo: z.string(),
    cpu: amount.openapi({ description: 'Percent of one processor' }),
    memory: amount,
    processes: amount,
    received: amount,
    sent: amount,
    since: z.string().nullable(),
    services: z.array(
      z.object({
        name: z.string(),
        container: z.string(),
        cpu: amount,
        memory: amount,
        memoryLimit: amount,
        processes: amount,
        received: amount,
        sent: amount,
        since: z.string().nullable(),
      }),
    ),
  })
  .openapi('Load')

export const processSchema = z.object({
  service: z.string(),
  pid: z.int(),
  user: z.string(),
  cpu: z.number(),
  memory: z.number(),
  elapsed: z.string(),
  command: z.string(),
})

export const logEntrySchema = z
  .object({ service: z.string(), stream: z.enum(['stdout', 'stderr']), time: z.string(), text: z.string() })
  .openapi('LogEntry')

/** Of what workspaces have done. */
export const commitSchema = z.object({ id: z.string(), subject: z.string(), author: z.string(), date: z.string() })
export const fileSchema = z.object({
  path: z.string(),
  from: z.string().optional(),
  insertions: z.int().nullable().openapi({ description: 'Null for a binary file, and one that is not compared' }),
  deletions: z.int().nullable(),
  tooLarge: z
    .int()
    .optional()
    .openapi({ description: 'How large the file is now, in bytes; only where it is too large to be compared' }),
})
export const INCOMPLETE = z
  .string()
  .nullable()
  .openapi({ description: 'Why commits from inside are not all here; null when they are' })
export const reviewSchema = z
  .object({
    workspace: z.string(),
    branch: z.string(),
    base: z.string(),
    commit: z
      .string()
      .nullable()
      .openapi({ description: 'The tip of what is shown as committed, found on this machine' }),
    commits: z.array(commitSchema),
    files: z.array(fileSchema),
    uncommitted: z
      .array(fileSchema)
      .openapi({ description: 'Of the files, what is not committed and takes no part in a merge' }),
    untracked: z.array(z.string()),
    insertions: z.int(),
    deletions: z.int(),
    dirty: z.boolean(),
    incomplete: INCOMPLETE,
  })
  .openapi('Review')
