/**
 * The short failpoint matrix: a kill at every step, and one of the other failures at each, in turn; all of it by the built nexus with
 * real worktrees and leases on the mock backend, and a few on the engine. `make torture` runs all of the matrix, on the engine too.
 */
import { dirname, join } from 'node:path'
import {
  type Case,
  listCases,
  nameOf,
  needsEngine,
  openBench,
  runCase,
  runCases,
  STACK,
} from '../support/failpoints.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'
import { cleanEngine } from './scene.ts'

const JOBS = 6
const ON_ENGINE = [
  'create.resolve:kill:before',
  'create.start:kill:after',
  'create.start:hang:before',
  'start.lease:kill:after',
  'rebuild.resolve:enospc:after',
  'rebuild.start:kill:before',
  'rebuild.stop:kill:after',
  'stop.bring-back:kill:after',
  'delete.remove:kill:after',
  'delete.worktree-remove:kill:before',
]
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
    const failures = await runCases(cases, JOBS, async (one, turn) => {
      await runCase(one, await openBench(join(dir.path, String(turn)), 'mock'), turn)
    })
    console.log(`\n${cases.length} cases, ${((performance.now() - began) / 1000).toFixed(0)} s`)
    assert.equal(failures, [], `${failures.length} of ${cases.length}:\n${failures.join('\n\n')}`)
  }, 300_000)

  test('on the engine, with a project of compose files', async () => {
    await using dir = await tempDir()
    const bench = await openBench(dir.path, 'docker', STACK)
    const cases = listCases().filter((one) => ON_ENGINE.includes(nameOf(one)))
    assert.is(cases.length, ON_ENGINE.length)
    const began = performance.now()
    const failures = [...(await runCases(cases, 1, (one, turn) => runCase(one, bench, turn)))]
    failures.push(...(await cleanEngine(dirname(bench.home))))
    console.log(`\n${cases.length} cases on the engine, ${((performance.now() - began) / 1000).toFixed(0)} s`)
    assert.equal(failures, [], failures.join('\n\n'))
  }, 300_000)
})
