/** The one queue: what many put in, one reads, in order, and its end. */
import { createQueue } from '../../../lib/core/queue.ts'
import { assert, suite } from '../../support/suite.ts'

async function readAll<T>(read: AsyncIterable<T>): Promise<readonly T[]> {
  const got: T[] = []
  for await (const item of read) got.push(item)
  return got
}

suite('queue', (test) => {
  test('a reader who waits gets what is put in later, in order, and ends with the queue', async () => {
    const queue = createQueue(['first'])
    const reading = readAll(queue.read())
    await new Promise((done) => setImmediate(done))
    queue.put('second')
    queue.put('third')
    queue.end()
    assert.equal(await reading, ['first', 'second', 'third'])
  })

  test('a failure comes after what was put in before it, and what comes first ends it', async () => {
    const queue = createQueue<number>()
    queue.put(1)
    queue.fail(new Error('gone'))
    queue.end()
    const reading = queue.read()
    assert.equal((await reading.next()).value, 1)
    const error = await reading.next().catch((failed: unknown) => failed)
    assert.is((error as Error).message, 'gone')
  })

  test('what is thrown away is not read', async () => {
    const queue = createQueue([1, 2, 3])
    assert.is(queue.size, 3)
    queue.clear()
    queue.end()
    assert.equal(await readAll(queue.read()), [])
  })
})
