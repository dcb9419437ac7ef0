/** What `make bench` takes for a missed bound. */
import { judge } from '../../../scripts/bench-judge.mjs'
import { assert, suite } from '../../support/suite.ts'

const CASE = { name: 'verb', factor: 1.15, plus: 0, tolerance: 1 }
const FLOOR = [100, 100, 100, 100, 100]

suite('bench judge', (test) => {
  test('a median above the bound misses it, however wide the spread is', () => {
    const { ratio, spread, holds } = judge(CASE, { nexus: [60, 90, 116, 190, 230], floor: FLOOR })
    assert.is(ratio, 1.16)
    assert.ok(spread > 0.4)
    assert.is(holds, false)
  })

  test('one slow round proves nothing', () => {
    assert.is(judge(CASE, { nexus: [110, 110, 115, 110, 900], floor: FLOOR }).holds, true)
  })

  test('pairs are compared, so that a machine that becomes slow changes nothing', () => {
    assert.is(judge(CASE, { nexus: [110, 220, 440], floor: [100, 200, 400] }).holds, true)
  })

  test('the tolerance is a factor of the bound, and the fixed time is a part of that', () => {
    const withTime = { ...CASE, factor: 1, plus: 50, tolerance: 1.25 }
    assert.is(judge(withTime, { nexus: [187], floor: [100] }).holds, true)
    assert.is(judge(withTime, { nexus: [188], floor: [100] }).holds, false)
  })
})
