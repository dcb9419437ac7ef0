/**
 * Blocks of ten ports and their leases: offsets, the order of candidates, what is never leased, and what `ports.json`
 * says after each change. Ports are probed for real, in a small range.
 */
import { writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import type { WorkspaceId } from '../../../lib/core/names.ts'
import {
  assignOffsets,
  BLOCK_SIZE,
  blocksNeeded,
  candidateBases,
  FALLBACK_RANGE,
  listBases,
  type PortRange,
  portAt,
  RESERVED_RANGE,
  refuseForLackOfPorts,
  type WantedPort,
} from '../../../lib/ports/blocks.ts'
import { createLeases, type Lease, type LeaseRequest } from '../../../lib/ports/leases.ts'
import { isPortFree } from '../../../lib/system/net.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const DOCKER: PortRange = { start: 32_800, end: 34_999 }
/** Below the ephemeral range, where no outgoing connection takes a port. */
const SMALL: PortRange = { start: 20_110, end: 20_139 }

const wanted = (...names: readonly string[]): readonly WantedPort[] =>
  names.map((name, i) => ({ name, container: 1000 + i, protocol: 'tcp' }))
const offsets = (...names: readonly string[]) => Object.fromEntries(assignOffsets(wanted(...names)))

suite('offsets', (test) => {
  test('ssh, web, api and database have their places, whatever the order', () => {
    assert.equal(offsets('database', 'api', 'web', 'ssh'), { database: 3, api: 2, web: 1, ssh: 0 })
  })

  test('others follow from 4 in the order given', () => {
    assert.equal(offsets('ssh', 'mail', 'web', 'cache'), { ssh: 0, mail: 4, web: 1, cache: 5 })
  })

  test('of database and db the first keeps offset 3', () => {
    assert.equal(offsets('ssh', 'db', 'database'), { ssh: 0, db: 3, database: 4 })
  })

  test('the seventh other port is in the second block', () => {
    const all = offsets('ssh', 'a', 'b', 'c', 'd', 'e', 'f', 'g')
    assert.is(all.f, 9)
    assert.is(all.g, 10)
    assert.is(blocksNeeded(Object.values(all)), 2)
    assert.is(portAt([32_800, 40_000], 10), 40_000)
    assert.is(portAt([32_800, 40_000], 9), 32_809)
    assert.throws(() => portAt([32_800], 10))
  })

  test('no port at all needs one block', () => assert.is(blocksNeeded([]), 1))

  test('any names get different offsets', () => {
    const names = fc.uniqueArray(fc.constantFrom('ssh', 'web', 'api', 'db', 'database', ...'abcdefghijklmnop'))
    fc.assert(
      fc.property(names, (some) => {
        const all = [...assignOffsets(wanted(...some)).values()]
        assert.is(new Set(all).size, some.length)
      }),
    )
  })
})

suite('candidates', (test) => {
  test('the docker range has 220 blocks, sprite 500', () => {
    assert.is(listBases(DOCKER).length, 220)
    assert.is(listBases({ start: 35_000, end: 39_999 }).length, 500)
  })

  test('the reserved ports are in no block, however the range lies', () => {
    fc.assert(
      fc.property(fc.integer({ min: 32_700, max: 32_850 }), fc.integer({ min: 0, max: 300 }), (start, length) => {
        for (const base of listBases({ start, end: start + length })) {
          const last = base + BLOCK_SIZE - 1
          assert.ok(last < RESERVED_RANGE.start || base > RESERVED_RANGE.end, `block ${base}`)
          assert.ok(base >= start && last <= start + length, `block ${base}`)
        }
      }),
    )
    assert.equal(RESERVED_RANGE, { start: 32_768, end: 32_799 })
  })

  test('the range comes first and whole, then the fallback, nothing twice', () => {
    const bases = candidateBases('/r', 'x', DOCKER)
    const own = bases.slice(0, 220)
    assert.equal([...own].sort(), [...listBases(DOCKER)].sort())
    const rest = bases.slice(220)
    assert.is(rest.length, Math.floor((FALLBACK_RANGE.end - FALLBACK_RANGE.start + 1) / BLOCK_SIZE))
    assert.ok(rest.every((base) => base >= 40_000 && base + BLOCK_SIZE - 1 <= 65_535))
    assert.is(new Set(bases).size, bases.length)
  })

  test('a range inside the fallback is not offered again by it', () => {
    const bases = candidateBases('/r', 'x', { start: 40_005, end: 40_034 })
    assert.is(new Set(bases).size, bases.length)
    const blocks = [...bases].sort((a, b) => a - b)
    assert.ok(
      blocks.every((base, i) => i === 0 || base - (blocks[i - 1] ?? 0) >= BLOCK_SIZE),
      'blocks overlap',
    )
  })

  test('the same workspace has the same order, another one mostly another', () => {
    assert.equal(candidateBases('/r', 'x', DOCKER), candidateBases('/r', 'x', DOCKER))
    const firsts = Array.from({ length: 100 }, (_, i) => candidateBases('/r', `x${i}`, DOCKER)[0])
    assert.ok(new Set(firsts).size > 60, `${new Set(firsts).size} different first blocks of 100`)
    assert.is.not(candidateBases('/r', 'x', DOCKER)[0], candidateBases('/other', 'x', DOCKER)[0])
  })

  test('after the first come the next ones, around the end', () => {
    const own = candidateBases('/r', 'x', DOCKER).slice(0, 220)
    const jumps = own.filter((base, i) => i > 0 && base !== (own[i - 1] ?? 0) + BLOCK_SIZE)
    assert.ok(jumps.length <= 1 && (jumps[0] ?? DOCKER.start) === DOCKER.start, jumps.join())
  })

  test('a range without room leaves the fallback', () => {
    assert.ok((candidateBases('/r', 'x', { start: 20_000, end: 20_005 })[0] ?? 0) >= 40_000)
    assert.equal(listBases({ start: 20_000, end: 20_005 }), [])
  })

  test('lack of ports is told as such', async () => {
    const error = await rejects(() => refuseForLackOfPorts(SMALL, 2), 'RESOURCE_EXHAUSTED')
    assert.match(error.message, /20110-20139/)
    assert.is(error.exitCode, 5)
  })
})

interface Setup extends AsyncDisposable {
  readonly file: string
  readonly leases: ReturnType<typeof createLeases>
  readonly warnings: string[]
  request(name: string, offsets?: readonly number[]): LeaseRequest
}

async function setup(implied: readonly Lease[] = []): Promise<Setup> {
  const dir = await tempDir()
  const file = join(dir.path, 'state', 'ports.json')
  const warnings: string[] = []
  const leases = createLeases({ file, rebuild: async () => implied, warn: (text) => warnings.push(text) })
  const request = (name: string, some: readonly number[] = [0, 1]) => ({
    workspace: `ws-${name.padEnd(8, 'a')}` as WorkspaceId,
    name,
    repo: '/repo',
    range: SMALL,
    offsets: some,
  })
  return { file, leases, warnings, request, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() }
}

const inSmall = (base: number) => base >= SMALL.start && base <= SMALL.end

function listen(port: number, host: string): Promise<Server> {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen({ port, host, exclusive: true }, () => done(server))
  })
}

