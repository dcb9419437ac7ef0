/**
 * Names and ids by the contract's Identity rules: what is accepted becomes a safe slug, two texts never share a name, and
 * what is refused comes with a name that is accepted.
 */
import fc from 'fast-check'
import {
  composeProject,
  GIVEN_MAX_LENGTH,
  isWorkspaceId,
  NAME_MAX_LENGTH,
  nearest,
  newWorkspaceId,
  parseName,
  RESERVED_NAMES,
  repoLabel,
  shortHash,
  type WorkspaceId,
} from '../../../lib/core/names.ts'
import { FUZZ } from '../../support/fuzz.ts'
import { assert, rejects, suite } from '../../support/suite.ts'

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/

/** Texts that users type: few distinct characters, so that slugs collide often. */
const typed = fc.string({
  unit: fc.constantFrom(...'abzABZ019', '/', '.', '_', '-', '+', '#', 'é', 'ü', 'ß', '日', 'я', 'e\u0301'),
  minLength: 1,
  maxLength: 60,
})

function nameOf(given: string): string | undefined {
  try {
    return parseName(given)
  } catch {
    return undefined
  }
}

suite('names that are kept', (test) => {
  for (const given of ['a', '0', '0123', 'feature-auth', 'a-b-c', 'x1', 'a'.repeat(40), 'news', 'alle', 'ws-abc']) {
    test(`"${given}" is its own name`, () => assert.is(parseName(given), given))
  }

  test('any slug of at most 40 characters is its own name', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
    const slug = fc
      .array(word, { minLength: 1, maxLength: 6 })
      .map((words) => words.join('-'))
      .filter((text) => text.length <= NAME_MAX_LENGTH && !RESERVED_NAMES.includes(text) && !isWorkspaceId(text))
    fc.assert(
      fc.property(slug, (text) => {
        assert.is(parseName(text), text)
      }),
    )
  })
})

suite('names that are made', (test) => {
  for (const [given, stem] of [
    ['feature/Auth', 'feature-auth'],
    ['feature/x', 'feature-x'],
    ['Feature-X', 'feature-x'],
    ['a_b', 'a-b'],
    ['v1.2', 'v1-2'],
    ['fix#12', 'fix-12'],
    ['c++', 'c'],
    ['größe', 'große'.normalize('NFKD').replace(/\p{M}|ß.*/gu, '')],
    ['trailing-', 'trailing'],
    ['a--b', 'a-b'],
  ] as const) {
    test(`${given} becomes ${stem} and 4 characters of its hash`, () => {
      const name = parseName(given)
      assert.match(name, NAME)
      assert.ok(name.startsWith(stem), name)
      assert.is(name.slice(-5), `-${shortHash(given)}`)
    })
  }

  test('letters without a latin form still give a name', () => {
    assert.is(parseName('日本語'), `x-${shortHash('日本語')}`)
  })

  test('41 characters are cut and told apart by the hash', () => {
    const one = parseName(`${'a'.repeat(40)}b`)
    const other = parseName(`${'a'.repeat(40)}c`)
    assert.is(one.length, NAME_MAX_LENGTH)
    assert.is.not(one, other)
  })

  test('a cut at a hyphen leaves no double hyphen', () => {
    const name = parseName(`${'a'.repeat(34)}-${'b'.repeat(20)}`)
    assert.match(name, NAME)
  })

  test('200 characters are the limit', async () => {
    assert.match(parseName('a'.repeat(GIVEN_MAX_LENGTH)), NAME)
    await rejects(() => parseName('a'.repeat(GIVEN_MAX_LENGTH + 1)), 'INVALID_ARGUMENT')
  })

  test('accepted text of any kind gives a safe name, always the same', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.oneof(typed, fc.string({ unit: 'binary', maxLength: 210 })), (given) => {
        const name = nameOf(given)
        if (name === undefined) return
        accepted++
        assert.match(name, NAME)
        assert.ok(name.length <= NAME_MAX_LENGTH, `${name.length} characters`)
        assert.not(RESERVED_NAMES.includes(name), name)
        assert.not(isWorkspaceId(name), name)
        assert.is(parseName(given), name)
      }),
      FUZZ,
    )
    assert.ok(accepted > 200, `only ${accepted} texts were accepted, so little was tried`)
  })

  test('different texts share no name in 2 000 random pairs', () => {
    // the hash has 20 bits, so a pair picked at random may meet once in a million: the seed is pinned
    fc.assert(
      fc.property(typed, fc.constantFrom('/', '.', '_', '-', '+', '#'), fc.nat(), (given, mark, at) => {
        const place = at % given.length
        const other = given.slice(0, place) + mark + given.slice(place + 1)
        const [one, two] = [nameOf(given), nameOf(other)]
        if (given === other || one === undefined || two === undefined) return
        assert.is.not(one, two, `${given} and ${other}`)
      }),
      { numRuns: FUZZ.numRuns, seed: 20_261_123 },
    )
  })

  test('feature/x and feature-x never meet', () => {
    const names = ['feature/x', 'feature-x', 'feature_x', 'Feature/X', 'feature.x'].map(parseName)
    assert.is(new Set(names).size, names.length, names.join(' '))
  })
})

