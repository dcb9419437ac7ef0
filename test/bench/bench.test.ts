/**
 * The short form of `make bench`: the everyday verbs stay within 1.25 times their bound, beside their floor, on this machine. It runs
 * alone, after everything else.
 */

import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'

const LIMIT_MS = 8 * 60_000

suite('bench', (test) => {
  test(
    'no verb takes more than 1.25 times its bound',
    async () => {
      const { code, stdout, stderr } = await runProcess([process.execPath, 'scripts/bench.mjs', '--short'], {
        timeoutMs: LIMIT_MS,
      })
      console.log(stdout)
      assert.is(code, 0, `${stdout}\n${stderr}`)
    },
    LIMIT_MS,
  )
})
