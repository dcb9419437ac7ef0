/**
 * What of an instance's Docker objects is a leftover, from rows as the CLI gives them; what is known to be wrong with versions,
 * clocks and address pools; sizes and versions as text.
 */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { judgeClock, judgePools, judgeVersions } from '../../../lib/backends/docker/diagnosis.ts'
import { findLeftovers, type SeenResources } from '../../../lib/backends/docker/leftovers.ts'
import type { Needed } from '../../../lib/backends/housekeeping.ts'
import { formatSize, parseSize, sumSizes } from '../../../lib/core/sizes.ts'
import { isOlder, lacksFix } from '../../../lib/core/versions.ts'
import { type LabelledRow, parseDiskUse } from '../../../lib/tools/docker-facts.ts'
import { MARKER } from '../../../lib/tools/repository.ts'
import { CONTAINERS, makeRecord } from '../../support/app.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempRepo } from '../../support/temp.ts'

const NOW = Date.parse('2026-11-26T12:00:00Z')
const HOUR = 3_600_000
const HERE = process.cwd()
const GONE = '/nowhere/app'
const mine = makeRecord('mine', HERE, { docker: { ...CONTAINERS, image: 'nexus-abcdef01:used' } })

const row = (name: string, labels: Readonly<Record<string, string>>, age = 0): LabelledRow => ({
  id: name,
  name,
  createdAt: NOW - age,
  labels: ['workspace', 'repo', 'shared', 'cache', 'seed', 'seed.done'].map((key) => labels[key] ?? ''),
})

const nothing: SeenResources = { containers: [], networks: [], volumes: [], images: [] }
const needs = (more: Partial<Needed> = {}): Needed => ({
  ids: new Set([mine.id]),
  records: [mine],
  trashed: new Set(),
  all: false,
  ...more,
})

function found(seen: Partial<SeenResources>, needed: Needed = needs()): readonly string[] {
  const currentImage = () => ({ reference: 'nexus-abcdef01:current' })
  const gateImage = 'nexus-gate-abcdef01:current'
  const facts = { instance: 'abcdef0123456789', owner: { uid: 0, gid: 0 }, currentImage, gateImage, now: NOW }
  return findLeftovers({ ...nothing, ...seen }, needed, facts).map(
    ({ kind, name, sort, cause }) => `${sort} ${kind} ${name}: ${cause}`,
  )
}

