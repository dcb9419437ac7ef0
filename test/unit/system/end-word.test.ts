/** Commands that say when they are over: what they leave behind is not waited for, and of what they said nothing is lost. */
import { PassThrough } from 'node:stream'
import { createInterruption } from '../../../lib/core/interruption.ts'
import { createEndWord, hear, sayEnd } from '../../../lib/system/end-word.ts'
import { createRunner } from '../../../lib/system/runner.ts'
import { assert, suite } from '../../support/suite.ts'

const runner = createRunner(() => {}, process.env, createInterruption())
const SLEEP_S = 61

/** In a bash that holds fd 3 for stderr; what is left behind tells its process, and holds both streams. */
const leaving = (word: string, said: string, code: number) => [
  'bash',
  '-c',
  `exec 3>&2; sleep ${SLEEP_S} & ${said}; printf '\\npid=%s\\n' $!; (exit ${code}); ${sayEnd(word, '3')}`,
]

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString('latin1')
}

/** @returns the text before it */
function endLeft(text: string): string {
  const [all = '', pid] = /\npid=(\d+)\n$/.exec(text) ?? []
  process.kill(Number(pid))
  return text.slice(0, text.length - all.length)
}

suite('the end word', (test) => {
  test('is found wherever the pieces are cut, and what is before it arrives whole', async () => {
    const word = createEndWord()
    const texts = [
      '',
      'x',
      '\0\n\r',
      `${word.slice(0, 31)}-`,
      `${word.slice(0, 20)}-${word.slice(0, 20)}-`,
      'äß'.repeat(10),
      `printf '${word}%03d' $c\n`,
      `${word}x${word}01-${word}1-`,
    ]
    for (const text of texts) {
      const whole = Buffer.concat([Buffer.from(text), Buffer.from(`${word}007later`)])
      for (let cut = 0; cut <= whole.length; cut++) {
        const [stdout, stderr] = [new PassThrough(), new PassThrough()]
        const heard = hear({ stdout, stderr }, word)
        const said = textOf(heard.stdout)
        heard.stderr.resume()
        stderr.end(`${word}007`)
        stdout.write(whole.subarray(0, cut))
        await new Promise((done) => setImmediate(done))
        stdout.write(whole.subarray(cut))
        assert.is(await said, Buffer.from(text).toString('latin1'), `${JSON.stringify(text)} at ${cut}`)
        assert.is(await heard.over, 7)
      }
    }
  })

  test('without it a stream is as it was', async () => {
    const word = createEndWord()
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const heard = hear({ stdout, stderr }, word)
    stdout.end(`text ${word.slice(0, 10)}`)
    stderr.end(`${word}01`)
    assert.is(await textOf(heard.stdout), `text ${word.slice(0, 10)}`)
    assert.is(await textOf(heard.stderr), `${word}01`)
    assert.is(await Promise.race([heard.over, new Promise((done) => setTimeout(done, 20, 'open'))]), 'open')
  })

  test('does not stand in the text that says it, which is on a command line', async () => {
    for (let i = 0; i < 100; i++) {
      const word = createEndWord()
      assert.not(sayEnd(word, '3').replaceAll("'", '').includes(word))
    }
    const word = createEndWord()
    const begun = runner.begin(leaving(word, 'cat /proc/$$/cmdline | tr "\\\\0" " "', 11), { endWord: { word } })
    begun.stderr.resume()
    const [stdout, code] = await Promise.all([textOf(begun.stdout), begun.ended])
    assert.match(endLeft(stdout), /printf '%s%s%03d' [0-9a-f]+ [0-9a-f]+ \$c; exit \$c $/)
    assert.is(code, 11)
  })

  test('ends what is begun and what is captured, with all that was said and the code', async () => {
    const [one, two] = [createEndWord(), createEndWord()]
    const much = 'head -c 3000000 /dev/zero; printf end >&2'
    const begun = runner.begin(leaving(one, much, 9), { endWord: { word: one } })
    const [stdout, stderr, code] = await Promise.all([textOf(begun.stdout), textOf(begun.stderr), begun.ended])
    assert.is(endLeft(stdout), '\0'.repeat(3_000_000))
    assert.equal([stderr, code], ['end', 9])
    const lines: string[] = []
    const captured = await runner.run(leaving(two, 'echo a; printf b; printf c >&2', 3), {
      ...{ endWord: { word: two }, okCodes: 'any', keepBytes: 100_000 },
      onLine: (line) => void lines.push(line),
    })
    assert.is(endLeft(captured.stdout), 'a\nb')
    assert.equal([captured.stderr, captured.code], ['c', 3])
    assert.equal([lines[0], lines.includes('c')], ['a', true])
    assert.not(lines.join().includes(two))
  })

  test('a reader that goes away leaves the code to the other stream', async () => {
    const word = createEndWord()
    const script = `exec 3>&2; echo first; sleep 0.1; for i in $(seq 2000); do echo more; done 2>/dev/null; (exit 4); ${sayEnd(word, '3')}`
    const begun = runner.begin(['bash', '-c', `trap '' PIPE; ${script}`], { endWord: { word } })
    begun.stderr.resume()
    for await (const _ of begun.stdout) break
    assert.is(await begun.ended, 4)
  })
})
