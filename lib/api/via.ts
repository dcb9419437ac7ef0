/**
 * Endpoints made of the rows of verbs: what comes in is checked by schemas that are made of the row's fields, the verb runs
 * with a call that has no terminal, and its data is the answer.
 */
import { z } from '@hono/zod-openapi'
import { NexusError } from '../core/errors.ts'
import { capitalized } from '../core/words.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import type { Repository } from '../tools/repository.ts'
import { defaultOf, type Field, type Fields, type Values } from '../verb-form/fields.ts'
import { type Call, usageError, type Verb } from '../verb-form/verb.ts'
import type { App } from '../workspace/app.ts'
import { CURRENT } from '../workspace/names/current.ts'
import { findRepo, requireWorkspace } from '../workspace/names/find.ts'
import { checkedRepo, chooseRepository, type RequestSettings } from './context.ts'
import { type About, type Asked, type Endpoint, endpoint, type Method } from './endpoint.ts'
import { WORKSPACE } from './samples.ts'
import { idParams, planSchema, queryFlag, text, variables, workspaceSchema } from './shapes.ts'

// biome-ignore lint/suspicious/noExplicitAny: what comes in has been through the schemas, which are made of data
type Given = Readonly<Record<string, any>>

interface Via<F extends Fields> extends Omit<About, 'method' | 'path' | 'summary'> {
  /** Such as `POST /workspaces/{id}/stop`. */
  readonly http: string
  /** Where it is not that of the verb. */
  readonly summary?: string
  readonly params?: z.ZodObject
  /** Names of the fields that come so. */
  readonly query?: readonly (keyof F & string)[]
  readonly body?: readonly (keyof F & string)[]
  /** Name of the body in the document, and what is said of it. */
  readonly bodyName?: string
  readonly bodyAbout?: object
  /** Fields that HTTP takes in another shape than the row says. */
  readonly own?: Readonly<Record<string, z.ZodType>>
  /** What the verb gets for fields that do not come by their name. */
  readonly input?: (given: Given) => Partial<Values<F>>
  /** Refuses what only a request can say. */
  readonly refuse?: (input: Values<F>) => void
  /** The answer where it is not the data as it is. */
  // biome-ignore lint/suspicious/noExplicitAny: as the verb made it; a test holds the answer to its schema
  readonly answerOf?: (data: any) => unknown
}

/** An endpoint that does what a verb does. */
export function via<F extends Fields>(verb: Verb<F>, spec: Via<F>): Endpoint {
  const { http, summary, query, body, bodyName, bodyAbout, own = {}, input, refuse, answerOf, ...about } = spec
  const shapeOf = (names: readonly string[], inQuery: boolean) =>
    z.strictObject(Object.fromEntries(names.map((name) => [name, own[name] ?? schemaOf(fieldOf(verb, name), inQuery)])))
  const fields = body && shapeOf(body, false)
  const [method = '', path = ''] = http.split(' ')
  const params = spec.params ?? (path.includes('{id}') ? idParams : undefined)
  return endpoint({
    verbs: [verb.name],
    ...about,
    method: method.toLowerCase() as Method,
    path,
    summary: summary ?? capitalized(verb.summary),
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { query: shapeOf(query, true) }),
    ...(fields === undefined ? {} : { body: bodyName === undefined ? fields : fields.openapi(bodyName, bodyAbout) }),
    settings: settingsOf(verb),
    run: async (asked) => {
      const { id, ...others } = asked.params as Given
      const given: Given = { id, name: id, ...others, ...asked.query, ...(asked.body as object) }
      if (given.repo !== undefined) await checkedRepo(asked.app, given.repo)
      const wanted = { ...inputOf(verb, given), ...input?.(given) } as Values<F>
      refuse?.(wanted)
      const { data } = await verb.run(callOf(asked, verb), wanted)
      return answerOf === undefined ? data : answerOf(data)
    },
  })
}