suite('texts that are refused', (test) => {
  for (const [given, why] of [
    ['', 'empty'],
    ['a b', 'space'],
    ['a\u00a0b', 'space'],
    ['a\nb', 'control character'],
    ['\u0000', 'control character'],
    ['\u001b[31mred', 'control character'],
    ['-x', 'starts with "-"'],
    ['--force', 'starts with "-"'],
    ['a..b', '".."'],
    ['../../etc/passwd', '".."'],
    ['$(id)', 'only letters'],
    ['a;b', 'only letters'],
    ['a:b', 'only letters'],
    ['a\\b', 'only letters'],
    ['🚀', 'only letters'],
    ['///', 'no letter or digit'],
    ['all', 'reserved'],
    ['current', 'reserved'],
    ['new', 'reserved'],
    ['help', 'reserved'],
    ['Help', 'reserved'],
    ['ws-k3v7q2xa', 'id'],
    ['x'.repeat(201), 'longer than 200'],
  ] as const) {
    test(`${JSON.stringify(given.slice(0, 20))}: ${why}`, async () => {
      const error = await rejects(() => parseName(given), 'INVALID_ARGUMENT')
      assert.ok(error.message.includes(why), error.message)
      const suggestion = String(error.details?.suggestion)
      assert.is(parseName(suggestion), suggestion)
      assert.ok(error.hint?.includes(`repeat with \`${suggestion}\``), error.hint)
    })
  }

  test('the suggestion keeps what can be kept', async () => {
    const error = await rejects(() => parseName('my new feature'), 'INVALID_ARGUMENT')
    assert.is(error.details?.suggestion, 'my-new-feature')
  })

  test('every refusal of any text suggests an acceptable name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 220 }), (given) => {
        try {
          parseName(given)
        } catch (error) {
          const { suggestion } = (error as { details: { suggestion: string } }).details
          assert.is(parseName(suggestion), suggestion)
        }
      }),
      FUZZ,
    )
  })

  test('a message holds no control character of the text', async () => {
    const error = await rejects(() => parseName('a\u001b]0;x\u0007'), 'INVALID_ARGUMENT')
    assert.not.match(error.message, /\p{Cc}/u)
  })
})

suite('ids and labels', (test) => {
  test('fresh ids are ids, and differ', () => {
    const ids = Array.from({ length: 500 }, newWorkspaceId)
    assert.ok(ids.every((id) => /^ws-[a-z2-7]{8}$/.test(id) && isWorkspaceId(id)))
    assert.is(new Set(ids).size, ids.length)
  })

  for (const text of [
    'ws-',
    'ws-K3V7Q2XA',
    'ws-k3v7q2x',
    'ws-k3v7q2xaa',
    'ws-k3v1q2xa',
    ' ws-k3v7q2xa',
    'ws-k3v7q2xa\n',
  ]) {
    test(`${JSON.stringify(text)} is no id`, () => assert.not(isWorkspaceId(text)))
  }

  test('the compose project is made of name and id', () => {
    const made = { id: 'ws-k3v7q2xa' as WorkspaceId, name: parseName('feature-auth') }
    assert.is(composeProject(made), 'nexus-feature-auth-k3v7q2xa')
    const renamed = { ...made, name: parseName('auth'), madeAs: made.name }
    assert.is(composeProject(renamed), composeProject(made), 'a rename loses no volume')
  })

  test('a repository label is a host name label, never empty', () => {
    assert.is(repoLabel('My App'), 'my-app')
    assert.match(repoLabel('日本'), /^repo-[a-z2-7]{4}$/)
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const label = repoLabel(text)
        assert.match(label, NAME)
        assert.ok(label.length <= NAME_MAX_LENGTH)
      }),
    )
  })

  test('the nearest candidate is a typing error away, or there is none', () => {
    assert.is(nearest('statis', ['stop', 'status', 'start']), 'status')
    assert.is(nearest('feature-auht', ['feature-auth', 'feature-out']), 'feature-auth')
    assert.is(nearest('zebra', ['status', 'list']), undefined)
    assert.is(nearest('x', []), undefined)
  })
})
