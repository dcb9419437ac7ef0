/**
 * The door of the API, each check by itself in its order, and then before real sockets: what is refused never reaches an
 * endpoint, on either entrance.
 */
import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { callSocket, isAnswering } from '../../../../lib/api/client.ts'
import { type Entrance, headOf, parsePort, requireAdmitted } from '../../../../lib/api/entrance/checks.ts'
import { createThrottle } from '../../../../lib/api/entrance/throttle.ts'
import { loadToken, rotateToken, tokenFile } from '../../../../lib/api/entrance/token.ts'
import { Refusal } from '../../../../lib/api/failure.ts'
import { findServer, servedSocket, socketPath } from '../../../../lib/api/places.ts'
import { Interrupted } from '../../../../lib/core/errors.ts'
import { homePaths } from '../../../../lib/core/paths.ts'
import { type MakeService, type RunningDaemon, serve } from '../../../../lib/daemon/daemon.ts'
import { ENDPOINTS } from '../../../../lib/verbs/all-endpoints.ts'
import { eventually } from '../../../support/eventually.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'
import { tempDir, tempRepo } from '../../../support/temp.ts'

const TOKEN = 'x'.repeat(43)
const UNIX: Entrance = { kind: 'unix' }
const TCP: Entrance = { kind: 'tcp', port: 4711 }

type Asked = { entrance?: Entrance; method?: string; target?: string; headers?: readonly (readonly [string, string])[] }

/** The status that a request is refused with; undefined when it is let in. */
function ask({
  entrance = UNIX,
  method = 'GET',
  target = '/api/v1/workspaces',
  headers = [],
}: Asked): number | undefined {
  const own =
    entrance.kind === 'unix'
      ? [['host', 'localhost']]
      : [
          ['host', '127.0.0.1:4711'],
          ['authorization', `Bearer ${TOKEN}`],
        ]
  const left = own.filter(([name]) => !headers.some((given) => given[0] === name))
  const all = [...left, ...headers.filter(([, value]) => value !== 'none given')]
  const rawHeaders = all.flatMap(([name = '', value = '']) => [name, value])
  try {
    requireAdmitted(headOf({ method, url: target, rawHeaders }), entrance, {
      throttle: createThrottle(),
      isToken: (given) => given === TOKEN,
    })
    return undefined
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return error.status
  }
}

