/**
 * The short failpoint matrix: a kill at every step, and one of the other failures at each, in turn; all of it by the built nexus with
 * real worktrees and leases on the mock backend. `failpoints-engine.test.ts` has a few on the engine; `make torture` runs all of the
 * matrix, on the engine too.
 */
import { type Case, createStages, listCases, needsEngine, playCase, runCases } from '../support/failpoints.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

const JOBS = 6
const OTHERS = ['error', 'term', 'hang', 'enospc']

/** Creates and deletes are killed on both sides of each step; of the other failures each step meets one. */
function isShort({ operation, failure, moment }: Case, pair: number): boolean {
  if (failure === 'kill') return moment === 'before' || operation === 'create' || operation === 'delete'
  return moment === 'before' && OTHERS.indexOf(failure) === pair % OTHERS.length
}

suite('failpoints', (test) => {
  test('every step that fails is repaired by the next command', async () => {
    await using dir = await tempDir()
    const pairs = new Map<string, number>()
    const cases = listCases().filter((one) => {
      const pair = `${one.operation}.${one.step}`
      if (!pairs.has(pair)) pairs.set(pair, pairs.size)
      return !needsEngine(one) && isShort(one, pairs.get(pair) ?? 0)
    })
    const began = performance.now()
    const stage = createStages(dir.path)
    const failures = await runCases(cases, JOBS, async (one, turn, worker) => {
      await playCase(one, await stage(one, worker), turn)
    })
    console.log(`\n${cases.length} cases, ${((performance.now() - began) / 1000).toFixed(0)} s`)
    assert.equal(failures, [], `${failures.length} of ${cases.length}:\n${failures.join('\n\n')}`)
  }, 1_000_000)
})
