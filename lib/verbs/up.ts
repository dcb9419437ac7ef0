/** up and create: a workspace from a name, a branch or a pull request. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { GIVEN_MAX_LENGTH, isWorkspaceId, nameOfBranch } from '../core/names.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { findHere } from '../tools/repository.ts'
import { optionalWord, optionName, type Values } from '../verb-form/fields.ts'
import { CREATE_FIELDS, MAYBE_NAME } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'
import { answerUp } from '../verb-form/words.ts'

const NEW_NAME = optionalWord('name of the new workspace, or the branch to work on', { max: GIVEN_MAX_LENGTH })

const CREATE = { name: NEW_NAME, ...CREATE_FIELDS }
type Input = Values<typeof CREATE>

const up = verb({
  name: 'up',
  group: 'everyday',
  effect: 'changes',
  summary: 'create a workspace when it is missing, then start it',
  fields: { name: MAYBE_NAME, ...CREATE_FIELDS },
  example: 'nexus up feature-auth',
  run: (call, input) => bring(call, 'up', { ...input, existing: 'start' }),
})

const create = verb({
  name: 'create',
  group: 'everyday',
  effect: 'changes',
  summary: 'create a workspace and start it',
  fields: CREATE,
  example: 'nexus create feature-auth --from main --port web=3000',
  run: (call, input) => bring(call, 'create', input),
})

async function bring(call: Call, verbName: string, input: Input): Promise<Answer> {
  const { app } = call
  const { bringUp } = await import('../workspace/lifecycle/up.ts')
  const { CURRENT, requireCurrent } = await import('../workspace/names/current.ts')
  const { findWorkspace, noteNamed } = await import('../workspace/names/find.ts')
  const { splitRepository } = await import('../workspace/lifecycle/branch-or-name.ts')
  const { from, branch, pr, env, ports, start, dryRun } = input
  const { repo: meant, given: typed } = await splitRepository(app, input.name, input.repo)
  const isCurrent = !call.http && input.existing === 'start' && typed === CURRENT
  const given = isCurrent ? (await requireCurrent(app)).id : typed
  if (given === undefined && pr === undefined) throw nameNeeded(call, verbName)
  if (given !== undefined && !isWorkspaceId(given)) nameOfBranch(given)
  const record = given !== undefined && isWorkspaceId(given) ? await app.records.load(given) : undefined
  const here = findHere(app.cwd)
  const repo = await call.repository(meant ?? (here === undefined ? record?.repo : undefined))
  const existing = await findWorkspace(app, given ?? `pr-${pr}`, repo)
  if (existing !== undefined) await requireWanted(existing, input.existing)
  if (existing !== undefined) {
    call.concerns(existing.id)
    await noteNamed(app, existing, input.name ?? '')
    tellIgnored(call, input, existing.name)
  } else if (repo.root !== here?.root) {
    const name = nameOfBranch(given ?? `pr-${pr}`)
    const word = meant === input.repo ? `${name} --repo ${shellWord(repo.root)}` : shellWord(input.name ?? name)
    app.named?.push({ name, repo: repo.root, word })
  }
  const request = { given, repo, existing, from, branch, pr, env, ports, start, dryRun, onId: call.concerns }
  return answerUp(call, await bringUp(app, request), dryRun)
}

function nameNeeded({ http }: Call, verbName: string): NexusError {
  return http
    ? new NexusError('INVALID_ARGUMENT', 'The field name is needed: it names the new workspace.', {
        hint: 'To create one, run `nexus api /workspaces -X POST --data \'{"name":"feature-auth"}\'`',
      })
    : new NexusError('INVALID_ARGUMENT', `\`nexus ${verbName}\` needs the name of a workspace.`, {
        hint: `To create one, run \`nexus ${verbName} feature-auth\``,
      })
}

/** One that is there is started where that is asked for; one whose making was cut off is made to its end. */
async function requireWanted(existing: WorkspaceRecord, wish: string | undefined): Promise<void> {
  const { isUnfinished } = await import('../workspace/operation/repaired.ts')
  if (wish === 'start' || isUnfinished(existing)) return
  throw (await import('../workspace/lifecycle/naming.ts')).alreadyExists(existing)
}

/** What a workspace is made from is fixed when it is created. */
function tellIgnored({ app, http }: Call, input: Input, name: string): void {
  const { existing, start, noHooks, approve, repo, dryRun, ...fixed } = CREATE_FIELDS
  const isGiven = (value: unknown) => value !== undefined && (!Array.isArray(value) || value.length > 0)
  const given = Object.entries(fixed).filter(([field]) => isGiven(input[field as keyof Input]))
  if (http || given.length === 0) return
  const flags = given.map(([field, row]) => `--${optionName(field, row)}`).join(', ')
  app.emit({ type: 'notice', text: `${name} exists already: ${flags} counts only when a workspace is created` })
}

export const verbs = [up, create]

export const endpoints: Endpoints = ({ z, via, workspaceSchema, planSchema, sample }) => {
  const port = z.int().min(1).max(65535)
  const named = z.string().regex(/^[a-z0-9-]{1,40}=\d{1,5}$/)
  return [
    via(create, {
      http: 'POST /workspaces',
      operationId: 'createWorkspace',
      tag: 'workspaces',
      description: [
        'With `existing: start` it is what `nexus up` does: a workspace that is there is started.',
        'Without `repo` the only known repository is meant.',
      ].join(' '),
      verbs: ['create', 'up'],
      status: 201,
      idempotent: true,
      location: (answer) => `/workspaces/${(answer as { id: string }).id}`,
      query: ['dryRun'],
      body: [
        'name',
        'repo',
        'existing',
        'backend',
        'from',
        'branch',
        'pr',
        'env',
        'ports',
        'cpus',
        'memory',
        'pids',
        'isolation',
        'gitMode',
        'network',
        'allow',
        'start',
        'approve',
        'noHooks',
      ],
      own: {
        ports: z
          .array(z.union([port, named], 'expected a port such as 3000, or "web=3000"'))
          .max(20)
          .optional()
          .openapi({ description: 'Container ports to publish: `3000`, or `"web=3000"` with a name' }),
      },
      bodyName: 'CreateWorkspace',
      bodyAbout: {
        anyOf: [{ required: ['name'] }, { required: ['pr'] }],
        example: { name: 'feature-auth', backend: 'docker', ports: [3000, 5173] },
      },
      input: ({ ports = [] }) => ({ ports: ports.map(String) }),
      answer: z.union([workspaceSchema, planSchema]),
      example: sample.WORKSPACE,
    }),
  ]
}