suite('leftovers on Docker', (test) => {
  test('parts of a workspace that is gone, and no others', () => {
    const own = { workspace: mine.id, repo: HERE }
    const lost = { workspace: 'ws-aaaaaaaa', repo: HERE }
    assert.equal(
      found({
        containers: [row('c1', own), row('c2', lost)],
        networks: [row('n1', own), row('n2', lost)],
        volumes: [row('v1', own), row('v2', lost)],
      }),
      ['container c2', 'network n2', 'volume v2'].map((what) => `part ${what}: workspace ws-aaaaaaaa is gone`),
    )
  })

  test('a workspace whose record alone is lost is none: its worktree is there', async () => {
    await using repo = await tempRepo()
    const worktree = join(repo.path, '.worktree', 'x')
    await repo.git('worktree', 'add', '--quiet', worktree)
    await writeFile(join(repo.path, '.git', 'worktrees', 'x', MARKER), 'ws-aaaaaaaa\n')
    const lost = { workspace: 'ws-aaaaaaaa', repo: repo.path }
    const parts = { containers: [row('c', lost)], networks: [row('n', lost)], volumes: [row('v', lost)] }
    assert.equal(found(parts), [])
    await rm(worktree, { recursive: true })
    assert.is(found(parts).length, 3)
  })

  test('volumes of a workspace in the trash are kept; its containers are left over', () => {
    const gone = { workspace: 'ws-aaaaaaaa', repo: GONE }
    const parts = { containers: [row('c', gone)], volumes: [row('v', gone)] }
    assert.is(found(parts).length, 2)
    assert.equal(found(parts, needs({ trashed: new Set(['ws-aaaaaaaa']) })), [
      'part container c: workspace ws-aaaaaaaa is gone',
    ])
  })

  test('a helper is one after an hour', () => {
    assert.equal(found({ containers: [row('young', {}, HOUR / 2), row('old', {}, 2 * HOUR)] }), [
      'part container old: a helper that never ended',
    ])
  })

  test('shared services stay while their repository has a workspace; their data for ever, unless all is asked for', () => {
    const shared = (repo: string) => ({ shared: 'nexus-shared-1', repo })
    const seen = {
      containers: [row('used', shared(HERE)), row('unused', shared(GONE))],
      volumes: [row('data', shared(HERE)), row('old-data', shared(GONE))],
    }
    const part = `part container unused: ${GONE} has no workspaces that share it`
    assert.equal(found(seen), [part])
    assert.equal(found(seen, needs({ all: true })), [
      part,
      `store volume old-data: shared data of ${GONE}, which is gone`,
    ])
  })

  test('caches and prepared data outlive workspaces, but not their repository', () => {
    const volumes = [
      row('cache', { cache: 'true', repo: HERE }),
      row('seed', { seed: 'abc', repo: HERE }),
      row('done', { seed: 'abc', 'seed.done': 'abc', repo: HERE }),
      row('old-cache', { cache: 'true', repo: GONE }),
      row('old-seed', { seed: 'def', 'seed.done': 'def', repo: GONE }),
    ]
    const gone = [
      `store volume old-cache: cache of ${GONE}, which is gone`,
      `store volume old-seed: prepared data of ${GONE}, which is gone`,
    ]
    assert.equal(found({ volumes }), gone)
    const empty = { ids: new Set<string>(), records: [] }
    assert.equal(found({ volumes }, needs(empty)), gone, 'the repository is there, and will have workspaces again')
    assert.equal(found({ volumes }, needs({ ...empty, all: true })).length, 5)
    const unfinished = [row('half', { seed: 'xyz', repo: HERE })]
    assert.equal(found({ volumes: unfinished }, needs(empty)), [
      'store volume half: prepared data that was never finished',
    ])
  })

  test('while one record cannot be read, every repository counts as having workspaces', () => {
    const volumes = [row('old-cache', { cache: 'true', repo: GONE })]
    const containers = [row('shared', { shared: 's', repo: GONE })]
    assert.equal(found({ volumes, containers }, needs({ ids: new Set([mine.id, 'ws-bbbbbbbb']), all: true })), [])
  })

  test('images: those in use, of a record, or for the next workspace stay', () => {
    const image = (references: readonly string[], labels: Readonly<Record<string, string>> = {}) => ({
      id: `sha256:${references[0] ?? 'untagged'}`,
      references,
      bytes: 5,
      labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [`dev.nexus.${key}`, value])),
    })
    const images = [
      image(['nexus-abcdef01:used'], { image: 'x', workspace: '' }),
      image(['nexus-abcdef01:current'], { image: 'x', workspace: '' }),
      image(['nexus-abcdef01:older'], { image: 'x', workspace: '' }),
      image([], { image: 'x' }),
      image(['nexus-lost-app:latest'], { workspace: 'ws-aaaaaaaa' }),
      image(['nexus-mine-app:latest'], { workspace: mine.id }),
      image(['somebody/tagged:it'], { image: 'x', workspace: '' }),
    ]
    assert.equal(found({ images }), [
      'store image nexus-abcdef01:older: no workspace is made from it',
      'store image sha256:untagged: an older build',
      'part image nexus-lost-app:latest: workspace ws-aaaaaaaa is gone',
    ])
    assert.ok(found({ images }, needs({ all: true })).some((line) => line.includes('nexus-abcdef01:current')))
    const busy = makeRecord('busy', HERE, { operation: {} as never })
    assert.equal(
      found({ images }, needs({ records: [mine, busy], ids: new Set([mine.id, busy.id]) })),
      ['part image nexus-lost-app:latest: workspace ws-aaaaaaaa is gone'],
      'while something is being made, an image without container may be its',
    )
    const under = makeRecord('under', HERE, { docker: { ...CONTAINERS, stack: { under: 'nexus-lost-app' } as never } })
    const needed = needs({ records: [mine, under], ids: new Set([mine.id, under.id]) })
    assert.not.ok(found({ images }, needed).some((line) => line.includes('nexus-lost-app')))
  })
})

