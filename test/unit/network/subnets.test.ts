/**
 * Blocks of addresses and their leases: CIDR arithmetic, the routes of a machine, the order of candidates, and what
 * `subnets.json` says after each change.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { BlockList } from 'node:net'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import type { WorkspaceId, WorkspaceName } from '../../../lib/core/names.ts'
import type { WorkspaceRecord } from '../../../lib/core/workspace.ts'
import { type Cidr, formatCidr, overlap, parseCidr, sizeOf } from '../../../lib/network/cidr.ts'
import { parseRoutes, type Route, readRoutes } from '../../../lib/network/routes.ts'
import {
  candidateBlocks,
  createSubnets,
  parseRange,
  type SubnetLease,
  type SubnetRequest,
} from '../../../lib/network/subnets.ts'
import { subnetLeasesOf } from '../../../lib/workspace/port-plan.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text)
  if (parsed === undefined) throw new Error(`not a block: ${text}`)
  return parsed
}

const anyCidr = fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 })).map(
  ([address, prefix]): Cidr => ({
    first: address - (address % sizeOf(prefix)),
    prefix,
  }),
)

suite('CIDR blocks', (test) => {
  test('are read and written', () => {
    assert.equal(cidr('10.213.4.64/26'), { first: 10 * 2 ** 24 + 213 * 2 ** 16 + 4 * 256 + 64, prefix: 26 })
    assert.equal(cidr('255.255.255.255/32'), { first: 2 ** 32 - 1, prefix: 32 })
    assert.is(formatCidr(cidr('10.213.4.77/26')), '10.213.4.64/26')
    assert.is(formatCidr(cidr('192.168.1.1/0')), '0.0.0.0/0')
  })

  for (const text of [
    '',
    '10.0.0.0',
    '10.0.0/8',
    '10.0.0.0.0/8',
    '256.0.0.0/8',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '010.0.0.0/8',
    '10.0.0.0/-1',
    '10.0.0.0/8 ',
    '10..0.0/8',
    '1e1.0.0.0/8',
    'fd00::/64',
    '10.0.0.0/8/8',
  ]) {
    test(`${JSON.stringify(text)} is none`, () => assert.is(parseCidr(text), undefined))
  }

  test('what is written is read again', () => {
    fc.assert(fc.property(anyCidr, (block) => assert.equal(cidr(formatCidr(block)), block)))
  })

  test("overlap as Node's own lists of blocks say", () => {
    const near = fc
      .tuple(anyCidr, anyCidr)
      .chain(([a, b]) => fc.constantFrom<[Cidr, Cidr]>([a, b], [a, a], [b, inside(b)]))
    fc.assert(
      fc.property(near, ([a, b]) => {
        const list = new BlockList()
        const [address = '', prefix] = formatCidr(a).split('/')
        list.addSubnet(address, Number(prefix), 'ipv4')
        const ends = [b.first, b.first + sizeOf(b.prefix) - 1].map((first) => formatCidr({ first, prefix: 32 }))
        const known = ends.some((end) => list.check(end.slice(0, -3)))
        assert.is(overlap(a, b), known || (a.first >= b.first && a.first < b.first + sizeOf(b.prefix)))
        assert.is(overlap(a, b), overlap(b, a))
      }),
    )
    assert.ok(overlap(cidr('10.0.0.0/8'), cidr('10.213.0.0/16')))
    assert.not(overlap(cidr('10.0.0.0/26'), cidr('10.0.0.64/26')))
  })
})

function inside({ first, prefix }: Cidr): Cidr {
  return prefix === 32 ? { first, prefix } : { first: first + sizeOf(prefix + 1), prefix: prefix + 1 }
}

/** As the kernel prints it: padded lines, tabs. The last two are an OpenVPN tunnel that takes over the default route. */
const ROUTES = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
br-b47927baf04c	4004D50A	00000000	0001	0	0	0	C0FFFFFF	0	0	0
wg0	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
tun0	0100A8C0	00000000	0005	0	0	0	FFFFFFFF	0	0	0
tun1	00000000	0100080A	0003	0	0	0	00000080	0	0	0
tun1	00000080	0100080A	0003	0	0	0	00000080	0	0	0
eth9	0000000A	00000000	0000	0	0	0	0000FFFF	0	0	0
`

suite('routes', (test) => {
  test('are read from low byte to high, the default ones left out', () => {
    const found = parseRoutes(ROUTES).map((route) => `${route.interface} ${formatCidr(route)}`)
    assert.equal(found, [
      'docker0 172.17.0.0/16',
      'br-b47927baf04c 10.213.4.64/26',
      'wg0 10.0.0.0/8',
      'tun0 192.168.0.1/32',
    ])
  })

  test('no text and no sense give none', () => {
    assert.equal(parseRoutes(''), [])
    assert.equal(parseRoutes('Iface\nx y z\n\neth0 zz00000A 0 0001 0 0 0 000000FF'), [])
  })

  test('this machine has some that can be read', async () => {
    for (const route of await readRoutes()) assert.ok(route.prefix > 1 && route.interface !== '', JSON.stringify(route))
  })
})

suite('the range', (test) => {
  for (const good of ['10.213.0.0/16', '10.0.0.0/8', '192.168.7.0/24', '172.30.0.0/15']) {
    test(`${good} is good`, () => assert.is(formatCidr(parseRange(good)), good))
  }

  for (const [bad, words, hint] of [
    ['10.213.0.0/25', 'between /8 and /24', '10.213.0.0/16'],
    ['10.0.0.0/7', 'between /8 and /24', '10.213.0.0/16'],
    ['10.214.3.0/16', 'where such a block begins', '10.214.0.0/16'],
    ['127.0.0.0/16', 'no network', '10.213.0.0/16'],
    ['224.0.0.0/8', 'no network', '10.213.0.0/16'],
    ['0.1.0.0/16', 'no network', '10.213.0.0/16'],
    ['ten', 'no block of IPv4', '10.213.0.0/16'],
    ['fd00:1234::/16', 'no block of IPv4', '10.213.0.0/16'],
  ] as const) {
    test(`${bad} is refused`, async () => {
      const error = await rejects(() => parseRange(bad), 'CONFIG_INVALID')
      assert.ok(error.message.includes(JSON.stringify(bad)) && error.message.includes(words), error.message)
      assert.is(error.hint, `To set another, run \`nexus config set subnets.range ${hint}\``)
    })
  }
})