const close = (server: Server) => new Promise<void>((done) => server.close(() => done()))

suite('leases', (test) => {
  test('a lease is written with its owner and is kept', async () => {
    await using s = await setup()
    const bases = await s.leases.acquire(s.request('one'))
    assert.is(bases.length, 1)
    assert.ok(inSmall(bases[0] ?? 0))
    assert.equal(await s.leases.acquire(s.request('one')), bases)
    const stored = JSON.parse(await readFile(s.file, 'utf8'))
    assert.is(stored.schema, 1)
    assert.is(stored.leases.length, 1)
    const [{ since, ...lease }] = stored.leases
    assert.equal(lease, { base: bases[0], workspace: 'ws-oneaaaaa', name: 'one', repo: '/repo' })
    assert.match(since, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  test('a released name gets its ports again', async () => {
    await using s = await setup()
    const before = await s.leases.acquire(s.request('one'))
    await s.leases.release(s.request('one').workspace)
    assert.equal(await s.leases.list(), [])
    await s.leases.release(s.request('one').workspace)
    assert.equal(await s.leases.acquire(s.request('one')), before)
  })

  test('more than ten ports get a second block', async () => {
    await using s = await setup()
    const bases = await s.leases.acquire(s.request('many', [0, 1, 9, 10, 11]))
    assert.is(bases.length, 2)
    assert.is(new Set(bases).size, 2)
    assert.is((await s.leases.list()).length, 2)
  })

  test('a workspace that needs a second block later gets one and keeps the first', async () => {
    await using s = await setup()
    const [first] = await s.leases.acquire(s.request('grow'))
    // a file that is refused ends an acquire that would try for ever
    const guard = setTimeout(() => writeFileSync(s.file, '{"schema":99}'), 2_000)
    try {
      const bases = await s.leases.acquire(s.request('grow', [0, 10]))
      assert.is(bases.length, 2)
      assert.is(bases[0], first)
    } finally {
      clearTimeout(guard)
    }
  })

  test('blocks of ranges that lie crosswise share no port', async () => {
    await using s = await setup()
    const bases = []
    for (const [name, shift] of [
      ['one', 0],
      ['two', 5],
      ['three', 3],
      ['four', 8],
    ] as const) {
      const range = { start: SMALL.start + shift, end: SMALL.end + shift }
      bases.push(...(await s.leases.acquire({ ...s.request(name), range })))
    }
    const ports = bases.flatMap((base) => Array.from({ length: BLOCK_SIZE }, (_, i) => base + i))
    assert.is(new Set(ports).size, ports.length, `blocks ${bases.join(', ')}`)
  })

  test('a full range gives way to the fallback', async () => {
    await using s = await setup()
    const bases = []
    for (const name of ['one', 'two', 'three', 'four']) bases.push(...(await s.leases.acquire(s.request(name))))
    assert.is(new Set(bases).size, 4)
    assert.is(bases.filter(inSmall).length, 3)
    assert.ok((bases[3] ?? 0) >= FALLBACK_RANGE.start, `${bases[3]}`)
  })

  test('leases at once in one process get different blocks', async () => {
    await using s = await setup()
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const bases = (await Promise.all(names.map((name) => s.leases.acquire(s.request(name))))).flat()
    assert.is(new Set(bases).size, names.length)
    assert.is((await s.leases.list()).length, names.length)
  })

  test('an exchanged block is in quarantine for everybody', async () => {
    await using s = await setup()
    const [refused] = await s.leases.acquire(s.request('one'))
    const [other] = await s.leases.exchange(s.request('one'), 'port 20111 is taken')
    assert.is.not(other, refused)
    const stored = JSON.parse(await readFile(s.file, 'utf8'))
    assert.is(stored.quarantine.length, 1)
    assert.is(stored.quarantine[0].base, refused)
    assert.is(stored.quarantine[0].reason, 'port 20111 is taken')
    const minutes = (Date.parse(stored.quarantine[0].until) - Date.now()) / 60_000
    assert.ok(minutes > 8 && minutes <= 10, `${minutes} minutes`)
    for (const name of ['two', 'three']) {
      assert.not((await s.leases.acquire(s.request(name))).includes(refused ?? 0), name)
    }
  })

  test('a quarantine ends', async () => {
    await using s = await setup()
    const [base] = await s.leases.acquire(s.request('one'))
    await s.leases.exchange(s.request('one'), 'busy')
    await s.leases.release(s.request('one').workspace)
    const stored = JSON.parse(await readFile(s.file, 'utf8'))
    stored.quarantine[0].until = '2020-01-01T00:00:00Z'
    await writeFile(s.file, JSON.stringify(stored))
    assert.equal(await s.leases.acquire(s.request('one')), [base])
  })

  for (const host of ['127.0.0.1', '::1', '0.0.0.0']) {
    test(`a block with a port that is taken on ${host} is skipped`, async () => {
      await using s = await setup()
      const [first] = candidateBases('/repo', 'one', SMALL)
      const server = await listen((first ?? 0) + 1, host)
      try {
        assert.not(await isPortFree((first ?? 0) + 1))
        const [base] = await s.leases.acquire(s.request('one'))
        assert.is.not(base, first)
        assert.ok(inSmall(base ?? 0))
      } finally {
        await close(server)
      }
      assert.ok(await isPortFree((first ?? 0) + 1))
    })
  }

  test('a taken port that is not needed is no obstacle', async () => {
    await using s = await setup()
    const [first] = candidateBases('/repo', 'one', SMALL)
    const server = await listen((first ?? 0) + 7, '127.0.0.1')
    try {
      assert.equal(await s.leases.acquire(s.request('one')), [first])
    } finally {
      await close(server)
    }
  })

  test('a damaged file is kept aside and built again from the records', async () => {
    const implied: Lease = {
      base: SMALL.start,
      workspace: 'ws-kaaaaaaa' as WorkspaceId,
      name: 'kept',
      repo: '/repo',
      since: '2026-01-01T00:00:00Z',
    }
    for (const text of ['{"schema":1,"leas', '', 'null', '{"leases":[]}']) {
      await using s = await setup([implied])
      await mkdir(dirname(s.file), { recursive: true })
      await writeFile(s.file, text)
      const [base] = await s.leases.acquire(s.request('one'))
      assert.is.not(base, implied.base)
      const all = (await s.leases.list()).map((lease) => lease.name)
      assert.equal(all, ['kept', 'one'], JSON.stringify(text))
      assert.ok(s.warnings.some((warning) => warning.includes(s.file)))
      const kept = (await readdir(dirname(s.file))).filter((name) => name.includes('damaged'))
      assert.is(kept.length, 1)
      assert.is(await readFile(join(dirname(s.file), kept[0] ?? ''), 'utf8'), text)
    }
  })

  test('a file of a newer Nexus is refused and stays', async () => {
    await using s = await setup()
    await mkdir(dirname(s.file), { recursive: true })
    await writeFile(s.file, '{"schema":2}')
    await rejects(() => s.leases.acquire(s.request('one')), 'UNSUPPORTED')
    assert.is(await readFile(s.file, 'utf8'), '{"schema":2}')
  })

  test('when every block is leased nothing is left, and nothing is written', async () => {
    await using s = await setup()
    const owner = { workspace: 'ws-oaaaaaaa', name: 'other', repo: '/other', since: '2026-01-01T00:00:00Z' }
    const taken = candidateBases('/repo', 'one', SMALL).map((base) => ({ ...owner, base }))
    await mkdir(dirname(s.file), { recursive: true })
    const text = JSON.stringify({ schema: 1, generation: 0, leases: taken, quarantine: [] })
    await writeFile(s.file, text)
    const error = await rejects(() => s.leases.acquire(s.request('one')), 'RESOURCE_EXHAUSTED')
    assert.match(error.hint ?? '', /nexus delete/)
    assert.is(await readFile(s.file, 'utf8'), text)
  })
})
