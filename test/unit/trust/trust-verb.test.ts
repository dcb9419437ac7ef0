/** `nexus trust`: what it shows, approves and revokes, as text and as JSON, here and from elsewhere. */
import { join } from 'node:path'
import { parseName } from '../../../lib/core/names.ts'
import { homePaths } from '../../../lib/core/paths.ts'
import { createApprovals, hashFindings } from '../../../lib/trust/approvals.ts'
import { makeFinding } from '../../../lib/trust/findings.ts'
import { nexus } from '../../support/called.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir, tempRepo } from '../../support/temp.ts'

const ONE = [makeFinding('services.a.privileged', true, 'full access to this machine')]
const TWO = [makeFinding('services.b.pid', 'host', 'sees all processes of this machine')]
const [FIRST, SECOND] = [hashFindings(ONE), hashFindings(TWO)]

async function scene() {
  const dir = await tempDir()
  const repo = await tempRepo()
  const home = join(dir.path, '.nexus')
  const approvals = createApprovals({
    home: homePaths(home),
    emit: (event) => assert.unreachable(JSON.stringify(event)),
  })
  const call = (cwd: string, ...args: readonly string[]) => nexus(cwd, dir.path, ['trust', ...args])
  return {
    repo: repo.path,
    elsewhere: dir.path,
    approvals,
    call,
    nexus: (...args: readonly string[]) => call(repo.path, ...args),
    [Symbol.asyncDispose]: async () => {
      await repo[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

suite('nexus trust', (test) => {
  test('nothing is asked for', async () => {
    await using s = await scene()
    const { code, stdout } = await s.nexus()
    assert.is(code, 0)
    assert.match(stdout, /nothing is asked for/)
    assert.equal((await s.nexus('--json')).json, { pending: [], approved: [] })
    for (const verb of ['approve', 'revoke']) assert.is((await s.nexus(verb, 'all')).code, 0, verb)
  })

  test('shows what is asked for and what is approved, with what and why', async () => {
    await using s = await scene()
    await s.approvals.request(s.repo, FIRST, ONE, { asker: { workspace: 'evil', branch: 'evil\u202e' } })
    await s.approvals.request(s.repo, SECOND, TWO)
    await s.approvals.approve(s.repo, [SECOND])
    await s.approvals.request('/another', SECOND, TWO)
    const { stdout } = await s.nexus()
    const head = `^${FIRST}  asked for by branch evil\\\\u202e, \\d+s ago \\(workspace evil\\), not approved\n`
    assert.match(stdout, new RegExp(`${head}  services.a.privileged: true\n      full access`))
    assert.match(stdout, new RegExp(`${SECOND}  approved, `))
    assert.match(stdout, /`nexus trust approve <hash>`/)
    assert.not.match(stdout, /another/)
    assert.match((await s.nexus('--all')).stdout, /in \/another/)
    assert.match((await s.call(s.elsewhere)).stdout, /in \/another/)
    const { pending, approved } = (await s.nexus('--json')).json
    assert.equal([pending[0].hash, approved[0].hash], [FIRST, SECOND])
    assert.equal(pending[0].findings, ONE)
  })

  test('approves one, several, all; revokes', async () => {
    await using s = await scene()
    await s.approvals.request(s.repo, FIRST, ONE)
    await s.approvals.request(s.repo, SECOND, TWO)
    const dry = await s.nexus('approve', FIRST, '--dry-run')
    assert.match(dry.stdout, /would be approved/)
    assert.is(await s.approvals.isApproved(s.repo, FIRST, []), false)
    const both = await s.nexus('approve', FIRST, SECOND, '--json')
    assert.equal(
      both.json.approved.map(({ hash }: { hash: string }) => hash),
      [FIRST, SECOND],
    )
    assert.is(await s.approvals.isApproved(s.repo, SECOND, []), true)
    assert.is((await s.nexus('approve', FIRST)).code, 0, 'once more is no error')
    assert.match((await s.nexus('revoke', FIRST, '--dry-run')).stdout, /would be revoked/)
    assert.is(await s.approvals.isApproved(s.repo, FIRST, []), true)
    assert.match((await s.nexus('revoke', FIRST)).stdout, new RegExp(`${FIRST} is revoked for ${s.repo}`))
    assert.is(await s.approvals.isApproved(s.repo, FIRST, []), false)
    await s.approvals.request(s.repo, FIRST, ONE)
    await s.nexus('approve', 'all')
    assert.is((await s.approvals.list(s.repo)).approved.length, 2)
    await s.approvals.request(s.repo, 'nx-3', ONE)
    const { stdout } = await s.nexus('revoke', 'all')
    assert.match(stdout, new RegExp(`^${SECOND} is revoked for .*^nx-3 is forgotten, never approved, for `, 'ms'))
    assert.equal(await s.approvals.list(), { pending: [], approved: [] })
  })

  test('`all` is the last refusal alone, a name what that workspace asked for', async () => {
    await using s = await scene()
    const ask = (hash: string, workspace: string, repo = s.repo) =>
      s.approvals.request(repo, hash, ONE, { asker: { workspace, branch: `b/${workspace}` } })
    const pending = async () => (await s.approvals.list(s.repo)).pending.map(({ hash }) => hash)
    await ask('nx-evil', 'evil')
    await ask('nx-mine', 'mine')
    const { stdout } = await s.nexus('approve', 'all')
    assert.match(stdout, /nx-mine is approved for .* as asked for by branch b\/mine \(workspace mine\)/)
    assert.match(stdout, /one more request is left as before/)
    assert.equal(await pending(), ['nx-evil'])

    await ask('nx-login', parseName('feature/login'))
    await ask('nx-else', 'else', '/some/shop')
    assert.is((await s.nexus('approve', 'feature/login')).code, 0)
    assert.equal(await pending(), ['nx-evil'])
    await ask('nx-branch', 'by-branch')
    assert.is((await s.nexus('approve', 'b/by-branch')).code, 0)
    assert.equal(await pending(), ['nx-evil'])
    assert.is((await s.nexus('approve', 'mine')).code, 0, 'once more is no error')
    const elsewhere = await s.nexus('approve', 'else', '--json')
    assert.is(elsewhere.code, 2)
    assert.match(elsewhere.json.error.message, /No workspace "else" asks for anything in /)
    assert.match(elsewhere.json.error.hint, '`nexus trust approve shop/else`')
    assert.is((await s.nexus('approve', 'shop/else')).code, 0)
    assert.is(await s.approvals.isApproved('/some/shop', 'nx-else', []), true)
    assert.is((await s.nexus('revoke', 'evil', 'mine')).code, 0)
    assert.equal(await pending(), [])
    assert.is(await s.approvals.isApproved(s.repo, 'nx-mine', []), false)
  })

  test('`all` leaves other repositories alone', async () => {
    await using s = await scene()
    await s.approvals.request('/another', FIRST, ONE)
    await s.approvals.request(s.repo, SECOND, TWO)
    await s.nexus('approve', 'all')
    assert.is(await s.approvals.isApproved('/another', FIRST, []), false)
    const outside = await s.call(s.elsewhere, 'approve', 'all', '--json')
    assert.is(outside.code, 2)
    assert.is(outside.json.error.code, 'INVALID_ARGUMENT')
  })

  test('a hash is found from anywhere, unless several repositories ask for the same', async () => {
    await using s = await scene()
    await s.approvals.request(s.repo, FIRST, ONE)
    assert.is((await s.call(s.elsewhere, 'approve', FIRST)).code, 0)
    assert.is(await s.approvals.isApproved(s.repo, FIRST, []), true)
    await s.approvals.request('/one', SECOND, TWO)
    await s.approvals.request('/two', SECOND, TWO)
    const ambiguous = await s.call(s.elsewhere, 'approve', SECOND, '--json')
    assert.is(ambiguous.code, 4)
    assert.equal(ambiguous.json.error.details.candidates, ['/one', '/two'])
    const named = await s.call(s.elsewhere, 'approve', SECOND, '--repo', s.repo, '--json')
    assert.is(named.json.error.code, 'INVALID_ARGUMENT')
  })

  test('an unknown hash and a missing one are errors', async () => {
    await using s = await scene()
    for (const args of [['approve', 'nx-1'], ['revoke', 'nx-1'], ['approve'], ['frobnicate']]) {
      const { code, json } = await s.nexus(...args, '--json')
      assert.is(code, 2, args.join(' '))
      assert.is(json.error.code, 'INVALID_ARGUMENT')
    }
  })

  test('help shows that several hashes may be given', async () => {
    await using s = await scene()
    assert.match((await s.nexus('approve', '--help')).stdout, /Usage: nexus trust approve <hash\.\.\.> \[options\]/)
  })
})
