/** The body of a create: what the options of `nexus create` give, and which of them stand for configuration keys. Pure. */
import { z } from '@hono/zod-openapi'
import { GIVEN_MAX_LENGTH } from '../../core/names.ts'
import type { Settings } from '../context.ts'
import { NO_HOOKS, REPO, text, variables } from './schemas.ts'

const port = z.int().min(1).max(65535)

/** What guards a workspace is given when its record is made. */
export const GUARD_FIELDS = {
  isolation: z.enum(['standard', 'agent']).optional(),
  gitMode: z.enum(['shared', 'private']).optional(),
  network: z.enum(['open', 'allowlist', 'none']).optional(),
  allow: z.array(text('A host', 300)).max(200).optional().openapi({
    description: 'Hosts that can be reached with the network allowlist: names, git-hosts, model-apis, registries',
  }),
}

export const CREATE_BODY = z
  .strictObject({
    name: text('Name of the new workspace, or the branch to work on', GIVEN_MAX_LENGTH).optional(),
    repo: REPO,
    existing: z
      .enum(['refuse', 'start'])
      .optional()
      .openapi({ description: 'What to do with one that is there: default refuse' }),
    backend: text('Where it runs: docker or mock', 40).optional(),
    from: text('Start the new branch there instead of at HEAD', 1_000).optional(),
    branch: text('Work on this existing branch', 1_000).optional(),
    pr: z
      .int()
      .min(1)
      .max(9_999_999_999)
      .optional()
      .openapi({ description: 'Start from a pull or merge request of origin' }),
    env: variables('Variables inside'),
    ports: z
      .array(
        z.union([port, z.string().regex(/^[a-z0-9-]{1,40}=\d{1,5}$/)], 'expected a port such as 3000, or "web=3000"'),
      )
      .max(20)
      .optional()
      .openapi({ description: 'Container ports to publish: `3000`, or `"web=3000"` with a name' }),
    cpus: z.number().positive().max(10_000).optional().openapi({ description: 'At most this many processors' }),
    memory: text('At most this much memory, such as 2g', 40).optional(),
    pids: z.int().min(1).max(10_000_000).optional().openapi({ description: 'At most this many processes' }),
    ...GUARD_FIELDS,
    start: z.boolean().optional().openapi({ description: 'False makes everything but starts nothing' }),
    approve: z.array(text('A hash', 200)).max(100).optional().openapi({
      description: 'Hashes of `GET /trust`: what the project may ask for',
    }),
    noHooks: NO_HOOKS,
  })
  .openapi('CreateWorkspace', {
    anyOf: [{ required: ['name'] }, { required: ['pr'] }],
    example: { name: 'feature-auth', backend: 'docker', ports: [3000, 5173] },
  })

type CreateBody = z.output<typeof CREATE_BODY>

/** Field -> configuration key, as the command line's options have them. */
const KEYS = {
  backend: 'defaults.backend',
  cpus: 'workspace.cpus',
  memory: 'workspace.memory',
  pids: 'workspace.pids',
  isolation: 'isolation',
  gitMode: 'git.mode',
  network: 'network.mode',
  allow: 'network.allow',
  approve: 'trust.approve',
} as const satisfies Partial<Record<keyof CreateBody, string>>

/** Of a create, and of an adoption, which takes some of its fields. */
export function settingsOf(body: Partial<CreateBody>): Settings {
  const given = (Object.keys(KEYS) as (keyof typeof KEYS)[]).flatMap((field) => {
    const value = body[field]
    return value === undefined
      ? []
      : [{ key: KEYS[field], field, value: Array.isArray(value) ? value.join(',') : String(value) }]
  })
  return {
    flags: Object.fromEntries(given.map(({ key, value }) => [key, value])),
    names: Object.fromEntries(given.map(({ key, field }) => [key, field])),
    noHooks: body.noHooks === true,
  }
}
