/** The edit of the user's ssh configuration: whatever bytes are in it, install and uninstall leave them as they were. */
import fc from 'fast-check'
import { addLine, findIncludes, includeLine, removeLine, sectionsOf } from '../../../../lib/ssh/client/include-line.ts'
import { sectionsAbout } from '../../../../lib/ssh/client/resolved.ts'
import { anyText, FUZZ, FUZZ_LIMIT_MS, refusedOr } from '../../../support/fuzz.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'

const HOME = '/home/u'
const CONFIG = '/home/u/.nexus/ssh/config'
const LINE = includeLine(CONFIG)

const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

/** What people and strangers have in such a file: pieces of one, and any bytes. */
const anyFile = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString('latin1')),
  fc
    .array(
      fc.constantFrom(
        ...['\n', '\r\n', '\r', ' ', '\t', '\0', '\ufeff', '# é', 'Host *', 'Match all', 'Include', 'Include x', ' \\'],
        ...['Host a b', 'Port 1', `#${LINE}`, ` ${LINE}`, `${LINE} `, `${LINE}x`, LINE.toLowerCase(), '"', "'"],
      ),
      { maxLength: 12 },
    )
    .map((parts) => bytes(parts.join(''))),
  anyText.map(bytes),
)

suite('include line', (test) => {
  test(
    'install, then uninstall: the same bytes, also of no file and of an empty one; installed twice is installed once',
    () => {
      const check = (text: string | undefined) => {
        const there = findIncludes(text ?? '', CONFIG, HOME).some(({ below, ours }) => below === undefined && ours)
        if (there) return
        const added = addLine(text, LINE)
        assert.ok(added.startsWith(LINE))
        const [first] = findIncludes(added, CONFIG, HOME)
        assert.equal(first, { line: 1, below: undefined, ours: true })
        assert.is(removeLine(added, LINE), text)
      }
      for (const text of [undefined, '', '\n', '\r\n', `${LINE}`, '\n\n']) check(text)
      fc.assert(fc.property(anyFile, check), FUZZ)
    },
    FUZZ_LIMIT_MS,
  )

  test(
    'what the user adds, changes or takes away elsewhere stays so',
    () => {
      fc.assert(
        fc.property(
          fc.array(fc.stringMatching(/^[a-z #]{0,9}$/)),
          fc.array(fc.stringMatching(/^[a-z #]{0,9}$/)),
          (above, below) => {
            const before = above.map((line) => `${line}\n`).join('')
            const after = below.map((line) => `${line}\n`).join('')
            assert.is(removeLine(`${before}${LINE}\n\n${after}`, LINE), `${before}${after}`)
            if (!after.startsWith('\n'))
              assert.is(removeLine(`${before}x\n${LINE}\n${after}`, LINE), `${before}x\n${after}`)
          },
        ),
        FUZZ,
      )
      // below a Host it is not what install wrote
      assert.is(removeLine(`Host a\n${LINE}\n`, LINE), `Host a\n${LINE}\n`)
    },
    FUZZ_LIMIT_MS,
  )

  test('an Include is found however it is written, with the line that it stands below', () => {
    const forms = [
      ...[
        LINE,
        `include ${CONFIG}`,
        `INCLUDE=${CONFIG}`,
        `  Include\t= "${CONFIG}"  # mine`,
        'Include ~/.nexus/ssh/config',
      ],
      ...['Include other ~/.nexus/*/config', 'Include /home/u/.nexus/ssh/c?nfig', `"Include" ${CONFIG}`],
      ...['Include ~/.nexus/ssh/[a-d]onfig', `Include ${CONFIG}\r`, `Include /home/u//.nexus/ssh/config`],
    ]
    for (const form of forms) assert.is(findIncludes(`# x\n${form}\n`, CONFIG, HOME)[0]?.line, 2, form)
    for (const other of [
      '#Include ~/.nexus/ssh/config',
      'Includes ~/.nexus/ssh/config',
      'Include ~/.nexus/ssh/config2',
      'Include * # ~/.nexus/ssh/config',
    ]) {
      assert.equal(findIncludes(other, CONFIG, HOME), [], other)
    }
    const below = (text: string) => findIncludes(bytes(`${text}\n  ${LINE}`), CONFIG, HOME)[0]?.below
    assert.is(below('Host a b'), 'Host a b')
    assert.is(below('host="x"'), 'host="x"')
    assert.is(below('Match user é'), 'Match user é')
    for (const all of ['Host *', 'match all', 'Host a\nHost *', 'Port 3']) assert.is(below(all), undefined, all)
    assert.is(below('Host * !a'), 'Host * !a')
  })

  test('paths: what ssh_config can write is quoted, the rest refused with its name', async () => {
    assert.is(includeLine("/home/o'brien é/~x #1/config"), `Include "/home/o'brien é/~x #1/config"`)
    assert.is(includeLine('/home/50% [x]*\\?/config'), 'Include "/home/50? ?x????/config"')
    for (const unfit of ['"', '\n', '${']) {
      const error = await rejects(() => includeLine(`/home/a${unfit}b/config`), 'INVALID_ARGUMENT')
      assert.ok(error.message.includes(JSON.stringify(unfit)), error.message)
      assert.match(error.hint ?? '', /NEXUS_HOME=/)
    }
    const path = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `/x/${text}`)
    fc.assert(
      fc.property(path, (name) => {
        const line = refusedOr(() => includeLine(name))
        if (line === undefined) return
        const [found] = findIncludes(addLine('Host a\n', line), name, HOME)
        assert.equal(found, { line: 1, below: undefined, ours: true }, JSON.stringify(name))
      }),
      FUZZ,
    )
  })

  test('sections that speak of our names are told from others', () => {
    const about = (text: string) => sectionsAbout(text, ['demo.nexus', 'demo.app.nexus']).map(({ line }) => line)
    assert.equal(
      about('Host *\n Port 1\nHost *.nexus\nHost x !demo.nexus\nHost demo*\nMatch originalhost a,demo.nexus user x'),
      [3, 5, 6],
    )
    assert.equal(about('Host *.example.org\nMatch user nexus\nMatch all\nHost nexus'), [])
    assert.equal(sectionsOf('Port 1\nHost a\n  user=b\n')[1]?.sets, [{ key: 'user', line: 3 }])
  })
})
