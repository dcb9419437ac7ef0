/** Which differences of a workspace's files from what the user chose are asked about: all but those that are known to narrow. */
import fc from 'fast-check'
import type { ComposeModel, ModelFields } from '../../../lib/stack/model.ts'
import { type Choice, changesSince, comparable, NOTHING_CHOSEN } from '../../../lib/trust/changes.ts'
import { FUZZ, FUZZ_LIMIT_MS } from '../../support/fuzz.ts'
import { assert, suite } from '../../support/suite.ts'

const DB = { image: 'postgres:16', command: null, volumes: [{ type: 'volume', source: 'data', target: '/data' }] }

const choice = (model: ModelFields | null, more: Partial<Choice> = {}): Choice => ({
  ...NOTHING_CHOSEN,
  model,
  ...more,
})
const services = (all: ModelFields, more: ModelFields = {}) => choice({ name: 'x', services: all, ...more })
const asked = (before: Choice | undefined, after: Choice, passes = false) =>
  changesSince(before, after, { passes }).asked.map(({ path, value }) => `${path}: ${value}`)
const between = (before: ModelFields, after: ModelFields) =>
  asked(services({ db: { ...DB, ...before } }), services({ db: { ...DB, ...after } })).map((line) =>
    line.replace(/^services\.db\./, ''),
  )

suite('changes of a service', (test) => {
  for (const [before, after, ...expected] of [
    [{}, { image: 'private/app' }, 'image: postgres:16 -> private/app'],
    [{}, { user: 'root' }, 'user: (new) root'],
    [{ user: 'app' }, {}, 'user: (gone) app'],
    [{}, { command: ['sh'] }, 'command: (new) ["sh"]'],
    [{}, { entrypoint: [] }, 'entrypoint: (new) []'],
    [{}, { privileged: true }, 'privileged: (new) true'],
    [{}, { sysctls: { 'net.x': '1' } }, 'sysctls: (new) {"net.x":"1"}'],
    [{ sysctls: { 'net.x': '1' } }, { sysctls: { 'net.x': '0' } }, 'sysctls.net.x: "1" -> "0"'],
    [{ sysctls: { 'net.x': '1' } }, {}, 'sysctls: (gone) {"net.x":"1"}'],
    [{ environment: { A: 'x' } }, { environment: { A: null } }, 'environment.A: x -> null'],
    [{ environment: { A: 'null' } }, { environment: { A: null } }, 'environment.A: "null" -> null'],
    [{ environment: { A: 'x' } }, { environment: { A: 'x', B: '' } }, 'environment.B: (new) ""'],
    [{ networks: { a: null } }, { networks: { a: null, b: null } }, 'networks.b: (new) null'],
    [{ networks: { a: {} } }, { networks: { a: {}, b: {} } }, 'networks.b: (new) {}'],
    [{ network_mode: 'none' }, {}, 'network_mode: (gone) none'],
    [{ cap_drop: ['ALL'] }, {}, 'cap_drop: (gone) ["ALL"]'],
    [{ read_only: true }, {}, 'read_only: (gone) true'],
    [{ mem_limit: '1000' }, { mem_limit: '2000' }, 'mem_limit: "1000" -> "2000"'],
    [{ mem_limit: '1000' }, { mem_limit: '-1' }, 'mem_limit: "1000" -> "-1"'],
    [{ mem_limit: '1000' }, { mem_limit: '0' }, 'mem_limit: "1000" -> "0"'],
    [{ cpus: 2 }, {}, 'cpus: (gone) 2'],
    [{ scale: 1 }, { scale: 50 }, 'scale: 1 -> 50'],
    [{}, { labels: { a: 'b' } }, 'labels: (new) {"a":"b"}'],
    [{}, { build: { context: '.' } }, 'build: (new) {"context":"."}'],
    [{}, { healthcheck: { test: ['CMD', 'x'] } }, 'healthcheck: (new) {"test":["CMD","x"]}'],
    [{}, { something_new: 1 }, 'something_new: (new) 1'],
    [{}, { constructor: 1 }, 'constructor: (new) 1'],
    [{ a: 'b -> c' }, { a: 'd' }, 'a: "b -> c" -> d'],
    // what only takes away
    [{ ports: [{ target: 1 }, { target: 2 }] }, { ports: [{ target: 2 }] }],
    [{}, { volumes: [] }],
    [{}, { volumes: [{ ...DB.volumes[0], read_only: true }] }],
    [{ networks: { a: null, b: null } }, { networks: { a: null } }],
    [{ cap_drop: ['A'] }, { cap_drop: ['B', 'A'] }],
    [{}, { read_only: true }],
    [{}, { mem_limit: '1000', cpus: 1 }],
    [{ mem_limit: '2000' }, { mem_limit: '1000' }],
    [{ deploy: { resources: { limits: { pids: 9 } } } }, { deploy: { resources: { limits: { pids: 8 } } } }],
    // what decides nothing of what runs
    [{}, { depends_on: { a: { condition: 'service_started' } }, tty: true, 'x-note': { a: 1 } }],
    [{ healthcheck: { test: ['a'], interval: '1s' } }, { healthcheck: { test: ['a'], interval: '9s' } }],
    [{}, { entrypoint: null }],
  ] as readonly (readonly [ModelFields, ModelFields, ...string[]])[]) {
    test(`${JSON.stringify(before)} -> ${JSON.stringify(after)}`, () => assert.equal(between(before, after), expected))
  }

  test('a new service is told key by key, its narrow keys too; a service that is gone is taken', () => {
    const evil = { image: 'x', command: null, user: 'root', read_only: true, tty: true, volumes: ['./:/w'] }
    const [one, two] = [services({ db: DB }), services({ db: DB, evil })]
    assert.equal(asked(one, two), [
      'services.evil.image: (new) x',
      'services.evil.user: (new) root',
      'services.evil.read_only: (new) true',
      'services.evil.tty: (new) true',
      'services.evil.volumes: (new) ["./:/w"]',
    ])
    assert.equal(changesSince(two, one, { passes: false }), { asked: [], taken: ['services.evil'] })
    assert.equal(asked(one, services({ db: DB, bare: {} })), ['services.bare: (new) {}'])
  })

  test('in the service to work in, what it runs is free, and its variables where none of this machine comes in', () => {
    const [one, two] = [{ image: 'x' }, { image: 'x', command: ['y'], environment: { A: 'b' } }].map((web) =>
      choice({ services: { web } }, { main: 'web', base: { kind: 'service' } }),
    ) as [Choice, Choice]
    assert.equal(asked(one, two), [])
    assert.equal(asked(one, two, true), ['services.web.environment: (new) {"A":"b"}'])
    assert.is(asked({ ...one, main: null }, two).length, 2, 'another service became the one to work in')
  })
})

