/** Endpoints about the doors of workspaces: keys, and what the user's ssh client knows of them. */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../../core/errors.ts'
import { aliasFile } from '../../door/alias-file.ts'
import { includeLine } from '../../door/include-line.ts'
import { listKeys, rotateHostKey, rotateOwnKey, withDoors } from '../../workspace/door/keys.ts'
import { installInclude, uninstallInclude } from '../../workspace/door/ssh-config.ts'
import { listClientFiles } from '../../workspace/door/ssh-doors.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { changeQuery, DRY_RUN, idParams, scopedQuery } from './schemas.ts'
import { workspaceOf } from './workspaces.ts'

const key = z.object({ type: z.string(), bits: z.int().nullable(), fingerprint: z.string(), comment: z.string() })

const keys = z
  .object({
    id: z.string(),
    name: z.string(),
    repo: z.string(),
    hostKey: key.extend({ rotating: z.boolean() }).nullable(),
    keys: z.array(
      key.extend({ from: z.enum(['nexus', 'file', 'sources', 'agent', 'unknown']), source: z.string().nullable() }),
    ),
  })
  .openapi('Keys')

const listAll = endpoint({
  method: 'get',
  path: '/keys',
  operationId: 'listAllKeys',
  tag: 'inside',
  summary: 'Show which keys open workspaces, and their host keys',
  verbs: ['keys list'],
  answer: z.object({ workspaces: z.array(keys) }).openapi('AllKeys'),
  run: async ({ app }) => ({ workspaces: await listKeys(app, await withDoors(app)) }),
})

const listOne = endpoint({
  method: 'get',
  path: '/workspaces/{id}/keys',
  operationId: 'listKeys',
  tag: 'inside',
  summary: 'Show which keys open a workspace, and its host key',
  verbs: ['keys list'],
  params: idParams,
  query: scopedQuery,
  answer: keys,
  run: async (asked) => {
    const [found] = await listKeys(asked.app, [await workspaceOf(asked)])
    if (found === undefined) throw new Error('one workspace has one list of keys')
    return found
  },
})

const dryRunMark = z.literal(true).optional()
const change = { before: z.string().nullable(), after: z.string().nullable() }

const rotateOne = endpoint({
  method: 'post',
  path: '/workspaces/{id}/keys/rotate',
  operationId: 'rotateHostKey',
  tag: 'inside',
  summary: 'Give a workspace a new host key; open connections go on',
  verbs: ['keys rotate'],
  params: idParams,
  query: changeQuery,
  answer: z
    .object({
      dryRun: dryRunMark,
      rotated: z.object({ id: z.string(), name: z.string(), ...change, running: z.boolean() }),
    })
    .openapi('RotatedHostKey'),
  run: async (asked) => {
    const dryRun = asked.query.dryRun === true
    const rotated = await rotateHostKey(asked.app, await workspaceOf(asked), dryRun)
    return { ...(dryRun ? { dryRun } : {}), rotated }
  },
})

const rotateOwn = endpoint({
  method: 'post',
  path: '/keys/rotate',
  operationId: 'rotateOwnKey',
  tag: 'inside',
  summary: 'Give Nexus a new key of its own, in all workspaces; open connections go on',
  verbs: ['keys rotate'],
  query: z.strictObject(DRY_RUN),
  answer: z
    .object({
      dryRun: dryRunMark,
      rotated: z.object({
        ...change,
        workspaces: z.array(z.object({ id: z.string(), name: z.string(), state: z.string() })),
      }),
    })
    .openapi('RotatedOwnKey'),
  run: async ({ app, query }) => {
    const dryRun = query.dryRun === true
    return { ...(dryRun ? { dryRun } : {}), rotated: await rotateOwnKey(app, dryRun) }
  },
})

const printConfig = endpoint({
  method: 'get',
  path: '/ssh-config',
  operationId: 'getSshConfig',
  tag: 'inside',
  summary: "Show the line for the user's ssh configuration, and the files that it brings in",
  verbs: ['ssh-config print'],
  answer: z
    .object({
      line: z.string(),
      config: z.object({ path: z.string(), text: z.string() }),
      workspaces: z.array(
        z.object({ path: z.string(), text: z.string(), aliases: z.array(z.string()), port: z.int().nullable() }),
      ),
    })
    .openapi('SshConfig'),
  run: async ({ app }) => ({
    line: includeLine(app.home.sshConfig),
    config: { path: app.home.sshConfig, text: aliasFile(app.home) },
    workspaces: await listClientFiles(app),
  }),
})

function changeConfig(verb: 'install' | 'uninstall', summary: string): Endpoint {
  return endpoint({
    method: 'post',
    path: `/ssh-config/${verb}`,
    operationId: `${verb}SshConfig`,
    tag: 'inside',
    summary,
    verbs: [`ssh-config ${verb}`],
    quick: true,
    query: z.strictObject(DRY_RUN),
    body: z
      .strictObject({
        yes: z
          .boolean()
          .optional()
          .openapi({ description: 'Needed, as the file is the user’s own; not for a dry run' }),
        file: z
          .string()
          .regex(/^\//)
          .max(4_096)
          .optional()
          .openapi({ description: 'Absolute; default: what ssh reads' }),
      })
      .openapi(verb === 'install' ? 'InstallSshConfig' : 'UninstallSshConfig'),
    answer: z.object({
      dryRun: dryRunMark,
      ...{ file: z.string(), line: z.string(), changed: z.boolean(), notes: z.array(z.string()) },
    }),
    run: async ({ app, query, body }) => {
      const dryRun = query.dryRun === true
      const run = verb === 'install' ? installInclude : uninstallInclude
      const consent = async () => {
        if (body.yes !== true && !dryRun) throw consentNeeded(verb)
      }
      const { file, line, changed, notes } = await run(app, { file: body.file, dryRun, consent })
      return { ...(dryRun ? { dryRun } : {}), file, line, changed, notes }
    },
  })
}

function consentNeeded(verb: string): NexusError {
  return new NexusError(
    'APPROVAL_REQUIRED',
    'The ssh configuration of the user is changed only with `yes` in the body.',
    {
      hint: `To see the change, run \`nexus ssh-config ${verb} --dry-run\``,
    },
  )
}

export const DOORS: readonly Endpoint[] = [
  listAll,
  listOne,
  rotateOne,
  rotateOwn,
  printConfig,
  changeConfig('install', 'Put one Include line into the ssh configuration, so that every tool knows <name>.nexus'),
  changeConfig('uninstall', 'Take that line out of the ssh configuration again'),
]
