/** Logs that go on: a JSON line for each, until nothing more can come or the client goes, which ends what reads them. */
import type { LogEntry } from '../core/status.ts'

export function logsStream(entries: AsyncIterable<LogEntry>): ReadableStream<Uint8Array> {
  const lines = entries[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let gone = false
  return new ReadableStream(
    {
      // so that the head is sent though nothing is logged yet
      start: (controller) => controller.enqueue(encoder.encode('\n')),
      pull: async (controller) => {
        const { done, value } = await lines.next()
        if (gone) return
        if (done === true) controller.close()
        else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`))
      },
      cancel: async () => {
        gone = true
        await lines.return?.()
      },
    },
    { highWaterMark: 2 },
  )
}
