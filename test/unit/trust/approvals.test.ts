/** Approvals on disk: what was asked for, what was allowed, for which repository, and that nothing is allowed by accident. */
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import fc from 'fast-check'
import type { Event } from '../../../lib/core/events.ts'
import { homePaths } from '../../../lib/core/paths.ts'
import { createApprovals, hashFindings, requireApproval } from '../../../lib/trust/approvals.ts'
import { makeFinding } from '../../../lib/trust/findings.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const REPO = '/home/u/app'
const FINDINGS = [
  makeFinding('services.a.privileged', true, 'full access'),
  makeFinding('hooks.post-create', 'make', 'runs here'),
]
const HASH = hashFindings(FINDINGS)

async function scene() {
  const dir = await tempDir()
  const warnings: string[] = []
  const home = homePaths(dir.path)
  const emit = (event: Event) => void warnings.push(event.type === 'warning' ? event.text : JSON.stringify(event))
  const approvals = createApprovals({ home, emit })
  return { approvals, home, warnings, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() }
}

suite('hash of findings', (test) => {
  test('depends on paths and values, not on order, repetition or reasons', () => {
    const [a, b] = FINDINGS as [(typeof FINDINGS)[0], (typeof FINDINGS)[0]]
    assert.match(HASH, /^nx-[0-9a-f]{32}$/)
    assert.is(hashFindings([b, a, { ...b, why: 'reworded' }]), HASH)
    for (const other of [[a], [a, { ...b, value: 'make all' }], [a, { ...b, path: 'hooks.pre-start' }]]) {
      assert.is.not(hashFindings(other), HASH)
    }
  })

  test('stays what it is: approvals in configurations depend on it', () => {
    assert.is(hashFindings([makeFinding('a', 'b', 'c')]), 'nx-db8992cf941b185a1c5bbcfbdc3f4320')
  })

  test('two different lists never share it by how they are joined', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', ':', '[', ']', '\\'), maxLength: 4 })
    const list = fc.array(
      fc.tuple(text, text).map(([path, value]) => ({ path, value, why: '' })),
      { maxLength: 3 },
    )
    const words = (one: { path: string; value: string }[]) =>
      JSON.stringify([...new Set(one.map(({ path, value }) => JSON.stringify([path, value])))].sort())
    fc.assert(fc.property(list, list, (a, b) => (hashFindings(a) === hashFindings(b)) === (words(a) === words(b))))
  })
})

