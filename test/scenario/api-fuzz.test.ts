/** Requests made from docs/openapi.json by a program that knows nothing else of us, with every check that it has: it finds nothing. */
import { fuzzApi } from '../support/schemathesis.ts'
import { assert, suite } from '../support/suite.ts'

suite('the API, fuzzed by its own document', (test) => {
  test('nothing is found', async () => {
    const { code, stdout, stderr, crashes } = await fuzzApi({
      seed: 1,
      examples: 1,
      seconds: 60,
      phases: 'examples,coverage',
    })
    const found = stdout.replace(/.{1000,}/g, (line) => `${line.slice(0, 1_000)} ...`)
    assert.is(code, 0, `${found}\n${stderr}`)
    assert.equal(crashes, [])
    assert.match(stdout, /^ *Tested: [4-9]\d|^ *Tested: \d{3}/m, 'hardly an operation was tried')
  }, 400_000)
})