suite('the engine', (test) => {
  const versions = (engine: string, components = {}, platform = '') => judgeVersions({ engine, platform, components })

  test('versions with known holes are named by the hole and by what mends it', () => {
    assert.equal(
      versions('26.1.5', { Engine: '26.1.5+dfsg1', runc: '1.1.5', containerd: '1.7.27' }).map(({ message }) => message),
      [
        'Engine 26.1.5+dfsg1 lacks a fix: it came with 28.3.3 (moby#45610, CVE-2025-54388).',
        'runc 1.1.5 lacks a fix: it came with 1.2.8 and 1.3.3 (CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881).',
      ],
    )
    const [desktop] = versions('28.3.3', {}, 'Docker Desktop 4.43.1 (198352)')
    assert.match(
      desktop?.message ?? '',
      /^Docker Desktop 4\.43\.1 .*lacks a fix: it came with 4\.44\.3 \(CVE-2025-9074\)\.$/,
    )
    assert.equal(
      versions('28.3.3', { Engine: '28.3.3', runc: '1.3.3' }).map(({ status }) => status),
      ['ok'],
    )
    assert.equal(
      versions('29.0.0', {}, 'Docker Desktop 4.44.3').map(({ status }) => status),
      ['ok'],
    )
  })

  test('a clock that is off by more than five seconds', () => {
    assert.is(judgeClock(NOW, NOW + 4_000).status, 'ok')
    assert.match(judgeClock(NOW, NOW + 90_000).message, /90 s behind/)
    assert.match(judgeClock(NOW + 90_000, NOW).message, /90 s ahead of/)
  })

  test("address pools count networks that are not Nexus's", () => {
    assert.is(judgePools({ all: 100, labelled: 90 }).status, 'ok')
    assert.match(judgePools({ all: 100, labelled: 71 }).message, /^29 of about 31 networks/)
  })
})

suite('sizes and versions', (test) => {
  test('as Docker prints them, and as people read them', () => {
    for (const [text, bytes] of [
      ['0B', 0],
      ['13.63kB', 13_630],
      ['277.7MB (virtual 300MB)', 277_700_000],
      ['1.5GB', 1.5e9],
      ['N/A', null],
      ['', null],
    ] as const) {
      assert.is(parseSize(text), bytes, text)
    }
    assert.equal([0, 999, 1_500, 12_345, 3.4e9, null].map(formatSize), [
      '0 B',
      '999 B',
      '1.5 kB',
      '12 kB',
      '3.4 GB',
      '?',
    ])
    assert.is(sumSizes([1, 2]), 3)
    assert.is(sumSizes([1, null]), null)
  })

  test('older by numbers, not by letters', () => {
    assert.is(isOlder('git version 2.9.5', '2.31'), true)
    assert.is(isOlder('2.31.0', '2.31'), false)
    assert.is(isOlder('10.0.0', '9.9.9'), false)
    assert.is(isOlder('no version', '1.0'), false)
  })

  test('each line of releases has its own fix', () => {
    const fixes = ['1.2.8', '1.3.3']
    const lacking = ['1.1.99', '1.2.7', '1.3.0', '1.3.2'].map((version) => lacksFix(version, fixes))
    const fine = ['1.2.8', '1.3.3', '1.4.0', '2.0.0', ''].map((version) => lacksFix(version, fixes))
    assert.equal([...lacking, ...fine], [true, true, true, true, false, false, false, false, false])
  })

  test('disk use, from what docker prints', () => {
    const json = {
      Containers: [{ ID: 'abc', Labels: 'a=b', Size: '1.6kB' }],
      Volumes: [{ Name: 'v', Labels: '', Size: 'N/A' }],
    }
    assert.equal(parseDiskUse(JSON.stringify(json)), {
      containers: [{ id: 'abc', labels: 'a=b', bytes: 1_600 }],
      volumes: [{ name: 'v', labels: '', bytes: null }],
    })
    assert.equal(parseDiskUse('{"Containers":null}'), { containers: [], volumes: [] })
  })
})