suite('the door', (test) => {
  test('Host: exactly its own names; a name that leads here and a missing one are refused', () => {
    assert.is(ask({}), undefined)
    for (const host of ['127.0.0.1:4711', 'localhost:4711', '[::1]:4711', 'LOCALHOST:4711']) {
      assert.is(ask({ entrance: TCP, headers: [['host', host]] }), undefined, host)
    }
    const bad = [
      'evil.com',
      '127.0.0.1',
      '127.0.0.1:4712',
      '127.evil.com:4711',
      'localhost.evil.com:4711',
      'localhost:4711@evil.com',
      '0.0.0.0:4711',
      '[::]:4711',
      '127.1:4711',
      '2130706433:4711',
      '',
      'none given',
    ]
    for (const host of bad) assert.is(ask({ entrance: TCP, headers: [['host', host]] }), 403, host)
    for (const host of ['localhost:80', 'evil.com', '127.0.0.1', 'none given'])
      assert.is(ask({ headers: [['host', host]] }), 403, host)
    assert.is(
      ask({
        headers: [
          ['host', 'localhost'],
          ['host', 'localhost'],
        ],
      }),
      400,
    )
  })

  test('Origin and Sec-Fetch-Site: no web page, from wherever', () => {
    for (const entrance of [UNIX, TCP]) {
      for (const origin of [
        'https://evil.com',
        'null',
        'http://127.0.0.1:4711',
        'http://localhost:4711',
        'vscode-webview://x',
        '',
      ]) {
        assert.is(ask({ entrance, headers: [['origin', origin]] }), 403, origin)
      }
      for (const site of ['cross-site', 'same-site', 'none, cross-site', 'x']) {
        assert.is(ask({ entrance, headers: [['sec-fetch-site', site]] }), 403, site)
      }
      const twice = ['none', 'cross-site'].map((site) => ['sec-fetch-site', site] as const)
      assert.is(ask({ entrance, headers: twice }), 403)
      for (const site of ['none', 'same-origin'])
        assert.is(ask({ entrance, headers: [['sec-fetch-site', site]] }), undefined, site)
    }
  })

  test('OPTIONS is refused, and so is what is not known', () => {
    assert.is(ask({ method: 'OPTIONS' }), 403)
    for (const method of ['TRACE', 'CONNECT', 'PROPFIND', 'get', 'QUERY']) assert.is(ask({ method }), 405, method)
  })

  test('the token: needed over TCP, and a wrong one is wrong everywhere', () => {
    const given = (entrance: Entrance, authorization: string) =>
      ask({ entrance, headers: [['authorization', authorization]] })
    assert.is(given(UNIX, 'none given'), undefined)
    assert.is(given(UNIX, `bearer ${TOKEN}`), undefined)
    for (const wrong of [
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      TOKEN,
      'Bearer ',
      'Bearer',
      '',
    ]) {
      assert.is(given(UNIX, wrong), 401, wrong)
      assert.is(given(TCP, wrong), 401, wrong)
    }
    assert.is(given(TCP, 'none given'), 401)
    assert.is(
      ask({ entrance: TCP, target: `/api/v1/workspaces?token=${TOKEN}`, headers: [['authorization', 'none given']] }),
      401,
    )
    assert.is(
      ask({
        entrance: TCP,
        headers: [
          ['authorization', `Bearer ${TOKEN}`],
          ['authorization', 'Bearer y'],
        ],
      }),
      400,
    )
  })

  test('Content-Type: JSON and nothing that a form can send', () => {
    const post = (type: string, length = '2') =>
      ask({
        method: 'POST',
        headers: [
          ['content-type', type],
          ['content-length', length],
        ],
      })
    for (const type of [
      'application/json',
      'Application/JSON',
      'application/json; charset=utf-8',
      'application/json;charset="UTF-8"',
    ]) {
      assert.is(post(type), undefined, type)
    }
    for (const type of [
      'text/plain',
      'text/plain; application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonp',
      'application/json; charset=utf-16',
      'application/json, text/plain',
      '',
      'none given',
    ]) {
      assert.is(post(type), 415, type)
    }
    assert.is(ask({ method: 'POST', headers: [['transfer-encoding', 'chunked']] }), 415)
    assert.is(ask({ method: 'POST' }), undefined)
    assert.is(post('none given', '0'), undefined)
    assert.is(post('text/plain', '0'), 415)
    const encoded = (encoding: string) => ask({ method: 'POST', headers: [['content-encoding', encoding]] })
    assert.equal(['gzip', 'identity, br', 'identity'].map(encoded), [415, 415, undefined])
    assert.equal(
      ['100-continue', '200-ok'].map((expect) => ask({ headers: [['expect', expect]] })),
      [undefined, 417],
    )
    assert.is(post('application/json', String(1024 * 1024 + 1)), 413)
    assert.is(post('application/json', String(1024 * 1024)), undefined)
  })

  test('paths: no way up, no second root, no end of text', () => {
    const bad = [
      '',
      '*',
      'http://evil.com/',
      '/api/v1/../x',
      '/api/v1/%2e%2e/x',
      '/api/v1/..%2fx',
      '/a/%2E/b',
      '/x%5c..%5cy',
      '//evil.com',
      '/a//b',
      '/a%00b',
      '/a%0ab',
      '/a\\b',
      '/%',
      '/%zz',
      '/%ff',
      '/ä',
      '/a b',
      '/<x>',
      '/a#b',
    ]
    for (const target of bad) assert.is(ask({ target }), 400, target)
    assert.is(ask({ target: `/${'x'.repeat(5_000)}` }), 414)
    for (const target of ['/api/v1/workspaces/app%2Ffeature', '/x?repo=%2Fhome%2Fu%2F..%2Fv', '/%C3%A4', '/a/...']) {
      assert.is(ask({ target }), undefined, target)
    }
  })

  test('guessing gets slower, without end and without memory; knowing does not', () => {
    let now = 1_000_000
    const throttle = createThrottle(() => now)
    const waits = Array.from({ length: 40 }, () => throttle.failed().waitMs)
    assert.equal(waits.slice(0, 10), Array(10).fill(0))
    assert.equal(waits.slice(10, 14), [500, 1_000, 2_000, 4_000])
    assert.is(Math.max(...waits), 60_000)
    now += 6 * 60_000
    assert.is(throttle.failed().waitMs, 0)
    const door = { throttle: createThrottle(), isToken: (given: string) => given === TOKEN }
    const login = (token: string) =>
      headOf({ method: 'GET', url: '/', rawHeaders: ['Host', '127.0.0.1:4711', 'Authorization', `Bearer ${token}`] })
    let status = 0
    for (let i = 0; i < 30; i++) {
      try {
        requireAdmitted(login('guess'), TCP, door)
      } catch (error) {
        status = (error as Refusal).status
      }
    }
    assert.is(status, 429)
    requireAdmitted(login(TOKEN), TCP, door)
  })

  test('only a port of an ordinary user is one to listen on', async () => {
    assert.equal(['0', '1024', '65535'].map(parsePort), [0, 1024, 65535])
    for (const text of ['', '80', '65536', '-1', '1e4', '0.0.0.0:8080', '[::]:80'])
      await rejects(() => parsePort(text), 'INVALID_ARGUMENT')
  })
})