suite('approvals', (test) => {
  test('asked for, approved, revoked', async () => {
    await using s = await scene()
    const { approvals, home } = s
    assert.is(await approvals.isApproved(REPO, HASH, []), false)
    assert.is(existsSync(dirname(home.approvals)), false, 'a look writes nothing')
    await approvals.request(REPO, HASH, FINDINGS)
    assert.is(await approvals.isApproved(REPO, HASH, []), false)
    assert.equal(
      (await approvals.list(REPO)).pending.map(({ hash }) => hash),
      [HASH],
    )
    assert.is((await approvals.approve(REPO, [HASH])).length, 1)
    assert.is(await approvals.isApproved(REPO, HASH, []), true)
    assert.equal((await approvals.list(REPO)).pending, [])
    assert.equal((await approvals.list(REPO)).approved[0]?.findings.length, 2)
    assert.is((await approvals.approve(REPO, [HASH])).length, 0, 'approved already')
    assert.is(await approvals.revoke(REPO, HASH), true)
    assert.is(await approvals.revoke(REPO, HASH), false)
    assert.is(await approvals.isApproved(REPO, HASH, []), false)
    assert.is((await stat(home.approvals)).mode & 0o777, 0o600)
  })

  test('holds for one repository only; hashes of the user hold everywhere', async () => {
    await using s = await scene()
    await s.approvals.request(REPO, HASH, FINDINGS)
    await s.approvals.approve(REPO, [HASH])
    assert.is(await s.approvals.isApproved('/home/u/other', HASH, []), false)
    assert.is(await s.approvals.isApproved('/home/u/other', HASH, ['nx-x', HASH]), true)
    assert.equal((await s.approvals.list('/home/u/other')).approved, [])
    assert.is((await s.approvals.list()).approved.length, 1)
  })

  test('what nothing asked for is not approved, and nothing else with it', async () => {
    await using s = await scene()
    await s.approvals.request(REPO, HASH, FINDINGS)
    const error = await rejects(() => s.approvals.approve(REPO, [HASH, 'nx-made-up']), 'INVALID_ARGUMENT')
    assert.match(error.message, /nx-made-up/)
    assert.equal(error.details?.pending, [HASH])
    assert.is(await s.approvals.isApproved(REPO, HASH, []), false)
    await rejects(() => s.approvals.approve('/home/u/other', [HASH]), 'INVALID_ARGUMENT')
  })

  test('the newest fifty are remembered, one asked for again is the newest', async () => {
    await using s = await scene()
    for (let i = 0; i < 51; i++) await s.approvals.request(REPO, `nx-${i}`, FINDINGS)
    await s.approvals.request(REPO, 'nx-1', FINDINGS)
    const hashes = (await s.approvals.list()).pending.map(({ hash }) => hash)
    assert.is(hashes.length, 50)
    assert.is(hashes.at(-1), 'nx-1')
    assert.is(hashes.includes('nx-0'), false)
    assert.is(new Set(hashes).size, 50)
  })

  test('of each workspace the last request alone is kept, with branch and time, and for a day', async () => {
    await using s = await scene()
    const evil = { workspace: 'evil', branch: 'evil' }
    await s.approvals.request(REPO, 'nx-1', FINDINGS, { asker: evil })
    await s.approvals.request(REPO, 'nx-1', FINDINGS, { asker: { workspace: 'mine', branch: 'nexus/mine' } })
    await s.approvals.request('/home/u/other', 'nx-1', FINDINGS, { asker: evil })
    await s.approvals.request(REPO, 'nx-2', FINDINGS, { asker: evil })
    const pending = async () => (await s.approvals.list(REPO)).pending
    const asked = async () => (await pending()).map(({ hash, asker }) => `${hash} ${asker?.branch}`)
    assert.equal(await asked(), ['nx-1 nexus/mine', 'nx-2 evil'])
    // a client that connects again and again does not become the last refusal
    await s.approvals.request(REPO, 'nx-1', FINDINGS, {
      asker: { workspace: 'mine', branch: 'nexus/mine' },
      isRepeated: true,
    })
    assert.equal(await asked(), ['nx-1 nexus/mine', 'nx-2 evil'])

    const file = JSON.parse(await readFile(s.home.approvals, 'utf8'))
    const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
    const aged = (hours: number) => file.pending.map((one: object) => ({ ...one, since: ago(hours) }))
    await writeFile(s.home.approvals, JSON.stringify({ ...file, pending: aged(23) }))
    assert.is((await pending()).length, 2)
    await writeFile(s.home.approvals, JSON.stringify({ ...file, pending: aged(25) }))
    assert.equal(await pending(), [])
    await rejects(() => s.approvals.approve(REPO, ['nx-1']), 'INVALID_ARGUMENT')
  })

  test('asked for again while approved: the approval stays', async () => {
    await using s = await scene()
    await s.approvals.request(REPO, HASH, FINDINGS)
    await s.approvals.approve(REPO, [HASH])
    await s.approvals.request(REPO, HASH, FINDINGS)
    await s.approvals.approve(REPO, [HASH])
    const { pending, approved } = await s.approvals.list()
    assert.equal([pending.length, approved.length], [0, 1])
  })

  test('many at once lose nothing', async () => {
    await using s = await scene()
    const hashes = Array.from({ length: 12 }, (_, i) => `nx-${i}`)
    await Promise.all(hashes.map((hash) => s.approvals.request(REPO, hash, FINDINGS)))
    await Promise.all(hashes.map((hash) => s.approvals.approve(REPO, [hash])))
    assert.is((await s.approvals.list()).approved.length, 12)
  })

  for (const [what, text] of [
    ['no JSON', '{"schema": 1, "approved": ['],
    ['another shape', JSON.stringify({ schema: 1, pending: [], approved: { repo: REPO } })],
    ['entries that are none', JSON.stringify({ schema: 1, pending: [], approved: [{ repo: REPO, hash: 5 }] })],
    [
      'findings that are none',
      JSON.stringify({ schema: 1, approved: [], pending: [{ repo: REPO, hash: 'x', since: 'y', findings: [null] }] }),
    ],
  ] as const) {
    test(`a damaged file (${what}) is set aside, said, and allows nothing`, async () => {
      await using s = await scene()
      await s.approvals.request(REPO, HASH, FINDINGS)
      await s.approvals.approve(REPO, [HASH])
      await writeFile(s.home.approvals, text)
      assert.is(await s.approvals.isApproved(REPO, HASH, []), false)
      assert.is(s.warnings.length, 1)
      assert.match(s.warnings[0] ?? '', /damaged.*approved again/)
      const kept = (await readdir(dirname(s.home.approvals))).filter((name) => name.includes('.damaged-'))
      assert.is(kept.length, 1)
      assert.is(await readFile(`${dirname(s.home.approvals)}/${kept[0]}`, 'utf8'), text)
      await s.approvals.request(REPO, HASH, FINDINGS)
      assert.is((await s.approvals.list()).pending.length, 1)
    })
  }

  test('a file of a newer Nexus is refused and left alone', async () => {
    await using s = await scene()
    await s.approvals.request(REPO, HASH, FINDINGS)
    await writeFile(s.home.approvals, '{"schema": 2}')
    await rejects(() => s.approvals.isApproved(REPO, HASH, []), 'UNSUPPORTED')
    await rejects(() => s.approvals.request(REPO, HASH, FINDINGS), 'UNSUPPORTED')
    assert.is(await readFile(s.home.approvals, 'utf8'), '{"schema": 2}')
  })
})

