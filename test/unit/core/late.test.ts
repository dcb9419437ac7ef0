import { late } from '../../../lib/core/late.ts'
import { assert, suite } from '../../support/suite.ts'

suite('an object that is made late', (test) => {
  test('is made once, at the first call, and answers as itself', async () => {
    let made = 0
    const counter = late(async () => {
      made++
      return { add: async (a: number, b: number) => a + b, fail: async () => Promise.reject(new Error('no')) }
    })
    await Promise.resolve(counter)
    assert.is(made, 0)
    assert.equal(await Promise.all([counter.add(1, 2), counter.add(3, 4)]), [3, 7])
    assert.is(made, 1)
    assert.is(await counter.fail().catch((error: Error) => error.message), 'no')
  })
})