suite('other changes', (test) => {
  const settings = (before: ModelFields, after: ModelFields) =>
    asked({ ...NOTHING_CHOSEN, settings: before }, { ...NOTHING_CHOSEN, settings: after })
  for (const [before, after, ...expected] of [
    [{}, { 'ports.web.container': 3000 }, 'ports.web.container: (new) 3000'],
    [{ services: ['redis'] }, { services: ['redis', 'postgres'] }, 'services: (new) postgres'],
    [{ services: ['redis', 'postgres'] }, { services: ['redis'] }],
    [{ 'secrets.a.from': 'env://A', 'secrets.a.services': ['db'] }, {}],
    [
      { 'secrets.a.from': 'env://A', 'secrets.a.services': ['db'] },
      { 'secrets.a.from': 'env://A' },
      'secrets.a.services: (gone) ["db"]',
    ],
    [{}, { 'workspace.memory': 9, 'network.mode': 'allowlist' }],
    [{ 'workspace.service': 'web' }, {}, 'workspace.service: (gone) web'],
    [{}, { 'hooks.post-start.run': 'id' }, 'hooks.post-start.run: (new) id'],
  ] as readonly (readonly [ModelFields, ModelFields, ...string[]])[]) {
    test(`settings ${JSON.stringify(before)} -> ${JSON.stringify(after)}`, () =>
      assert.equal(settings(before, after), expected))
  }

  test('what stands beside the services, Dockerfiles, and the base', () => {
    const one = services({ db: DB }, { networks: { a: { internal: true } }, volumes: { data: {} }, secrets: { s: {} } })
    assert.equal(asked(one, services({ db: DB })), [])
    assert.equal(asked(services({ db: DB }), one), [
      'networks.a: (new) {"internal":true}',
      'secrets.s: (new) {}',
      'volumes.data: (new) {}',
    ])
    assert.equal(asked(one, services({ db: DB }, { networks: { a: {} } })), ['networks.a.internal: (gone) true'])
    assert.equal(asked(choice(null), choice(null, { base: { kind: 'dockerfile', file: 'D' }, files: { D: 'a' } })), [
      'workspace: {"kind":"default"} -> {"kind":"dockerfile","file":"D"}',
      'D: (new) a',
    ])
  })

  test('without a note of what was chosen, all is asked about', () =>
    assert.equal(asked(undefined, services({ db: { image: 'x' } })), ['name: (new) x', 'services.db.image: (new) x']))

  test('words in place of what is of this machine, and only what runs', () => {
    const model = { name: 'p', services: { a: { image: 'i:$$x', v: ['/w/data', 'secret-1'] }, off: {} } }
    const words = new Map([
      ['/w', '<worktree>'],
      ['secret-1', `\${TOKEN}`],
    ])
    assert.equal(comparable(model as unknown as ComposeModel, ['a'], words), {
      services: { a: { image: 'i:$x', v: ['<worktree>/data', `\${TOKEN}`] } },
    })
  })
})

