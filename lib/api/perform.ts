/**
 * One request on one endpoint: what came in is checked, the use case runs in an app of its own, and the answer, or an
 * operation to ask for it, goes out. A client that goes away in the middle ends nothing: the use case goes on to its end.
 */
import { isAbsolute } from 'node:path'
import type { Event } from '../core/events.ts'
import { createInterruption } from '../core/interruption.ts'
import { type BegunOperation, type HttpAnswer, JsonText, Streamed } from './answers.ts'
import { REPOSITORY_HEADER } from './client.ts'
import type { ApiContext } from './context.ts'
import { type Endpoint, isOperation } from './endpoint.ts'
import { check, queryOf, readBody } from './entrance/body.ts'
import { type Failure, failureOf, Refusal } from './failure.ts'
import type { Idempotency } from './idempotency.ts'
import type { OperationOutcome, Running } from './operations.ts'

export interface Performing {
  readonly api: ApiContext
  readonly idempotency: Idempotency
  readonly logOf: (error: unknown) => string
  /** For tests: what is answered is checked too. */
  readonly checkAnswers: boolean
}

export async function perform(
  host: Performing,
  endpoint: Endpoint,
  request: Request,
  params: Readonly<Record<string, string>>,
): Promise<HttpAnswer> {
  try {
    const asked = {
      params: check(endpoint.params, params, 'path'),
      query: check(endpoint.query, queryOf(request.url), 'query'),
      body: await bodyOf(endpoint, request),
      from: callerOf(request),
    }
    const header = (name: string) => request.headers.get(name) ?? undefined
    const parts = { ...asked, header }
    if (!isOperation(endpoint)) return await runNow(host, endpoint, parts, () => {})
    const later = /(^|,)\s*respond-async\s*(,|;|$)/i.test(request.headers.get('prefer') ?? '')
    const key = endpoint.idempotent ? request.headers.get('idempotency-key') : null
    // whoever sends it again may want to hear of the operation where the first one waited for its end
    const begin = () => beginAsked(host, endpoint, parts, later || key !== null)
    const { begun, again } =
      key === null ? { begun: begin(), again: false } : host.idempotency.once(key, [endpoint.operationId, asked], begin)
    const answer = await answerOf(host.api, begun, later)
    return again ? { ...answer, headers: { ...answer.headers, 'Idempotency-Replayed': 'true' } } : answer
  } catch (error) {
    return failureOf(error, host.logOf)
  }
}

async function bodyOf({ body, method }: Endpoint, request: Request): Promise<unknown> {
  if (method === 'get') return undefined
  const given = await readBody(request)
  if (body !== undefined) return check(body, given === undefined ? {} : given, 'body')
  if (given === undefined || (typeof given === 'object' && given !== null && Object.keys(given).length === 0)) return {}
  throw new Refusal(400, 'The body has to be empty here.')
}

/** `nexus api` says which repository it is called in, so that a bare name means that one's workspace. */
function callerOf(request: Request): string | undefined {
  const given = request.headers.get(REPOSITORY_HEADER)
  if (given === null) return undefined
  const path = decoded(given)
  if (path !== undefined && isAbsolute(path) && !path.includes('\0')) return path
  throw new Refusal(400, `The header ${REPOSITORY_HEADER} has to be a percent-encoded absolute path.`)
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    return undefined
  }
}

const NEVER = new AbortController().signal

interface Parts {
  readonly header: (name: string) => string | undefined
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly from: string | undefined
}

function beginAsked(host: Performing, endpoint: Endpoint, asked: Parts, keepsResult: boolean): BegunOperation {
  let answer: HttpAnswer | undefined
  const work = async (self: Running): Promise<OperationOutcome> => {
    answer = await runNow(host, endpoint, asked, self.emit, self)
    if (answer.status < 400) return { result: keepsResult ? answer.body : null }
    const { error } = (answer as Failure).body
    return { error, cancelled: error.details.cancelled === true }
  }
  const { id, ended } = host.api.operations.begin(endpoint.operationId, createInterruption(), work)
  const whole = ended.then(() => {
    if (answer === undefined) throw new Error('an operation ends with an answer')
    return answer
  })
  return { operationId: id, answer: whole }
}

/** The operation as it is now, for who does not wait, or what it ends with. */
async function answerOf(api: ApiContext, { operationId, answer }: BegunOperation, later: boolean): Promise<HttpAnswer> {
  const headers = { 'Nexus-Operation': operationId }
  const operation = later ? api.operations.find(operationId) : undefined
  if (operation === undefined) {
    const ended = await answer
    return { ...ended, headers: { ...headers, ...ended.headers } }
  }
  const about = { 'Preference-Applied': 'respond-async', Location: `/api/v1/operations/${operationId}` }
  return { status: 202, headers: { ...headers, ...about }, body: operation }
}

async function runNow(
  host: Performing,
  endpoint: Endpoint,
  { params, query, body, header, from }: Parts,
  emit: (event: Event) => void,
  running?: Running,
): Promise<HttpAnswer> {
  const { api } = host
  try {
    const settings = endpoint.settings({ ...(query as object), ...(body as object) })
    const interruption = running?.interruption ?? createInterruption()
    const app = api.appFor({
      emit,
      interruption,
      settings,
      from,
      effect: endpoint.method === 'get' ? 'looks' : 'changes',
    })
    const { concerns = () => {}, cancelled = NEVER } = running ?? {}
    const result = await endpoint.run({ app, api, params, query, body, header, concerns, cancelled })
    if (host.checkAnswers && !(result instanceof Streamed)) {
      check(endpoint.answer, result instanceof JsonText ? JSON.parse(result.text) : result, 'body')
    }
    const planned = typeof result === 'object' && result !== null && 'dryRun' in result && result.dryRun === true
    const status = planned ? 200 : (endpoint.status ?? 200)
    const location = status === 201 ? endpoint.location?.(result) : undefined
    return { status, headers: location === undefined ? {} : { Location: `/api/v1${location}` }, body: result }
  } catch (error) {
    return withOperation(failureOf(error, host.logOf), api)
  } finally {
    if (endpoint.method !== 'get') api.live.changed()
  }
}

/** Who is told that a workspace is busy can look at what works on it, or end it, where that is an operation of ours. */
function withOperation(failure: Failure, api: ApiContext): Failure {
  const { error } = failure.body
  const workspaceId = error.code === 'WORKSPACE_BUSY' ? error.details.workspaceId : undefined
  const operationId = typeof workspaceId === 'string' ? api.operations.on(workspaceId) : undefined
  if (operationId === undefined) return failure
  return { ...failure, body: { error: { ...error, details: { ...error.details, operationId } } } }
}