interface Served extends AsyncDisposable {
  readonly home: ReturnType<typeof homePaths>
  readonly serving: RunningDaemon
  readonly env: NodeJS.ProcessEnv
}

async function served(port?: number, folder = '.nexus', more: NodeJS.ProcessEnv = {}): Promise<Served> {
  const dir = await tempDir()
  const env = {
    PATH: process.env.PATH,
    HOME: dir.path,
    NEXUS_HOME: join(dir.path, folder),
    ...more,
  }
  const home = homePaths(env.NEXUS_HOME)
  const serving = await serve({
    home,
    env,
    cwd: dir.path,
    version: '1.2.3',
    program: ['false'],
    port,
    endpoints: ENDPOINTS,
  })
  return {
    home,
    serving,
    env,
    [Symbol.asyncDispose]: async () => {
      await serving.stop()
      if (!serving.socket.startsWith(dir.path)) await rm(dirname(serving.socket), { recursive: true })
      await dir[Symbol.asyncDispose]()
    },
  }
}

interface Raw {
  readonly host?: string
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
}

function askPort(
  port: number,
  { host = '127.0.0.1', method = 'GET', path = '/api/v1/workspaces', headers = {} }: Raw = {},
) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; json: unknown }>((done, fail) => {
    const outgoing = request({ host, port, method, path, headers, agent: false }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      incoming.on('end', () =>
        done({ status: incoming.statusCode ?? 0, headers: incoming.headers, json: JSON.parse(text) }),
      )
    })
    outgoing.on('error', fail).end()
  })
}

/** What comes back for bytes as they are. */
function sendRaw(path: string, bytes: string): Promise<string> {
  return new Promise((done, fail) => {
    let text = ''
    const socket = connect(path, () => socket.write(bytes))
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    socket.on('error', fail).on('close', () => done(text))
  })
}

