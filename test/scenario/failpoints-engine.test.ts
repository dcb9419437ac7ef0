/** Some of the failpoint matrix on the engine, in a file of its own, so that others run while it waits; see `failpoints.test.ts`. */
import { dirname } from 'node:path'
import { listCases, nameOf, openBench, runCase, runCases, STACK } from '../support/failpoints.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'
import { cleanEngine } from './scene.ts'

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

suite('failpoints', (test) => {
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
