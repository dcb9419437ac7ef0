/** What a command said, of whatever length: whole letters, and of too much the beginning and the end. */
import { boundedPieces, isCut, wholeLines } from '../../../lib/core/bounded.ts'
import { NexusError } from '../../../lib/core/errors.ts'
import { createInterruption } from '../../../lib/core/interruption.ts'
import { isTooMuch, WORKER_VARIABLE } from '../../../lib/system/exec.ts'
import lifeLine from '../../../lib/system/life-line.sh'
import { createRunner } from '../../../lib/system/runner.ts'
import { assert, rejects, suite } from '../../support/suite.ts'

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

  test('bytes of which some are left out can be joined, as exec --all does', () => {
    const pieces = boundedPieces<Buffer>(16)
    for (let i = 0; i < 10; i++) pieces.push(Buffer.from(`line ${i}\n`))
    assert.match(wholeLines(Buffer.concat(pieces).toString()), /^line 0\n.*left out.*line 9\n$/s)
  })

  test('the last command of a life line runs without our mark', () => {
    assert.ok(lifeLine.includes(`env -u ${WORKER_VARIABLE} `))
  })

  test('a command that says too much is ended, whatever it does then', async () => {
    const began = performance.now()
    const flood = say(
      "const more = () => { while (say('x'.repeat(65536))); process.stdout.once('drain', more) }; more()",
    )
    const error = await rejects(() => runner.run(flood, { maxBytes: 1024 * 1024 }), 'CONTAINER_ERROR')
    assert.ok(isTooMuch(error))
    assert.match(error.message, /said more than 1 MiB/)
    assert.ok(performance.now() - began < 10_000)
    assert.is((await runner.run(say("say('x'.repeat(900_000))"), { maxBytes: 1024 * 1024 })).stdout.length, 900_000)
  })

  test('of stderr, and of what is shown line by line, a part is kept', async () => {
    const script =
      "const lines = Array.from({ length: 300_000 }, (_, i) => 'line ' + i + '\\n' + ' '.repeat(80)); process.stderr.write(lines.join(''))"
    let shown = 0
    const onLine = (line: string) => {
      shown += line.length
    }
    const { stderr, cut } = await runner.run(say(script), { onLine })
    assert.is(cut, true)
    assert.ok(stderr.length < 256 * 1024, String(stderr.length))
    assert.match(stderr, /line 299999\n/)
    assert.ok(shown < 17 * 1024 * 1024, String(shown))
  })

  test('what an error shows of a tool is not all that the tool said', () => {
    const { output = '' } = new NexusError('GIT_ERROR', 'x', { output: 'one line\n'.repeat(100_000) })
    assert.ok(output.length < 70_000)
    assert.match(output, /^one line\n.*\[what was said here is left out\]\n.*one line$/s)
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
