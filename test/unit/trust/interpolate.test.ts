/** Variables in paths: what all versions of compose read alike is put in, everything else cannot be told. */
import fc from 'fast-check'
import { parsePlainEnv } from '../../../lib/stack/dotenv.ts'
import { interpolate } from '../../../lib/trust/interpolate.ts'
import { assert, suite } from '../../support/suite.ts'

const VALUES: Readonly<Record<string, string | null>> = { A: 'a', E: '', LONG_1: '/x/y', U: null, D: 'x$A' }
const put = (text: string) => interpolate(text, (name) => VALUES[name])

suite('interpolate', (test) => {
  for (const [text, expected] of [
    ['plain {text}', 'plain {text}'],
    ['$A/$A.env', 'a/a.env'],
    ['${A}b$E', 'ab'],
    ['$NONE/x', '/x'],
    ['${E:-../up}|${E-no}|${NONE-yes}|${A:-no}', '../up||yes|a'],
    ['${A:+../alt}|${E:+no}|${E+yes}|${NONE+no}', '../alt||yes|'],
    ['${A:?must be set}|${NONE?x}', 'a|'],
    ['${LONG_1:-my-dir}/z', '/x/y/z'],
  ] as const) {
    test(`${text} is ${expected}`, () => assert.is(put(text), expected))
  }

  for (const text of [
    '$$A', // compose interpolates once per include
    '$',
    '${',
    '${}',
    '${A',
    '${A:}',
    '${1}',
    '${A:-${B}}',
    '${A:-$B}',
    '${A/x/y}',
    '${A-x:-y}', // compose splits at the second sign
    '${A?x-y}', // and at the minus here
    '${A+x-y}',
    '${A:-x?y}',
    '{$A}',
    '$A}',
    '$U',
    '${U:-x}',
    '$D', // brings in a dollar sign
    '$AK\u212a', // Go's pattern takes the Kelvin sign for a k
    '${A:-\u017f}',
  ]) {
    test(`${text} cannot be told`, () => assert.is(put(text), undefined))
  }

  const name = fc.stringMatching(/^[A-Z][A-Z_]{0,3}$/)
  const word = fc.stringMatching(/^[a-z./~-]{0,8}$/)
  /** A piece of text with what it stands for. */
  const piece = (env: Readonly<Record<string, string>>) =>
    fc.oneof(
      fc.stringMatching(/^[a-z./~:-]{1,8}$/).map((text) => [text, text] as const),
      name.map((one) => [`\${${one}}`, env[one] ?? ''] as const),
      fc.tuple(name, word).map(([one, other]) => [`\${${one}:-${other}}`, env[one] || other] as const),
      fc.tuple(name, word).map(([one, other]) => [`\${${one}-${other}}`, env[one] ?? other] as const),
    )

  test('any row of pieces gives the row of what they stand for', () => {
    const rows = fc.dictionary(name, word).chain((env) => fc.tuple(fc.constant(env), fc.array(piece(env))))
    fc.assert(
      fc.property(rows, ([env, pieces]) => {
        const text = pieces.map(([given]) => given).join('')
        assert.is(
          interpolate(text, (one) => (Object.hasOwn(env, one) ? env[one] : undefined)),
          pieces.map(([, meant]) => meant).join(''),
        )
      }),
    )
  })

  test('whatever comes out of any text has no dollar sign left', () => {
    const text = fc.string({ unit: fc.constantFrom('$', '{', '}', 'A', ':', '-', '+', '?', '/', '.', 'x') })
    fc.assert(fc.property(text, (given) => !(put(given) ?? '').includes('$')))
  })
})

suite('plain env files', (test) => {
  test('lines that everybody reads alike', () => {
    const text = '\uFEFF# words\n\nA=1\r\nexport B="two words"\nC=\'x#y\'\nD=\nA=2\n'
    assert.equal(
      [...(parsePlainEnv(text) ?? [])],
      [
        ['A', '2'],
        ['B', 'two words'],
        ['C', 'x#y'],
        ['D', ''],
      ],
    )
  })

  for (const line of [
    'A=$B',
    'A="x',
    'A=a b',
    'A: b',
    'A',
    'A="a\\n"',
    "A='it'x",
    'A=x # y',
    '=x',
    'A=`x`',
    'a-b=c',
    'A=\uFFFD',
  ]) {
    test(`${JSON.stringify(line)} makes the file one that cannot be foreseen`, () =>
      assert.is(parsePlainEnv(`Z=1\n${line}\n`), undefined))
  }
})
