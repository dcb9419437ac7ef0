/**
 * The API without a socket, on the mock backend: every endpoint's answer is held to its documented schema, bad input is
 * named, and what is asked for later, twice or no more is done as documented.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createApi } from '../../../lib/api/api.ts'
import { createContext } from '../../../lib/api/context.ts'
import { createOperations, type OperationResource } from '../../../lib/api/operations.ts'
import type { ErrorBody } from '../../../lib/core/errors.ts'
import { createInterruption } from '../../../lib/core/interruption.ts'
import type { WorkspaceResource } from '../../../lib/core/workspace.ts'
import { ENDPOINTS, WITHOUT_ENDPOINT } from '../../../lib/verbs/all-endpoints.ts'
import { VERBS } from '../../../lib/verbs/all-verbs.ts'
import { beginOperation } from '../../../lib/workspace/operation/walk.ts'
import { eventually } from '../../support/eventually.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir, tempRepo, writeFiles } from '../../support/temp.ts'

interface Reply {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what is asserted of it is the test
  readonly json: any
}

interface Server extends AsyncDisposable {
  readonly repo: string
  readonly folder: string
  readonly context: ReturnType<typeof createContext>
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
}

async function server(env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const dir = await tempDir()
  const repo = await tempRepo()
  const own = { PATH: process.env.PATH, HOME: dir.path, NEXUS_HOME: join(dir.path, '.nexus') }
  await writeFiles(own.NEXUS_HOME, { 'config.yaml': 'defaults:\n  backend: mock\n' })
  const context = createContext({ version: '1.2.3', env: { ...own, ...env }, cwd: repo.path, program: ['false'] })
  const logOf = (error: unknown) => {
    throw error // a bug of ours fails the test with its own stack
  }
  const api = createApi(context, { logOf, endpoints: ENDPOINTS, checkAnswers: true })
  return {
    repo: repo.path,
    folder: dir.path,
    context,
    ask: async (method, path, body, headers = {}) => {
      const content = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
      const target = path.startsWith('/api/') || path === '/healthz' ? path : `/api/v1${path}`
      const response = await api.request(target, { method, headers, ...content })
      assert.is(response.headers.get('content-type'), 'application/json')
      assert.not.ok([...response.headers.keys()].some((name) => name.startsWith('access-control')))
      return { status: response.status, headers: response.headers, json: await response.json() }
    },
    [Symbol.asyncDispose]: async () => {
      await repo[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

function refused({ status, json }: Reply, wanted: number, code: string): ErrorBody['error'] {
  assert.is(status, wanted, JSON.stringify(json))
  assert.equal(Object.keys(json), ['error'])
  const { error } = json as ErrorBody
  assert.equal(Object.keys(error).sort(), ['code', 'details', 'hint', 'message', 'retryable'])
  assert.is(error.code, code, error.message)
  assert.match(error.message, /^[^\n]+\.$/)
  assert.match(error.hint ?? '', /`[^`]+`/)
  return error
}

suite('the REST API', (test) => {
  test('creates, lists, shows, stops, starts, restarts and deletes with the bodies of the PRD', async () => {
    await using it = await server()
    assert.equal((await it.ask('GET', '/workspaces')).json, { workspaces: [] })
    const made = await it.ask('POST', '/workspaces', { name: 'feature-auth', backend: 'mock', ports: [3000, 5173] })
    assert.is(made.status, 201)
    const { id, ports } = made.json as WorkspaceResource
    assert.is(made.headers.get('location'), `/api/v1/workspaces/${id}`)
    assert.equal(
      ports.map(({ container }) => container),
      [3000, 5173],
    )
    assert.equal(
      (await it.ask('GET', '/workspaces')).json.workspaces.map((one: { id: string }) => one.id),
      [id],
    )
    for (const [verb, state] of [
      ['stop', 'stopped'],
      ['stop', 'stopped'],
      ['start', 'running'],
      ['start', 'running'],
      ['pause', 'paused'],
      ['resume', 'running'],
      ['restart', 'running'],
      ['rebuild', 'running'],
    ] as const) {
      const reply = await it.ask('POST', `/workspaces/feature-auth/${verb}`)
      assert.equal(
        [reply.status, reply.json.state, reply.json.id],
        [200, state, id],
        `${verb}: ${JSON.stringify(reply.json)}`,
      )
    }
    const shown = await it.ask('GET', `/workspaces/${id}`)
    assert.equal([shown.status, shown.json.name], [200, 'feature-auth'])
    const ssh = (await it.ask('GET', `/workspaces/${id}/ssh`)).json
    for (const field of ['workspaceId', 'enabled', 'host', 'port', 'user', 'forwardAgent', 'connectionCommand']) {
      assert.ok(Object.hasOwn(ssh, field), field)
    }
    assert.is(ssh.workspaceId, id)
    const gone = await it.ask('DELETE', '/workspaces/feature-auth')
    assert.equal([gone.status, gone.json.deleted], [200, { id, name: 'feature-auth' }])
    refused(await it.ask('DELETE', '/workspaces/feature-auth'), 404, 'WORKSPACE_NOT_FOUND')
    assert.is((await it.ask('GET', `/workspaces/${id}`)).status, 404)
  })

  test('names a workspace by <repo>/<name>, and makes an existing one only when asked to', async () => {
    await using it = await server()
    const { project } = (await it.context.appFor().records.list())[0] ?? { project: '' }
    assert.is(project, '')
    await it.ask('POST', '/workspaces', { name: 'one', start: false })
    const [record] = await it.context.appFor().records.list()
    assert.is((await it.ask('GET', `/workspaces/${encodeURIComponent(`${record?.project}/one`)}`)).json.id, record?.id)
    const twice = refused(await it.ask('POST', '/workspaces', { name: 'one' }), 409, 'WORKSPACE_ALREADY_EXISTS')
    assert.match(twice.message, /one/)
    const up = await it.ask('POST', '/workspaces', { name: 'one', existing: 'start' })
    assert.equal([up.json.id, up.json.state], [record?.id, 'running'])
    const both = await Promise.all([1, 2].map(() => it.ask('POST', '/workspaces', { name: 'two' })))
    assert.equal(both.map(({ status }) => status).sort(), [201, 409])
  })

  test('every other use case has its documented answer', async () => {
    await using it = await server()
    const ok = async (method: string, path: string, body?: unknown) => {
      const reply = await it.ask(method, path, body)
      assert.is(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.json)}`)
      return reply.json
    }
    await it.ask('POST', '/workspaces', { name: 'one' })
    assert.equal((await ok('GET', '/repositories')).repositories, [{ path: it.repo, aliases: [], workspaces: 1 }])
    assert.is(
      (await ok('POST', '/workspaces/one/exec', { command: ['sh', '-c', 'cat; exit 3'], stdin: 'héllo' })).stdout,
      'héllo',
    )
    const said = await ok('POST', '/workspaces/one/exec', { command: ['sh', '-c', 'echo a; echo b >&2; exit 127'] })
    assert.equal([said.exitCode, said.stdout, said.stderr], [127, 'a\n', 'b\n'])
    assert.equal((await ok('GET', '/workspaces/one/ports')).ports, [])
    const [everywhere] = (await ok('POST', '/exec', { command: ['sh', '-c', 'echo a; exit 5'] })).results
    assert.equal([everywhere.name, everywhere.exitCode, everywhere.stdout], ['one', 5, 'a\n'])
    assert.equal((await ok('GET', '/workspaces/one/services')).services, [])
    assert.equal((await ok('GET', '/top')).workspaces, [])
    assert.equal((await ok('GET', '/keys')).workspaces, [])
    assert.match((await ok('GET', '/ssh-config')).line, /Include/)
    refused(await it.ask('GET', `/current?folder=${it.repo}`), 404, 'WORKSPACE_NOT_FOUND')
    refused(await it.ask('GET', '/workspaces/current'), 400, 'INVALID_ARGUMENT')
    refused(await it.ask('POST', '/copy', { places: ['a', 'one:/b'] }), 400, 'INVALID_ARGUMENT')
    assert.is((await ok('POST', '/workspaces/one/stop?dryRun=true')).dryRun, true)
    assert.is((await ok('GET', '/workspaces/one')).state, 'running')
    assert.is((await ok('POST', '/workspaces?dryRun=true', { name: 'other' })).plan[0].step, 'record')
    assert.is((await ok('POST', '/workspaces/one/pull')).shared, true)
    assert.is((await ok('POST', '/workspaces/one/push')).shared, true)
    assert.is((await ok('POST', '/workspaces/one/rename?dryRun=true', { name: 'uno' })).renamed.from, 'one')
    assert.is((await ok('POST', '/workspaces/one/rename', { name: 'uno' })).renamed.name, 'uno')
    assert.is((await ok('POST', '/workspaces/uno/repair')).repaired.length, 1)
    assert.is((await ok('POST', '/repair')).repaired.length, 1)
    assert.is((await ok('GET', '/workspaces/uno/network')).mode, 'open')
    assert.equal((await ok('GET', '/trash')).trash, [])
    assert.equal((await ok('DELETE', '/trash?olderThan=7d')).removed, [])
    assert.is((await ok('PUT', '/config/defaults.idle_timeout', { value: '1h' })).value, '1h')
    assert.is((await ok('GET', '/config/defaults.idle_timeout')).value, '1h')
    assert.ok((await ok('GET', '/config')).settings.length > 10)
    assert.is((await ok('DELETE', '/config/defaults.idle_timeout')).value, null)
    assert.equal(await ok('GET', '/trust'), { pending: [], approved: [] })
    assert.equal(await ok('POST', '/trust/approve', { hashes: ['all'], repo: it.repo }), { approved: [] })
    assert.is((await ok('POST', '/repositories/init?dryRun=true')).dryRun, true)
    assert.is((await ok('POST', '/prune?dryRun=true', { merged: true })).pruned.length, 0)
    assert.is((await ok('POST', '/gc?dryRun=true')).dryRun, true)
    assert.equal((await ok('GET', '/version')).version, '1.2.3')
    assert.equal((await it.ask('GET', '/healthz')).json.status, 'ok')
    const run = await ok('POST', '/run', { command: ['sh', '-c', 'exit 4'] })
    assert.equal([run.exitCode, run.kept], [4, null])
    assert.is((await ok('GET', '/workspaces')).workspaces.length, 1)
    refused(await it.ask('GET', '/workspaces/uno/logs'), 501, 'UNSUPPORTED')
    refused(await it.ask('POST', '/trash/gone/restore'), 404, 'WORKSPACE_NOT_FOUND')
  })

  test('bad input is named and changes nothing', async () => {
    await using it = await server()
    const cases: readonly (readonly [method: string, path: string, body: unknown, status: number, said: RegExp])[] = [
      ['POST', '/workspaces', '{"name":', 400, /not JSON/],
      ['POST', '/workspaces', '[]', 400, /body: /],
      ['POST', '/workspaces', '"x"', 400, /body: /],
      ['POST', '/workspaces', {}, 400, /name/],
      ['POST', '/workspaces', { name: 7 }, 400, /body\.name: /],
      ['POST', '/workspaces', { nme: 'x' }, 400, /unknown field "nme" \(is name meant\?\)/],
      ['POST', '/workspaces', { name: 'x', ports: [0] }, 400, /body\.ports\[0\]/],
      ['POST', '/workspaces', { name: 'x', ports: ['3000'] }, 400, /body\.ports\[0\]/],
      ['POST', '/workspaces', { name: 'a b' }, 400, /a b/],
      ['POST', '/workspaces', { name: '..' }, 400, /\.\./],
      ['POST', '/workspaces', { name: '-x' }, 400, /-x/],
      ['POST', '/workspaces', { name: 'x', backend: 'cloud' }, 400, /cloud/],
      ['POST', '/workspaces', { name: 'x', from: '--upload-pack=x' }, 400, /upload-pack/],
      ['POST', '/workspaces', { name: 'x', repo: 'relative/path' }, 400, /relative\/path/],
      ['POST', '/workspaces', { name: 'x', repo: '/nowhere' }, 404, /nowhere/],
      ['POST', '/workspaces', { name: 'x', env: { 'A B': '1' } }, 400, /body\.env/],
      ['POST', '/workspaces', '{"name":"x","env":{"__proto__":"1"}}', 400, /__proto__/],
      ['POST', '/workspaces', '{"name":"x","env":{"A":"\\ud800"}}', 400, /surrogate/],
      ['POST', '/workspaces', '{"name":"x","env":{"A":"a\\u0000"}}', 400, /body\.env\.A: .*NUL/],
      ['POST', '/workspaces', { name: 'x', ports: [3000.5] }, 400, /body\.ports\[0\]: expected a port such as 3000/],
      [
        'POST',
        '/workspaces',
        Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, 1])),
        400,
        /^.{1,90} and 49995 more\.$/,
      ],
      ['POST', '/workspaces', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, 400, /deeper than 32/],
      ['POST', '/workspaces', JSON.stringify({ name: 'x'.repeat(2_000_000) }), 413, /larger than/],
      ['POST', '/workspaces?dryRun=yes', { name: 'x' }, 400, /query\.dryRun/],
      ['POST', '/workspaces?dryrun=true', { name: 'x' }, 400, /unknown field "dryrun" \(is dryRun meant\?\)/],
      ['GET', '/workspaces?dirty=true&dirty=false', undefined, 400, /more than once/],
      ['GET', '/workspaces?repo=', undefined, 400, /query\.repo/],
      ['POST', '/workspaces/x/stop', { force: true }, 400, /force/],
      ['POST', '/workspaces/x/stop', undefined, 404, /"x"/],
      ['POST', '/workspaces/x/pull', { a: 1 }, 400, /empty/],
      ['GET', '/workspaces/%F0%9F%98%80', undefined, 400, /\S/],
      ['GET', '/config/no.such.key', undefined, 422, /no\.such\.key/],
      ['POST', '/prune', {}, 400, /merged/],
      ['GET', '/nothing', undefined, 404, /nothing/],
      ['GET', '/operations/op-none', undefined, 404, /op-none/],
      ['PATCH', '/workspaces/x', undefined, 405, /GET/],
      ['GET', '/workspaces/x/exec', undefined, 405, /POST is, and GET with an upgrade to a WebSocket/],
    ]
    for (const [method, path, body, status, said] of cases) {
      const reply = await it.ask(method, path, body)
      const label = `${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}`
      assert.is(reply.status, status, `${label}: ${JSON.stringify(reply.json)}`)
      assert.match(refused(reply, status, reply.json.error.code).message, said, label)
    }
    assert.is((await it.ask('PUT', '/workspaces')).headers.get('allow'), 'GET, POST, HEAD')
    assert.equal((await it.ask('GET', '/workspaces')).json, { workspaces: [] })
    assert.is((Object.prototype as { polluted?: unknown }).polluted, undefined)
  })

  test('without a word the only known repository is meant; several are listed', async () => {
    await using it = await server()
    await using other = await tempRepo()
    assert.is((await it.ask('POST', '/workspaces', { name: 'a', repo: other.path })).status, 201)
    const error = refused(await it.ask('POST', '/workspaces', { name: 'b' }), 400, 'INVALID_ARGUMENT')
    assert.equal(error.details.repositories, [it.repo, other.path].sort())
    assert.ok(error.message.includes(other.path))
  })

  test('Prefer: respond-async answers with an operation that tells its end', async () => {
    await using it = await server()
    const begun = await it.ask('POST', '/workspaces', { name: 'later' }, { Prefer: 'respond-async' })
    assert.equal([begun.status, begun.json.status, begun.json.kind], [202, 'running', 'createWorkspace'])
    const location = begun.headers.get('location') ?? ''
    assert.is(location, `/api/v1/operations/${begun.json.id}`)
    let seen = begun.json as OperationResource
    await eventually(async () => {
      seen = (await it.ask('GET', location)).json
      return seen.status !== 'running'
    })
    const made = seen.result as WorkspaceResource
    assert.equal([seen.status, made.name, made.id], ['succeeded', 'later', seen.workspaceId])
    assert.ok(seen.events.some(({ type, phase }) => type === 'step' && phase === 'done'))
    const failed = await it.ask('POST', '/workspaces', { name: 'later' }, { Prefer: 'wait=5, respond-async' })
    await eventually(async () => (await it.ask('GET', `/operations/${failed.json.id}`)).json.status === 'failed')
    const all = (await it.ask('GET', '/operations')).json.operations as OperationResource[]
    assert.equal(
      all.map(({ error }) => error?.code),
      [undefined, 'WORKSPACE_ALREADY_EXISTS'],
    )
  })

  test('a cancelled operation is undone, and its own command is ended', async () => {
    await using it = await server()
    await it.ask('POST', '/workspaces', { name: 'one' })
    const asked = it.ask('POST', '/workspaces/one/exec', { command: ['sh', '-c', 'echo begun; exec sleep 60'] })
    let id = ''
    await eventually(() => {
      const found = it.context.operations
        .list()
        .find(({ kind, status }) => kind === 'execInWorkspace' && status === 'running')
      id = found?.id ?? ''
      return found?.workspaceId != null
    })
    const cancelled = await it.ask('DELETE', `/operations/${id}`)
    assert.equal([cancelled.status, cancelled.json.status], [200, 'cancelled'])
    assert.is(refused(await asked, 503, 'BACKEND_UNAVAILABLE').details.cancelled, true)
    const late = await it.ask('POST', '/workspaces/one/exec', { command: ['sleep', '60'], timeoutSeconds: 1 })
    refused(late, 504, 'TIMEOUT')
  }, 20_000)

  test('an operation that failed in a server that lives on is not taken for one at work', async () => {
    await using it = await server({ NEXUS_FAILPOINT: 'delete.forget:error' })
    await it.ask('POST', '/workspaces', { name: 'one' })
    assert.ok((await it.ask('DELETE', '/workspaces/one')).status >= 500)
    const shown = (await it.ask('GET', '/workspaces/one')).json
    assert.equal([shown.state, /delete was interrupted/.test(shown.reason)], ['error', true], JSON.stringify(shown))
    const [record] = await it.context.appFor().records.list()
    assert.equal([record?.operation?.kind, record?.operation?.pid], ['delete', 0])
  })

  test('what a server that lives left noted is repaired by whoever holds the lock; from another network it is busy', async () => {
    await using it = await server()
    await it.ask('POST', '/workspaces', { name: 'one' })
    const app = it.context.appFor()
    const [record] = await app.records.list()
    if (record === undefined) throw new Error('there is a record')
    // the process that runs this file lives, and is not this one
    const stat = await readFile(`/proc/${process.ppid}/stat`, 'utf8')
    const pidStart = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
    const operation = { ...beginOperation('stop'), pid: process.ppid, pidStart }
    await app.records.save({ ...record, operation: { ...operation, network: 'net:[1]' } })
    refused(await it.ask('POST', '/workspaces/one/stop'), 409, 'WORKSPACE_BUSY')
    await app.records.save({ ...record, operation })
    assert.is((await it.ask('POST', '/workspaces/one/stop')).json.state, 'stopped')
    assert.is((await app.records.load(record.id))?.operation, null)
  })

  test('Idempotency-Key: one answer for one key, another request is refused, both at once make one', async () => {
    await using it = await server()
    const create = (body: unknown, key: string) => it.ask('POST', '/workspaces', body, { 'Idempotency-Key': key })
    const [first, second] = await Promise.all([1, 2].map(() => create({ name: 'one' }, 'k-1')))
    assert.equal([first?.status, second?.status, first?.json.id], [201, 201, second?.json.id])
    assert.equal([first, second].map((one) => one?.headers.get('idempotency-replayed')).sort(), ['true', null].sort())
    refused(await create({ name: 'two' }, 'k-1'), 422, 'INVALID_ARGUMENT')
    refused(await create({ name: 'one' }, 'k-2'), 409, 'WORKSPACE_ALREADY_EXISTS')
    refused(await create({ name: 'three' }, 'a b'), 400, 'INVALID_ARGUMENT')
    await it.ask('DELETE', '/workspaces/one')
    assert.is((await create({ name: 'one' }, 'k-2')).status, 201)
    // each is answered as it prefers, with the operation as it is by then; what failed is done anew
    const later = (name: string, key: string) =>
      it.ask('POST', '/workspaces', { name }, { 'Idempotency-Key': key, Prefer: 'respond-async' })
    const begun = await later('four', 'k-3')
    const waited = await create({ name: 'four' }, 'k-3')
    assert.equal([begun.status, waited.status, waited.json.name], [202, 201, 'four'])
    const again = (await later('four', 'k-3')).json
    assert.equal([again.id, again.status, again.result.id], [begun.json.id, 'succeeded', waited.json.id])
    const failed = (await later('four', 'k-4')).json.id
    await eventually(async () => (await it.ask('GET', `/operations/${failed}`)).json.status === 'failed')
    await it.ask('DELETE', '/workspaces/four')
    assert.is.not((await later('four', 'k-4')).json.id, failed)
    assert.is((await create({ name: 'four' }, 'k-4')).status, 201)
  })
})

suite('the OpenAPI document', (test) => {
  test('has every endpoint with a name of its own, a summary and an example that fits its schema', async () => {
    const document = JSON.parse(await readFile('docs/openapi.json', 'utf8'))
    assert.match(document.openapi, /^3\.1/)
    const ids = ENDPOINTS.map(({ operationId }) => operationId)
    assert.equal(ids, [...new Set(ids)])
    for (const { operationId, answer, example, path, method, status = 200, media } of ENDPOINTS) {
      const { error } = answer.safeParse(example)
      assert.is(error, undefined, `${operationId}: ${error?.message}`)
      const documented = document.paths[path][method]
      assert.is(documented.operationId, operationId)
      assert.ok(documented.summary.length > 10, operationId)
      assert.equal(documented.responses[status].content[media?.[0] ?? 'application/json'].example, example)
    }
  })

  test('nothing that is looked at changes anything: GET has no body and is no operation', () => {
    for (const { method, body, operationId } of ENDPOINTS) if (method === 'get') assert.is(body, undefined, operationId)
  })

  test('every verb of the command line has an endpoint, or a reason why not', () => {
    const verbs = ENDPOINTS.flatMap(({ verbs = [] }) => verbs)
    const lacking = VERBS.map(({ name }) => name).filter((name) => !verbs.includes(name) && !(name in WITHOUT_ENDPOINT))
    assert.equal(lacking, [], 'give it an endpoint in its file, or a reason in `withoutEndpoint`')
    const known = VERBS.map(({ name }) => name)
    assert.equal(
      [...verbs, ...Object.keys(WITHOUT_ENDPOINT)].filter((name) => !known.includes(name)),
      [],
    )
    assert.equal(
      Object.keys(WITHOUT_ENDPOINT).filter((name) => verbs.includes(name)),
      [],
    )
  })
})

suite('operations', (test) => {
  const begin = (operations: ReturnType<typeof createOperations>, result: unknown) =>
    operations.begin('test', createInterruption(), async (self) => {
      for (let i = 0; i < 300; i++) self.emit({ type: 'notice', text: `${i}${'x'.repeat(5_000)}` })
      return { result }
    })

  test('are memory with an end: of number, of age, of what they say and of what they answered', async () => {
    let now = Date.now()
    const operations = createOperations(() => now)
    for (let i = 0; i < 250; i++) await begin(operations, i).ended
    const kept = operations.list()
    assert.equal([kept.length, kept.at(-1)?.result], [200, 249])
    assert.equal([kept[0]?.events.length, String(kept[0]?.events[0]?.text).length], [200, 2_000])
    for (let i = 0; i < 5; i++) await begin(operations, 'y'.repeat(5 * 1024 * 1024)).ended
    assert.is(operations.list().length, 3)
    now += 61 * 60_000
    assert.is(operations.list().length, 0)
  })

  test('tell listeners what happens, and end when they are cancelled', async () => {
    const operations = createOperations()
    const heard: string[] = []
    const silence = operations.listen(({ status }, event) => heard.push(event === null ? status : event.type))
    const running = operations.begin('test', createInterruption(), async (self) => {
      self.emit({ type: 'notice', text: 'x' })
      self.emit({ type: 'command', argv: ['a', 'secret'], ms: 1, code: 0 })
      await new Promise<void>((done) => self.cancelled.addEventListener('abort', () => done()))
      return { error: { code: 'TIMEOUT', message: '', hint: null, retryable: true, details: {} }, cancelled: true }
    })
    running.concerns('ws-1')
    assert.is(operations.on('ws-1'), running.id)
    assert.is((await operations.cancel(running.id))?.status, 'cancelled')
    assert.is(operations.on('ws-1'), undefined)
    silence()
    await begin(operations, 1).ended
    assert.equal(heard, ['notice', 'running', 'cancelled'])
    assert.is(await operations.cancel('op-none'), undefined)
  })
})