suite('candidate blocks', (test) => {
  test('are all of the range, once each, around the end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 18, max: 24 }), fc.string(), (prefix, name) => {
        const range = { first: cidr('10.213.64.0/18').first, prefix }
        const blocks = [...candidateBlocks('/r', name, range)].map(({ first }) => first)
        assert.is(blocks.length, sizeOf(prefix) / 64)
        const whole = Array.from({ length: blocks.length }, (_, i) => range.first + i * 64)
        assert.equal(
          [...blocks].sort((a, b) => a - b),
          whole,
        )
        const jumps = blocks.filter((first, i) => i > 0 && first !== (blocks[i - 1] ?? 0) + 64)
        assert.ok(jumps.length <= 1 && (jumps[0] ?? range.first) === range.first)
      }),
    )
  })

  test('begin at a place of their own', () => {
    const first = (repo: string, name: string) => candidateBlocks(repo, name, cidr('10.213.0.0/16')).next().value
    assert.equal(first('/r', 'x'), first('/r', 'x'))
    assert.not.equal(first('/r', 'x'), first('/other', 'x'))
    const different = new Set(Array.from({ length: 100 }, (_, i) => JSON.stringify(first('/r', `x${i}`))))
    assert.ok(different.size > 80, `${different.size} different first blocks of 100`)
  })
})

interface Setup extends AsyncDisposable {
  readonly file: string
  readonly subnets: ReturnType<typeof createSubnets>
  readonly warnings: string[]
}

async function setup(options: { implied?: readonly SubnetLease[]; routes?: readonly Route[] } = {}): Promise<Setup> {
  const { implied = [], routes = [] } = options
  const dir = await tempDir()
  const file = join(dir.path, 'state', 'subnets.json')
  const warnings: string[] = []
  const warn = (text: string) => warnings.push(text)
  const subnets = createSubnets({ file, rebuild: async () => implied, warn, routes: async () => routes })
  return { file, subnets, warnings, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() }
}

/** A range of four blocks, unless told otherwise. */
const request = (name: string, count = 1, range = '10.213.8.0/24'): SubnetRequest => ({
  workspace: `ws-${name.padEnd(8, 'a')}` as WorkspaceId,
  name,
  repo: '/repo',
  range,
  count,
})

const route = (text: string): Route => ({ ...cidr(text), interface: 'wg0' })