suite('the server', (test) => {
  test('the socket is its owner’s alone; a second server is refused; what a killed one left is replaced', async () => {
    await using one = await served()
    const { socket } = one.serving
    assert.is(socket, join(one.home.run, 'api.sock'))
    assert.is((await stat(socket)).mode & 0o777, 0o600)
    assert.is((await stat(dirname(socket))).mode & 0o777, 0o700)
    assert.is((await callSocket(socket, { method: 'GET', path: '/healthz' })).status, 200)
    const options = { home: one.home, env: one.env, cwd: '/', version: '1', program: [], endpoints: ENDPOINTS }
    const second = await rejects(() => serve(options), 'WORKSPACE_BUSY')
    assert.equal([second.details?.pid, /`nexus serve stop`/.test(second.hint ?? '')], [process.pid, true])
    await one.serving.stop()
    assert.is(await isAnswering(socket), false)
    await writeFile(socket, 'a file of somebody')
    await rejects(() => serve(options), 'INVALID_ARGUMENT')
  })

  test('a long home has its socket in a short private folder', async () => {
    await using one = await served(undefined, 'x'.repeat(120))
    assert.ok(Buffer.byteLength(one.serving.socket) <= 107)
    assert.is(one.serving.socket, socketPath(one.home))
    assert.is((await stat(dirname(one.serving.socket))).mode & 0o777, 0o700)
    assert.is(await isAnswering(one.serving.socket), true)
  })

  test('the server of a long home is found, and none starts beside it, whatever variables and name the home has', async () => {
    await using one = await served(undefined, 'x'.repeat(120))
    const env = { XDG_RUNTIME_DIR: '/run/user/0' }
    const cron = { home: one.home, env, cwd: '/', version: '1', program: [], endpoints: ENDPOINTS }
    assert.is((await rejects(() => serve(cron), 'WORKSPACE_BUSY')).details?.pid, process.pid)
    const link = `${one.home.home}-link`
    await symlink(one.home.home, link)
    const linked = homePaths(link)
    assert.not.equal(socketPath(linked), one.serving.socket)
    assert.is(await servedSocket(linked), one.serving.socket)
    await rejects(() => serve({ ...cron, home: linked }), 'WORKSPACE_BUSY')
    await rm(dirname(socketPath(linked)), { recursive: true })
  })

  test('a service beside the API works with its context, is stopped with it, and has log lines of its own', async () => {
    await using dir = await tempDir()
    const home = homePaths(join(dir.path, '.nexus'))
    const seen: string[] = []
    const idle: MakeService = {
      name: 'idle',
      make: ({ version }, log) => ({
        name: 'idle',
        required: false,
        start: async () => {
          seen.push(version)
          log({ event: 'looked' })
        },
        stop: async () => seen.push('stopped') - seen.length,
        health: () => undefined,
      }),
    }
    const serving = await serve({
      ...{ home, env: {}, cwd: '/', version: '7', program: [], endpoints: ENDPOINTS },
      services: [idle],
    })
    assert.equal(
      serving.health().map(({ name, state, problem }) => `${name} ${state} ${problem}`),
      ['api running null', 'idle running null'],
    )
    assert.is(await serving.stop(), 0)
    assert.equal(seen, ['7', 'stopped'])
    const log = (await readFile(join(home.logs, 'serve.log'), 'utf8')).trim().split('\n')
    const told = log.map((line) => JSON.parse(line)).map(({ service = '', event }) => `${service} ${event}`)
    assert.equal(told, [
      'api service-started',
      'idle looked',
      'idle service-started',
      ' started',
      'idle service-stopped',
      'api service-stopped',
      ' stopped',
    ])
  })

  test('a folder of sockets that others can enter is refused', async () => {
    await using dir = await tempDir()
    const home = homePaths(join(dir.path, '.nexus'))
    await mkdir(home.run, { recursive: true })
    await chmod(home.run, 0o755)
    const options = { home, env: {}, cwd: '/', version: '1', program: [], endpoints: ENDPOINTS }
    assert.match((await rejects(() => serve(options), 'PERMISSION_DENIED')).hint ?? '', /chmod 700 /)
  })

  test('TCP is on both loopback addresses, asks for the token, and a rotation holds at once', async () => {
    await using one = await served(0)
    const port = one.serving.port ?? 0
    const token = await loadToken(one.home)
    assert.match(token, /^[\w-]{43}$/)
    assert.is((await stat(tokenFile(one.home))).mode & 0o777, 0o600)
    const Authorization = `Bearer ${token}`
    assert.is((await askPort(port, { headers: { Authorization } })).status, 200)
    assert.is((await askPort(port, { host: '::1', headers: { Authorization } })).status, 200)
    const refused = await askPort(port)
    assert.equal([refused.status, refused.headers['www-authenticate']], [401, 'Bearer realm="nexus"'])
    assert.is((await askPort(port, { headers: { Authorization, Host: 'evil.com' } })).status, 403)
    assert.is((await askPort(port, { headers: { Authorization, Origin: 'http://evil.com' } })).status, 403)
    const preflight = await askPort(port, { method: 'OPTIONS', headers: { Authorization } })
    assert.is(preflight.status, 403)
    assert.not.ok(Object.keys(preflight.headers).some((name) => name.startsWith('access-control')))
    const next = await rotateToken(one.home)
    assert.is((await askPort(port, { headers: { Authorization } })).status, 401)
    assert.is((await askPort(port, { headers: { Authorization: `Bearer ${next}` } })).status, 200)
    const log = await readFile(join(one.home.logs, 'serve.log'), 'utf8')
    assert.ok(log.includes('"status":401'))
    for (const secret of [token, next]) assert.not.ok(log.includes(secret))
    const taken = {
      endpoints: ENDPOINTS,
      home: homePaths(join(one.home.home, 'other')),
      env: one.env,
      cwd: '/',
      version: '1',
      program: [],
      port,
    }
    await rejects(() => serve(taken), 'PORT_CONFLICT')
  })

  test('what is not HTTP, or another protocol, is refused in words, and the server goes on', async () => {
    await using one = await served()
    const { socket } = one.serving
    assert.match(await sendRaw(socket, 'hello\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"INVALID_ARGUMENT"/)
    assert.match(
      await sendRaw(socket, `GET / HTTP/1.1\r\nHost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431 /,
    )
    const upgrade = 'GET /api/v1/exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
    assert.match(await sendRaw(socket, `${upgrade}\r\n`), /^HTTP\/1\.1 404 /)
    assert.match(await sendRaw(socket, `${upgrade}Origin: https://evil.com\r\n\r\n`), /^HTTP\/1\.1 403 /)
    assert.match(await sendRaw(socket, 'GET /healthz HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 403 /)
    const smuggled =
      'POST /api/v1/gc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    assert.match(await sendRaw(socket, smuggled), /^HTTP\/1\.1 400 /)
    assert.match(
      await sendRaw(socket, smuggled),
      /HTTP\/1\.1: Transfer-Encoding can't be present with Content-Length\./,
    )
    assert.match(await sendRaw(socket, 'CONNECT evil.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n'), /^HTTP\/1\.1 400 /)
    const exec = (path: string) => sendRaw(socket, upgrade.replace('/exec', `/workspaces/${path}`).concat('\r\n'))
    assert.match(await exec('x/exec?repo=%2Fnowhere'), /^HTTP\/1\.1 404 [\s\S]*"REPOSITORY_NOT_FOUND"/)
    assert.match(await exec('x/exec?force=true'), /^HTTP\/1\.1 400 [\s\S]*unknown field/)
    assert.match(await exec('current/exec'), /^HTTP\/1\.1 400 [\s\S]*which workspace is the current one/)
    assert.is(await isAnswering(socket), true)
  })

  test('a client gets what goes on as it comes, and its interruption is no error of the connection', async () => {
    await using one = await served()
    const interruption = new AbortController()
    const pieces: string[] = []
    const onPiece = async (piece: string) => {
      pieces.push(piece)
      interruption.abort(new Interrupted('SIGINT'))
      return true
    }
    const { signal } = interruption
    const asked = callSocket(one.serving.socket, { method: 'GET', path: '/api/v1/events', signal, onPiece })
    assert.instance(await asked.catch((error: unknown) => error), Interrupted)
    assert.match(pieces.join(''), /^retry: \d+\nid: /)
  })

  test('who offers HTTP/2 is answered without it, body and all; who sends a body that is refused gets to read why', async () => {
    await using one = await served()
    const { socket } = one.serving
    const head = (lines: string) => `POST /api/v1/workspaces HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n\r\n`
    const offer = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk'
    const json = `Content-Type: application/json\r\nContent-Length: ${200_000}`
    const offered = await sendRaw(socket, head(`${offer}\r\n${json}`) + '{"nme":1}'.padEnd(200_000))
    assert.match(offered, /^HTTP\/1\.1 400 [\s\S]*unknown field \\"nme/)
    const foreign = offer.concat('\r\nOrigin: https://evil.com')
    assert.match(await sendRaw(socket, head(foreign)), /^HTTP\/1\.1 403 /)
    const large = await sendRaw(socket, head(`Content-Length: ${8_000_000}`) + 'x'.repeat(8_000_000))
    assert.match(large, /^HTTP\/1\.1 415 [\s\S]*"INVALID_ARGUMENT"[\s\S]*\}\n$/)
  })

  test('the token is in a file of its owner’s alone; what others could have read or written is worth nothing', async () => {
    await using dir = await tempDir()
    const home = homePaths(dir.path)
    const file = tokenFile(home)
    const first = await loadToken(home)
    assert.is(await loadToken(home), first)
    await chmod(file, 0o644)
    const second = await loadToken(home)
    assert.equal([second === first, (await stat(file)).mode & 0o777], [false, 0o600])
    const elsewhere = join(dir.path, 'elsewhere')
    await rename(file, elsewhere)
    await symlink(elsewhere, file)
    assert.is.not(await loadToken(home), second)
    assert.equal([(await lstat(file)).isFile(), (await readFile(elsewhere, 'utf8')).trim()], [true, second])
    await rm(file)
    await mkdir(file)
    await rejects(() => loadToken(home), 'INVALID_ARGUMENT')
  })

  test('a server that ends undoes what runs, answers who waits, and takes its note and socket along', async () => {
    await using repo = await tempRepo()
    await using one = await served(undefined, '.nexus', { NEXUS_FAILPOINT: 'create.start:hang', NEXUS_BACKEND: 'mock' })
    const { socket, context } = one.serving
    const body = JSON.stringify({ name: 'one', repo: repo.path })
    const asked = callSocket(socket, { method: 'POST', path: '/api/v1/workspaces', body })
    const hangs = () => context.operations.list()[0]?.events.some(({ text }) => /hang before start/.test(String(text)))
    await eventually(() => hangs() === true)
    assert.is(await one.serving.stop(), 0)
    const { status, text } = await asked
    assert.equal([status, /"cancelled":true/.test(text)], [503, true])
    assert.equal(await context.appFor().records.list(), [])
    assert.equal([existsSync(socket), await findServer(one.home)], [false, undefined])
  })

  test('a server that ends does not wait for requests that never come whole', async () => {
    await using one = await served()
    const { socket } = one.serving
    const head = 'POST /api/v1/workspaces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const cut = ['', head, `${head}Content-Length: 99\r\n\r\n{"name":`].map((text) => sendRaw(socket, text))
    await eventually(() => isAnswering(socket))
    const began = performance.now()
    await one.serving.stop()
    await Promise.all(cut)
    assert.ok(performance.now() - began < 5_000)
  })

  test('a server whose folder is removed is lost, and takes nothing along that is another’s', async () => {
    await using one = await served()
    const { serving, home, env } = one
    await rm(home.run, { recursive: true })
    await serving.lost
    const second = await serve({ home, env, cwd: '/', version: '2', program: [], endpoints: ENDPOINTS })
    try {
      const note = join(home.run, 'serve.json')
      const other = { ...JSON.parse(await readFile(note, 'utf8')), pid: process.ppid, pidStart: '' }
      await writeFile(note, JSON.stringify(other))
      await serving.stop()
      assert.equal([await isAnswering(serving.socket), (await findServer(home))?.pid], [true, process.ppid])
    } finally {
      await second.stop()
    }
    assert.not.ok(existsSync(serving.socket))
  })

  test('a client that goes away in the middle of a body is no bug, and no body is written anywhere', async () => {
    await using one = await served()
    const head =
      'POST /api/v1/workspaces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n'
    const client = connect(one.serving.socket, () => client.write(`${head}\r\n{"name":"half`))
    await eventually(() => client.bytesWritten > head.length)
    client.destroy()
    const log = () => readFile(join(one.home.logs, 'serve.log'), 'utf8')
    await eventually(async () => (await log()).includes('"gone":true'))
    assert.not.ok((await log()).includes('half'))
    assert.equal(await readdir(one.home.logs), ['serve.log'])
  })
})