/** One that changes the state of a workspace and answers what became of it. */
export function changing<F extends Fields>(verb: Verb<F>, summary?: string, example: unknown = WORKSPACE): Endpoint {
  return via(verb, {
    http: `POST /workspaces/{id}/${verb.name}`,
    operationId: `${verb.name}Workspace`,
    tag: 'workspaces',
    ...(summary === undefined ? {} : { summary }),
    query: ['repo', 'dryRun'],
    body: ['noHooks'],
    answer: z.union([workspaceSchema, planSchema]),
    example,
  })
}

function fieldOf({ fields }: Verb, name: string): Field {
  const field = fields[name]
  if (field === undefined) throw new Error(`there is no field ${name}`)
  return field
}

function schemaOf({ kind, text: meaning, http = capitalized(meaning), ...field }: Field, inQuery: boolean): z.ZodType {
  const said = (schema: z.ZodType) => (http === '' ? schema : schema.openapi({ description: http }))
  const { min = 0, max, choices, entry, pattern } = field
  switch (kind) {
    case 'flag':
      return inQuery ? queryFlag(http) : said(z.boolean().optional())
    case 'integer':
      return said(
        z
          .int()
          .min(min)
          .max(max ?? Number.MAX_SAFE_INTEGER)
          .optional(),
      )
    case 'number':
      return said(
        z
          .number()
          .positive()
          .max(max ?? Number.MAX_VALUE)
          .optional(),
      )
    case 'choice':
      return field.side === 'http' ? said(z.enum(choices ?? ['']).optional()) : z.enum(choices ?? ['']).optional()
    case 'list':
      return said(
        z
          .array(text(...(entry ?? ['', 1])))
          .max(max ?? 1)
          .optional(),
      )
    case 'variables':
      return variables(http)
    default:
      if (pattern !== undefined)
        return said(
          z
            .string()
            .regex(pattern)
            .max(max ?? 4_096)
            .optional(),
        )
      return text(http, max).optional()
  }
}

function inputOf({ fields }: Verb, given: Given): Given {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, readValue(name, field, given[name])]))
}

function readValue(name: string, field: Field, value: unknown): unknown {
  if (value === undefined) return defaultOf(field)
  if (field.kind === 'variables') return Object.entries(value as object).map(([key, text]) => `${key}=${text}`)
  return typeof value === 'string' && field.parse !== undefined ? field.parse(value, name) : value
}

/** Fields that stand for configuration keys, for the layer of flags. */
export function settingsOf({ fields }: Verb): (given: Given) => RequestSettings {
  return (given) => {
    const set = Object.entries(fields).flatMap(([name, { config }]) => {
      const value: unknown = given[name]
      if (config === undefined || value === undefined) return []
      return [{ config, name, value: Array.isArray(value) ? value.join(',') : String(value) }]
    })
    return {
      flags: Object.fromEntries(set.map(({ config, value }) => [config, value])),
      names: Object.fromEntries(set.map(({ config, name }) => [config, name])),
      noHooks: given.noHooks === true,
    }
  }
}

function callOf({ app, api, concerns }: Asked<unknown, unknown, unknown>, verb: Verb): Call {
  const namedRepository = async (given: string | undefined): Promise<Repository | undefined> =>
    given === undefined ? undefined : findRepo(app, given)
  return {
    app,
    http: true,
    rest: [],
    json: true,
    version: api.version,
    cwd: '/',
    program: api.program,
    verbs: [],
    workspace: async (given, repo) => {
      const record = await namedWorkspace(app, given, repo)
      concerns(record.id)
      return record
    },
    repository: (given) => chooseRepository(api, app, given),
    namedRepository,
    scope: async (given) => (await namedRepository(given))?.root,
    concerns,
    usage: (message) => usageError(verb, message),
    print: async () => false,
    ask: async (questions) => questions.map(() => false),
    stdinIsTerminal: false,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    stdoutSize: () => ({ columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY }),
    cli: undefined,
  }
}

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