suite('subnet leases', (test) => {
  test('a lease is written with its owner and is kept', async () => {
    await using s = await setup()
    const blocks = await s.subnets.acquire(request('one'))
    assert.match(blocks.join(), /^10\.213\.8\.(0|64|128|192)\/26$/)
    assert.equal(await s.subnets.acquire(request('one')), blocks)
    const stored = JSON.parse(await readFile(s.file, 'utf8'))
    assert.is(stored.schema, 1)
    assert.is(stored.generation, 1)
    assert.is(stored.leases.length, 1)
    const [{ since, ...lease }] = stored.leases
    assert.equal(lease, { cidr: blocks[0], workspace: 'ws-oneaaaaa', name: 'one', repo: '/repo' })
    assert.match(since, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  test('more networks get more blocks behind the first, fewer keep what they have', async () => {
    await using s = await setup()
    const [first] = await s.subnets.acquire(request('grow'))
    const three = await s.subnets.acquire(request('grow', 3))
    assert.is(three.length, 3)
    assert.is(new Set(three).size, 3)
    assert.is(three[0], first)
    assert.equal(await s.subnets.acquire(request('grow', 1)), three)
    assert.is((await s.subnets.list()).length, 3)
  })

  test('no network needs no lease and no file', async () => {
    await using s = await setup()
    assert.equal(await s.subnets.acquire(request('none', 0)), [])
    assert.equal(await s.subnets.list(), [])
  })

  test('what was leased stays when the range moves', async () => {
    await using s = await setup()
    const before = await s.subnets.acquire(request('one'))
    assert.equal(await s.subnets.acquire(request('one', 1, '10.99.0.0/16')), before)
    const [kept, more] = await s.subnets.acquire(request('one', 2, '10.99.0.0/16'))
    assert.is(kept, before[0])
    assert.match(more ?? '', /^10\.99\./)
  })

  test('a released workspace gets its blocks again', async () => {
    await using s = await setup()
    const before = await s.subnets.acquire(request('one', 2))
    await s.subnets.release(request('one').workspace)
    assert.equal(await s.subnets.list(), [])
    await s.subnets.release(request('one').workspace)
    assert.equal(await s.subnets.acquire(request('one', 2)), before)
  })

  test('leases at once in one process get different blocks', async () => {
    await using s = await setup()
    const names = ['a', 'b', 'c', 'd']
    const blocks = (await Promise.all(names.map((name) => s.subnets.acquire(request(name))))).flat()
    assert.is(new Set(blocks).size, names.length)
    assert.is((await s.subnets.list()).length, names.length)
  })

  test('one workspace at once leases once', async () => {
    await using s = await setup()
    const answers = await Promise.all([1, 2, 3].map(() => s.subnets.acquire(request('one', 2))))
    for (const answer of answers) assert.equal(answer, answers[0])
    assert.is((await s.subnets.list()).length, 2)
  })

  test('a full range is told as such, and nothing is written', async () => {
    await using s = await setup()
    for (const name of ['a', 'b', 'c']) await s.subnets.acquire(request(name))
    const text = await readFile(s.file, 'utf8')
    const error = await rejects(() => s.subnets.acquire(request('two', 2)), 'RESOURCE_EXHAUSTED')
    assert.is(error.message, 'No 2 free subnets are left in 10.213.8.0/24.')
    assert.match(error.hint ?? '', /nexus delete/)
    assert.is(error.exitCode, 5)
    assert.is(await readFile(s.file, 'utf8'), text)
    assert.is((await s.subnets.acquire(request('one'))).length, 1)
  })

  test('blocks that a route leads to are left alone', async () => {
    await using s = await setup({ routes: ['10.213.8.0/26', '10.213.8.130/32', '10.213.8.192/27'].map(route) })
    assert.equal(await s.subnets.acquire(request('one')), ['10.213.8.64/26'])
    const error = await rejects(() => s.subnets.acquire(request('two')), 'RESOURCE_EXHAUSTED')
    assert.equal(error.details?.routes, ['10.213.8.0/26', '10.213.8.130/32', '10.213.8.192/27'])
  })

  test("a block that a workspace has is kept, though its own network's route leads there", async () => {
    await using s = await setup()
    const blocks = await s.subnets.acquire(request('one'))
    const routes = async () => blocks.map(route)
    const later = createSubnets({ file: s.file, rebuild: async () => [], warn: () => {}, routes })
    assert.is((await later.acquire(request('one', 2)))[0], blocks[0])
  })

  test('a route over the whole range is named', async () => {
    await using s = await setup({ routes: [route('10.0.0.0/8')] })
    const error = await rejects(() => s.subnets.acquire(request('one')), 'RESOURCE_EXHAUSTED')
    assert.match(error.message, /wg0 has a route to all of it, 10\.0\.0\.0\/8/)
    assert.match(error.hint ?? '', /nexus config set subnets\.range/)
  })

  test('a bad range is refused before anything is read', async () => {
    await using s = await setup()
    await rejects(() => s.subnets.acquire(request('one', 1, '10.213.0.0/30')), 'CONFIG_INVALID')
    await rejects(() => s.subnets.exchange(request('one', 1, 'x'), 'y'), 'CONFIG_INVALID')
  })

  test('exchanged blocks are in quarantine for everybody, for ten minutes', async () => {
    await using s = await setup()
    const refused = await s.subnets.acquire(request('one', 2))
    const others = await s.subnets.exchange(request('one', 2), 'Pool overlaps')
    assert.is(others.length, 2)
    for (const block of others) assert.not(refused.includes(block))
    assert.equal(
      (await s.subnets.list()).map((lease) => lease.cidr),
      others,
    )
    const stored = JSON.parse(await readFile(s.file, 'utf8'))
    assert.equal(
      stored.quarantine.map((entry: { cidr: string }) => entry.cidr),
      refused,
    )
    assert.is(stored.quarantine[0].reason, 'Pool overlaps')
    const minutes = (Date.parse(stored.quarantine[0].until) - Date.now()) / 60_000
    assert.ok(minutes > 8 && minutes <= 10, `${minutes} minutes`)

    await rejects(() => s.subnets.acquire(request('two')), 'RESOURCE_EXHAUSTED')
    for (const entry of stored.quarantine) entry.until = '2020-01-01T00:00:00Z'
    await writeFile(s.file, JSON.stringify(stored))
    assert.ok(refused.includes((await s.subnets.acquire(request('two')))[0] ?? ''))
  })

  test('without others, an exchange keeps what there was', async () => {
    await using s = await setup()
    const held = await s.subnets.acquire(request('one', 3))
    const text = await readFile(s.file, 'utf8')
    await rejects(() => s.subnets.exchange(request('one', 3), 'Pool overlaps'), 'RESOURCE_EXHAUSTED')
    assert.is(await readFile(s.file, 'utf8'), text)
    assert.equal(await s.subnets.acquire(request('one', 3)), held)
  })

  test('any mix of leases and releases gives no block to two, and each as many as it asked for', async () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const step = fc.record({ name: names, count: fc.integer({ min: 0, max: 5 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using s = await setup({ routes: [route('10.213.8.64/26')] })
        for (const { name, count } of steps) {
          const one = request(name, count, '10.213.8.0/22')
          if (count === 0) await s.subnets.release(one.workspace)
          else await takeOrRefuse(s, one)
          const blocks = (await s.subnets.list()).map((lease) => lease.cidr)
          assert.is(new Set(blocks).size, blocks.length)
          assert.not(blocks.includes('10.213.8.64/26'))
        }
      }),
      { numRuns: 25 },
    )
  })

  test('a damaged file is kept aside and built again from the records', async () => {
    const record = {
      id: 'ws-kaaaaaaa' as WorkspaceId,
      name: 'kept' as WorkspaceName,
      repo: '/repo',
      createdAt: '2026-01-01T00:00:00Z',
      subnets: ['10.213.8.0/26', '10.213.8.64/26'],
    } as unknown as WorkspaceRecord
    for (const text of ['{"schema":1,"leas', '', 'null', '{"leases":[]}', '{"schema":1,"leases":7}', '{"schema":1}']) {
      await using s = await setup({ implied: subnetLeasesOf(record) })
      await mkdir(dirname(s.file), { recursive: true })
      await writeFile(s.file, text)
      const [block] = await s.subnets.acquire(request('one'))
      assert.match(block ?? '', /\.(128|192)\/26$/)
      assert.equal(
        (await s.subnets.list()).map((lease) => lease.name),
        ['kept', 'kept', 'one'],
        text,
      )
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
    await rejects(() => s.subnets.acquire(request('one')), 'UNSUPPORTED')
    assert.is(await readFile(s.file, 'utf8'), '{"schema":2}')
  })
})

/** 15 blocks are free of routes. */
async function takeOrRefuse({ subnets }: Setup, one: SubnetRequest): Promise<void> {
  const before = await subnets.list()
  const held = before.filter((lease) => lease.workspace === one.workspace).length
  const missing = Math.max(0, one.count - held)
  if (before.length + missing > 15) await rejects(() => subnets.acquire(one), 'RESOURCE_EXHAUSTED')
  else assert.is((await subnets.acquire(one)).length, held + missing)
}
