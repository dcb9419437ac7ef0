/** What a command said, of whatever length: whole letters, and of too much the beginning and the end. */
import { boundedPieces, isCut, wholeLines } from '../../lib/core/bounded.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { assert, suite } from '../support/suite.ts'

const runner = createRunner(() => {}, process.env, createInterruption())
/** Writes with the words given; `more` waits until what was written is read. */
const say = (script: string) => ['node', '-e', `const say = (text) => process.stdout.write(text); ${script}`]

suite('what a command said', (test) => {
  test('letters of several bytes are whole, wherever the pipe cuts them', async () => {
    const lines: string[] = []
    const onLine = (line: string) => void lines.push(line)
    const { stdout, cut } = await runner.run(say("say('x' + 'äß€'.repeat(60000) + '\\n')"), { onLine })
    assert.is(stdout, `x${'äß€'.repeat(60000)}\n`)
    assert.is(cut, false)
    assert.is(lines.join(''), stdout.trimEnd())
    assert.ok(lines.length > 1, 'a line without end is not kept until its end')
  })

  test('of more than is kept, the beginning and the end in whole lines', async () => {
    const script = "for (let i = 0; i < 200000; i++) say('line ' + i + '\\n')"
    const { stdout, cut } = await runner.run(say(script), { keepBytes: 100_000 })
    assert.is(cut, true)
    assert.ok(stdout.length < 500_000, String(stdout.length))
    assert.match(stdout, /^line 0\n/)
    assert.match(stdout, /\nline 199999\n$/)
    assert.match(stdout, /\nline \d+\n\[what was said here is left out\]\nline \d+\n/)
    for (const line of stdout.split('\n')) assert.match(line, /^(line \d+|\[what .*\]|)$/)
  })

  test('a command that ends before it has read its input is no end of ours', async () => {
    for (let i = 0; i < 5; i++) {
      const { code } = await runner.run(['sh', '-c', 'exit 3'], { input: 'x'.repeat(4_000_000), okCodes: 'any' })
      assert.is(code, 3)
    }
  })

  test('pieces that fit are all there, in their order', () => {
    const pieces = boundedPieces<string>(10)
    for (let i = 0; i < 5; i++) pieces.push(`${i}\n`)
    assert.is(wholeLines(pieces.join('')), '0\n1\n2\n3\n4\n')
    for (let i = 5; i < 100; i++) pieces.push(`${i}\n`)
    assert.ok(isCut(pieces.join('')))
    assert.is(wholeLines(pieces.join('')), '0\n1\n2\n3\n4\n[what was said here is left out]\n98\n99\n')
    assert.ok(pieces.length < 12)
  })
})
