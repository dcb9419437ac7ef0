/**
 * The one door that renders: each helper refuses what would break out of its place, nothing renders as "undefined", and any
 * text survives the way through a compose file.
 */
import fc from 'fast-check'
import { parse } from 'yaml'
import { renderCompose, renderTemplate, type Template, type YamlMap } from '../../../lib/system/render.ts'
import { compileTemplate } from '../../../scripts/templates.mjs'
import { FUZZ } from '../../support/fuzz.ts'
import { assert, suite } from '../../support/suite.ts'

const same = (model: YamlMap) => model
const anyText = fc.string({ unit: 'binary', maxLength: 60 })

/** As the bundler does it. */
const compile = (source: string): Template => new Function(`return ${compileTemplate(source)}`)() as Template

suite('helpers', (test) => {
  for (const [template, value, expected] of [
    ['{{line value}}', 'a-b_c.d/e@f:g+h,i=j*', 'a-b_c.d/e@f:g+h,i=j*'],
    ['{{words value}}', ['x.nexus', 'x.app.nexus'], 'x.nexus x.app.nexus'],
    ['{{words value}}', [], ''],
    ['{{quoted value}}', '/home/u/my app/key', '"/home/u/my app/key"'],
    ['{{number value}}', 32800, '32800'],
    ['{{number value}}', 0, '0'],
    ['{{yaml value}}', 'a"b\nc', '"a\\"b\\nc"'],
    ['{{yaml value}}', '', '""'],
    ['{{yaml value}}', false, 'false'],
    ['{{yaml value}}', [], '[]'],
    ['{{yaml value}}', '<&>', '"<&>"'],
  ] as const) {
    test(`${template} of ${JSON.stringify(value)}`, () =>
      assert.is(renderTemplate(compile(template), { value }), expected))
  }

  for (const [template, value] of [
    ['{{line value}}', ''],
    ['{{line value}}', 'a b'],
    ['{{line value}}', 'yes\nPermitRootLogin yes'],
    ['{{line value}}', 'yes\n'],
    ['{{line value}}', 'a#b'],
    ['{{line value}}', '$(id)'],
    ['{{line value}}', 'a"b'],
    ['{{line value}}', "a'b"],
    ['{{line value}}', 'a;b'],
    ['{{line value}}', '%d'],
    ['{{words value}}', ['x', 'a b']],
    ['{{words value}}', ['x\nHost *']],
    ['{{words value}}', ['']],
    ['{{quoted value}}', '/a"b'],
    ['{{quoted value}}', '/a\nb'],
    ['{{quoted value}}', '/a\u0000b'],
    ['{{number value}}', '22'],
    ['{{number value}}', 1.5],
    ['{{number value}}', Number.NaN],
    ['{{number value}}', 2 ** 60],
  ] as const) {
    test(`${template} refuses ${JSON.stringify(value)}`, () => {
      assert.throws(() => renderTemplate(compile(template), { value }))
    })
  }

  for (const helper of ['yaml', 'line', 'words', 'quoted', 'number']) {
    test(`${helper} of a missing value throws`, () => {
      assert.throws(() => renderTemplate(compile(`{{${helper} value}}`), {}))
      assert.throws(() => renderTemplate(compile(`{{${helper} value}}`), { value: null }))
      assert.throws(() => renderTemplate(compile(`{{${helper} inner.value}}`), { inner: {} }))
      assert.throws(() => renderTemplate(compile(`{{${helper}}}`), {}))
    })
  }

  test('a bare missing value throws instead of rendering as nothing', () => {
    assert.throws(() => renderTemplate(compile('{{value}}'), {}))
  })

  test('a helper that is none throws', () => {
    assert.throws(() => renderTemplate(compile('{{shout value}}'), { value: 'x' }))
  })

  test('a value is data, never a template', () => {
    assert.is(renderTemplate(compile('{{yaml value}}'), { value: '{{line secret}}', secret: 's' }), '"{{line secret}}"')
  })

  test('what line lets through is one word without quotes, comments or substitution', () => {
    fc.assert(
      fc.property(anyText, (value) => {
        let text: string
        try {
          text = renderTemplate(compile('{{line value}}'), { value })
        } catch {
          return
        }
        assert.is(text, value)
        assert.not.match(text, /[\s"'#$`\\;&|<>(){}%]/u)
      }),
      FUZZ,
    )
  })

  test('what yaml writes is read back as it was', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyText,
          fc.array(anyText),
          fc.dictionary(fc.stringMatching(/^[A-Z_]{1,9}$/), anyText, { noNullPrototype: true }),
        ),
        (value) => {
          assert.equal(parse(renderTemplate(compile('key: {{yaml value}}\nlast: 1'), { value })), {
            key: value,
            last: 1,
          })
        },
      ),
      FUZZ,
    )
  })
})

/** What Compose makes of a text: `$$` is `$`; a `$` left alone would be interpolated. */
function interpolate(text: string): string {
  assert.not.match(text.replaceAll('$$', ''), /\$/, `a lone $ in ${JSON.stringify(text)}`)
  return text.replaceAll('$$', '$')
}

suite('renderCompose', (test) => {
  const source = 'services:\n  workspace:\n    environment: {{yaml environment}}\n'
  const render = (environment: Record<string, string>, policy: (model: YamlMap) => YamlMap = same) =>
    renderCompose(compile(source), { environment }, '# header', policy)

  test('begins with the header', () => assert.is(render({}).split('\n')[0], '# header'))

  test('doubles every $', () => {
    const text = render({ A: '$HOME ${X:-y} $$ $' })
    assert.is(parse(text).services.workspace.environment.A, '$$HOME $${X:-y} $$$$ $$')
  })

  test('doubles the $ of what policy adds', () => {
    const text = render({}, (model) => ({
      ...model,
      labels: { 'dev.nexus.repo': '/home/$u' },
      list: ['$a', [{ b: '$c' }]],
    }))
    const { labels, list } = parse(text)
    assert.equal([labels['dev.nexus.repo'], list], ['/home/$$u', ['$$a', [{ b: '$$c' }]]])
  })

  test('texts that look like other YAML stay texts', () => {
    const tricky = {
      A: 'yes',
      B: '0123',
      C: '1e3',
      D: '~',
      E: '22:22',
      F: '',
      G: '- x',
      H: '*a',
      I: '2026-01-01',
      J: 'null',
    }
    assert.equal(parse(render(tricky), { version: '1.1' }).services.workspace.environment, tricky)
  })

  test('a text cannot add a key', () => {
    const model = parse(render({ A: 'x"\n    privileged: true\n#' }))
    assert.equal(Object.keys(model.services.workspace), ['environment'])
  })

  test('the same object twice makes no alias', () => {
    const shared = { a: 'b' }
    assert.not.match(
      render({}, (model) => ({ ...model, one: shared, two: shared })),
      /[&*]a/,
    )
  })

  for (const [what, text] of [
    ['DEL', '\u007f'],
    ['NEL, which YAML 1.1 takes for a line break', '\u0085'],
    ['a C1 control character', '\u009f'],
    ['U+FFFE', '\ufffe'],
  ] as const) {
    test(`${what} is escaped: Docker's YAML reader refuses or changes it`, () => {
      assert.not(render({ KEY: `a${text}b` }).includes(text))
    })
  }

  test('any text comes out as it went in', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyText, fc.string({ unit: fc.constantFrom('$', '{', '}', '"', '\n', '\\', 'A', ':', ' ', '#') })),
        (value) => {
          const read = parse(render({ KEY: value })).services.workspace.environment.KEY
          assert.is(interpolate(read), value)
        },
      ),
      FUZZ,
    )
  })
})
