/** A project's compose file as data: anchors, merge keys and compose's own tags work; bombs and tricks are refused in no time. */
import { parseComposeYaml } from '../../../lib/config/compose-yaml.ts'
import { assert, rejects, suite } from '../../support/suite.ts'

const FILE = '/w/compose.yaml'

/** Maps as objects, for comparison. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]))
  return Array.isArray(value) ? value.map(plain) : value
}

const parse = (text: string) => parseComposeYaml(FILE, text).map(plain)

suite('compose YAML', (test) => {
  test('maps, lists and scalars as they are written', () => {
    const text = 'a: {b: [x, 1, 0x10, yes, null, ~, "~"]}\n1: 2\n"__proto__": {c: d}\n'
    const expected = Object.fromEntries([
      ['1', '2'],
      ['a', { b: ['x', '1', '0x10', 'yes', null, null, '~'] }],
      ['__proto__', { c: 'd' }],
    ])
    assert.equal(JSON.stringify(parse(text)), JSON.stringify([expected]))
  })

  test('several documents, as compose merges them; nothing in an empty one', () => {
    assert.equal(parse('a: 1\n---\nb: 2\n'), [{ a: '1' }, { b: '2' }])
    assert.equal(parse(''), [])
    assert.equal(parse('# only words\n'), [])
    assert.equal(parse('\uFEFFa: 1'), [{ a: '1' }])
  })

  test('anchors and aliases; an alias means the last anchor above it', () => {
    assert.equal(parse('a: &x [1]\nb: *x\nc: &x 2\nd: *x\n'), [{ a: ['1'], b: ['1'], c: '2', d: '2' }])
  })

  test('merge keys: own keys win, then the first source, also through sources of their own', () => {
    const text = [
      'x-a: &a {k: a, a: 1}',
      'x-b: &b {<<: *a, k: b, b: 2}',
      'one: {k: own, <<: *b}',
      'two: {<<: [*a, *b]}',
      'three: {<<: {k: inline}}',
      'four: {"<<": text}',
    ].join('\n')
    const [found] = parse(text) as readonly Record<string, unknown>[]
    assert.equal(found?.one, { k: 'own', b: '2', a: '1' })
    assert.equal(found?.two, { k: 'a', a: '1', b: '2' })
    assert.equal(found?.three, { k: 'inline' })
    assert.equal(found?.four, { '<<': 'text' })
  })

  test("compose's own tags", () => {
    assert.equal(parse('a: !reset null\ne: !reset\nb: !override [x]\nc: !override {d: e}\nf: !!str 5\n'), [
      { a: null, e: null, b: ['x'], c: { d: 'e' }, f: '5' },
    ])
  })

  for (const [what, text, place, words] of [
    ['a broken one', 'services:\n  a: [1\nb: 2\n', ':3:', /./],
    ['a tag that changes the value', 'a:\n  b: !!binary L2V0Yw==\n', ':2:', /tag.*binary/],
    ['the same behind a directive', '%TAG ! tag:yaml.org,2002:\n---\na: !binary L2V0Yw==\n', ':3:', /tag.*binary/],
    ['an unknown tag', 'a: !env HOME\n', ':1:', /!env/],
    ['an alias without anchor', 'a: *nothing\n', ':1:', /nothing/],
    ['an alias in its own anchor', 'a: &x [*x]\n', ':1:', /within its own anchor/],
    ['a merge of no map', 'a: {<<: [1]}\n', ':1:', /<< takes a map/],
    ['a key that is a list', '? [a]\n: b\n', ':1:', /plain word/],
    ['a deep one', `${'['.repeat(60)}${']'.repeat(60)}`, ':1:', /at most 50 levels/],
    ['a large one', `a: ${'x'.repeat(1024 * 1024)}`, ':1:1', /at most 1024 KiB/],
  ] as const) {
    test(`${what} is refused with its place`, async () => {
      const error = await rejects(() => parse(text), 'CONFIG_INVALID')
      assert.ok(error.message.startsWith(`${FILE}${place}`), error.message)
      assert.match(error.message, words)
      assert.match(error.hint ?? '', /`docker compose -f \/w\/compose\.yaml config --quiet`$/)
    })
  }

  test('a billion laughs are refused at the price of what they are long', async () => {
    const lists = [...'bcdefghijk'].reduce(
      (text, letter, i) => `${text}${letter}: &${letter} [${`*${'abcdefghij'[i]},`.repeat(9)}]\n`,
      'a: &a [lol]\n',
    )
    const started = performance.now()
    const error = await rejects(() => parse(lists), 'CONFIG_INVALID')
    assert.match(error.message, /compose\.yaml:6:\d+: its aliases unfold to more than/)
    assert.ok(performance.now() - started < 1_000)
  })

  test('merges that grow are refused', async () => {
    const wide = Array.from({ length: 2_000 }, (_, i) => `  k${i}: v`).join('\n')
    const many = Array.from({ length: 100 }, (_, i) => `s${i}: {<<: *a}`).join('\n')
    const error = await rejects(() => parse(`a: &a\n${wide}\n${many}\n`), 'CONFIG_INVALID')
    assert.match(error.message, /unfold to more than/)
  })

  test('a megabyte of anchors is read, or refused, in seconds', async () => {
    const chained = Array.from({ length: 30_000 }, (_, i) => `k${i}: &a${i + 1} {x: *a${i}}`).join('\n')
    const flat = Array.from({ length: 10_000 }, (_, i) => `k${i}: &a${i} {x: *b}`).join('\n')
    const started = performance.now()
    await rejects(() => parse(`k: &a0 1\n${chained}`), 'CONFIG_INVALID')
    parseComposeYaml(FILE, `k: &b 1\n${flat}`)
    assert.ok(performance.now() - started < 8_000, `${performance.now() - started} ms`)
  }, 20_000)
})