suite('requireApproval', (test) => {
  test('nothing to approve', async () => {
    await using s = await scene()
    await requireApproval({ approvals: s.approvals, repo: REPO, findings: [], given: [] })
    assert.is(existsSync(s.home.approvals), false)
  })

  test('tells what is asked for and how to allow it, then is content', async () => {
    await using s = await scene()
    const request = { approvals: s.approvals, repo: REPO, findings: FINDINGS, given: [] }
    const error = await rejects(() => requireApproval(request), 'APPROVAL_REQUIRED')
    assert.is(error.exitCode, 4)
    assert.match(error.message, /2 things/)
    assert.match(
      error.output ?? '',
      /services\.a\.privileged: true\n {4}full access\nhooks\.post-create: make\n {4}runs here/,
    )
    assert.ok(error.hint?.endsWith(`\`nexus trust approve ${HASH}\``), error.hint)
    assert.equal(error.details, { hash: HASH, findings: FINDINGS })
    const typed = await rejects(() => requireApproval({ ...request, again: 'nexus up a' }), 'APPROVAL_REQUIRED')
    assert.ok(typed.hint?.endsWith(`\`nexus trust approve ${HASH} && nexus up a\``), typed.hint)
    await s.approvals.approve(REPO, [HASH])
    await requireApproval(request)
    await rejects(() => requireApproval({ ...request, findings: FINDINGS.slice(1) }), 'APPROVAL_REQUIRED')
  })

  test('a hash of the user allows it without a file', async () => {
    await using s = await scene()
    await requireApproval({ approvals: s.approvals, repo: REPO, findings: FINDINGS, given: [HASH] })
    assert.is(existsSync(s.home.approvals), false)
  })

  test('a dry run remembers nothing', async () => {
    await using s = await scene()
    const request = { approvals: s.approvals, repo: REPO, findings: FINDINGS, given: [], remember: false }
    const error = await rejects(() => requireApproval(request), 'APPROVAL_REQUIRED')
    assert.match(error.hint ?? '', /without --dry-run/)
    assert.is(existsSync(s.home.approvals), false)
  })

  test('more than anybody judges is refused', async () => {
    await using s = await scene()
    const findings = Array.from({ length: 501 }, (_, i) => makeFinding('p', String(i), 'w'))
    await rejects(() => requireApproval({ approvals: s.approvals, repo: REPO, findings, given: [] }), 'CONFIG_INVALID')
  })
})
