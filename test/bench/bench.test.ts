/**
 * The short form of `make bench`: every verb stays within its bound, beside its floor, on this machine. It runs alone, after
 * everything else; a machine that does other work widens the spread and thereby the tolerance.
 */

import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'

const LIMIT_MS = 8 * 60_000

suite('bench', (test) => {
  test(
    'no ratio passes its bound by more than the spread',
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
