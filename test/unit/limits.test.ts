/**
 * Limits that a project's services say of themselves, in every spelling and with every value, under those of a workspace:
 * what compose makes of both together is never more than the workspace has, and what was less stays.
 */
import fc from 'fast-check'
import { capLimits } from '../../lib/stack/limits.ts'
import type { ComposeService } from '../../lib/stack/model.ts'
import { Reset, type Yaml } from '../../lib/system/render.ts'
import { FUZZ, FUZZ_LIMIT_MS } from '../support/fuzz.ts'
import { assert, suite } from '../support/suite.ts'

type Fields = { readonly [key: string]: unknown }
const GIB = 1024 ** 3
const LIMITS = { pids: 300, memory: GIB / 2, cpus: 1 }

/** As compose merges an override. */
function merged(below: unknown, above: unknown): unknown {
  if (above instanceof Reset) return undefined
  if (!isFields(above)) return above
  const fields = isFields(below) ? below : {}
  const changed = Object.entries(above).map(([key, value]) => [key, merged(fields[key], value)])
  const all = { ...fields, ...Object.fromEntries(changed) }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

/** What the engine gets, where 0 is no limit; compose and the engine refuse some of them together. */
function made(service: ComposeService) {
  const { limits, reservations } = ((service.deploy as Fields)?.resources ?? {}) as {
    limits?: Fields
    reservations?: Fields
  }
  const keys = { pids: 'pids_limit', memory: 'mem_limit', cpus: 'cpus' }
  const [pids = 0, memory = 0, cpus = 0] = Object.entries(keys).map(([under, key]) => {
    const [one, other] = [Number(service[key] ?? 0), Number(limits?.[under] ?? 0)]
    assert.ok(limits === undefined || one === 0 || one === other, `${key} stands twice`)
    return Math.max(one, other, 0)
  })
  const quota = Number(service.cpu_quota ?? 0)
  assert.ok(quota <= 0 || cpus === 0, 'processors and a quota')
  const swap = Number(service.memswap_limit ?? 0)
  assert.ok(swap <= 0 || memory === 0 || swap >= memory, 'less with swap than without')
  const reserved = Math.max(Number(service.mem_reservation ?? 0), Number(reservations?.memory ?? 0))
  assert.ok(memory === 0 || reserved <= memory, 'more is reserved than there may be')
  const quotaCpus = quota > 0 ? quota / (Number(service.cpu_period ?? 0) || 100_000) : 0
  return { pids, memory, cpus: cpus || quotaCpus, swap: swap > 0 ? swap : swap === 0 ? memory * 2 : 0 }
}

const together = (service: ComposeService, limits = LIMITS) =>
  merged(service, capLimits(service, limits)) as ComposeService

const one = <T extends number | string>(...values: readonly T[]) => fc.constantFrom(...values)
const count = one(-1, 0, 1, 100, 300, 301, 100_000)
const size = one<number | string>('-1', -1, '0', '4096', String(GIB / 4), String(GIB / 2), String(8 * GIB))
const cpus = one<number | string>(0, '0', 0.25, '0.5', 1, '1.9', 64)
const some = (makers: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(makers, { requiredKeys: [], noNullPrototype: true })
const memories = { mem_limit: size, memswap_limit: size, mem_reservation: size }
const flat = some({ ...memories, pids_limit: count, cpus })
const quota = some({
  ...memories,
  pids_limit: count,
  cpu_quota: one(-1, 0, 1000, 50_000, 900_000),
  cpu_period: one(0, 10_000, 100_000),
})
const limits = some({ pids: count, memory: size, cpus })
const deployed = some({
  ...{ memswap_limit: size, mem_reservation: size },
  deploy: some({ resources: some({ limits, reservations: some({ memory: size, cpus }) }) }),
})

suite('limits of services', (test) => {
  test(
    'none is above those of the workspace, however it is spelt',
    () =>
      fc.assert(
        fc.property(fc.oneof(flat, quota, deployed), (service) => {
          const { pids, memory, cpus, swap } = made(together(service as ComposeService))
          assert.ok(pids > 0 && pids <= LIMITS.pids)
          assert.ok(memory > 0 && memory <= LIMITS.memory)
          assert.ok(cpus > 0 && cpus <= LIMITS.cpus)
          assert.ok(swap > 0 && swap <= LIMITS.memory)
        }),
        FUZZ,
      ),
    FUZZ_LIMIT_MS,
  )

  test(
    'one that is lower stays',
    () =>
      fc.assert(
        fc.property(
          fc.record({ pids: one(1, 300), memory: one('4096', String(GIB / 2)), cpus: one<number | string>('0.25', 1) }),
          fc.boolean(),
          (own, under) => {
            const flat = { pids_limit: own.pids, mem_limit: own.memory, cpus: own.cpus }
            const { pids, memory, cpus } = made(together(under ? { deploy: { resources: { limits: own } } } : flat))
            assert.equal([pids, memory, cpus], [own.pids, Number(own.memory), Number(own.cpus)])
          },
        ),
        FUZZ,
      ),
    FUZZ_LIMIT_MS,
  )

  const quoted = { pids_limit: 5, cpu_quota: 50_000 }
  const devices = [{ capabilities: ['gpu'] }]
  const whole = { pids_limit: 300, mem_limit: GIB / 2, cpus: 1, memswap_limit: GIB / 2 }
  for (const [what, service, fields] of [
    ['nothing', {}, whole],
    ['no limit', { pids_limit: -1, mem_limit: 0, cpus: 0, memswap_limit: -1 }, whole],
    ['more', { pids_limit: 100_000, mem_limit: String(8 * GIB), cpus: 1.9, memswap_limit: String(9 * GIB) }, whole],
    [
      'less, with swap',
      { mem_limit: '1000', memswap_limit: '3000' },
      { ...whole, mem_limit: 1000, memswap_limit: 3000 },
    ],
    ['more reserved', { mem_reservation: String(GIB) }, { ...whole, mem_reservation: GIB / 2 }],
    ['a quota', quoted, { ...whole, pids_limit: 5, cpus: 0.5, cpu_quota: new Reset() }],
    [
      'all of it under deploy',
      { deploy: { resources: { limits: { pids: -1, memory: String(GIB) }, reservations: { devices, memory: '9' } } } },
      { ...whole, deploy: { resources: { limits: new Reset() } } },
    ],
  ] as const) {
    test(`a service with ${what}`, () => {
      assert.equal(capLimits(service, LIMITS), fields as unknown as Record<string, Yaml>)
    })
  }

  test('what the workspace does not limit is as the service says', () => {
    const own = { mem_limit: '1000', memswap_limit: '-1', cpu_quota: 7, cpu_period: 0 }
    const { mem_limit, pids_limit, ...rest } = capLimits(own, { pids: 300, memory: null, cpus: null })
    assert.equal([mem_limit, pids_limit, rest], [1000, 300, {}])
    const deploy = { resources: { limits: { memory: '1000', cpus: '0.5' } } }
    assert.equal(capLimits({ deploy }, { pids: 300, memory: null, cpus: null }), {
      ...{ pids_limit: 300, mem_limit: 1000, cpus: 0.5 },
      deploy: { resources: { limits: new Reset() } },
    })
  })
})