const word = fc.constantFrom('a', 'b', 'image', 'user', 'x', '__proto__', 'constructor', 'networks', 'volumes', 'root')
const json: fc.Arbitrary<unknown> = fc.oneof(
  { depthSize: 'small' },
  fc.constantFrom('x', '', 'null', 0, 1, true, false, null, [], {}),
  fc.array(fc.constantFrom<unknown>('x', 'y', { target: 1 }, { target: 1, read_only: true }), { maxLength: 3 }),
  fc.dictionary(word, fc.constantFrom<unknown>('x', '', null, {}, ['y']), { maxKeys: 3, noNullPrototype: true }),
)
const KEYS = ['image', 'user', 'command', 'environment', 'networks', 'volumes', 'ports', 'cap_add', 'sysctls', 'other']
const service = fc.dictionary(fc.constantFrom(...KEYS), json, { noNullPrototype: true, maxKeys: 5 })
const model = fc.record({ services: fc.dictionary(word, service, { maxKeys: 3, noNullPrototype: true }) })

/** Whether nothing in `now` goes beyond `before`, told by other means than the code under test: by what is gone alone. */
function isWithin(now: unknown, before: unknown): boolean {
  if (JSON.stringify(now) === JSON.stringify(before)) return true
  if (Array.isArray(now) && Array.isArray(before)) {
    const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
    const shut = (a: unknown, b: unknown) => same(a, { target: 1, read_only: true }) && same(b, { target: 1 })
    return now.every((one) => before.some((other) => same(one, other) || shut(one, other)))
  }
  if (typeof now !== 'object' || now === null || typeof before !== 'object' || before === null) return false
  if (Array.isArray(now) || Array.isArray(before)) return false
  return Object.keys(now).every(
    (key) => Object.hasOwn(before, key) && isWithin((now as ModelFields)[key], (before as ModelFields)[key]),
  )
}

suite('changes: properties', (test) => {
  test(
    'what is not asked about is within what was chosen',
    () =>
      fc.assert(
        fc.property(model, model, (before, now) => {
          const plain = (one: typeof now) => ({
            services: Object.fromEntries(
              Object.entries(one.services).map(([name, fields]) => [
                name,
                Object.fromEntries(
                  Object.entries(fields).filter(([key, value]) => key !== 'command' || value !== null),
                ),
              ]),
            ),
          })
          if (asked(choice(before), choice(now)).length === 0) assert.ok(isWithin(plain(now), plain(before)))
        }),
        FUZZ,
      ),
    FUZZ_LIMIT_MS,
  )

  test(
    'one more key, whatever it says, is asked about; nothing changed asks nothing',
    () =>
      fc.assert(
        fc.property(
          model,
          fc.constantFrom('image', 'user', 'pid', 'other', 'restart', 'labels'),
          json,
          (one, key, value) => {
            assert.equal(changesSince(choice(one), choice(structuredClone(one)), { passes: false }), {
              asked: [],
              taken: [],
            })
            const more = { services: { ...one.services, z: { ...DB, [key]: value } } }
            const without = {
              services: { ...one.services, z: Object.fromEntries(Object.entries(DB).filter(([k]) => k !== key)) },
            }
            assert.ok(asked(choice(without), choice(more)).some((line) => line.startsWith(`services.z.${key}`)))
          },
        ),
        FUZZ,
      ),
    FUZZ_LIMIT_MS,
  )
})

suite('what is told of a change', (test) => {
  test('a value that is hidden stays hidden, in whatever it stands', () => {
    const hide = (value: string) => value.replaceAll('hunter2', '${PASSWORD}')
    const told = (before: ModelFields, after: ModelFields) =>
      changesSince(services({ db: { ...DB, ...before } }), services({ db: { ...DB, ...after } }), {
        passes: false,
        hide,
      }).asked.map(({ value }) => value)
    assert.equal(told({}, { environment: { A: 'hunter2', B: 'b' } }), ['(new) {"A":"${PASSWORD}","B":"b"}'])
    assert.equal(told({ environment: { A: 'hunter2' } }, { environment: { A: 'x' } }), ['${PASSWORD} -> x'])
  })
})
