/**
 * Events as Server-Sent Events: `id`, `event` and one line of `data` each. The first block has the id alone, so that who is cut off
 * before the first event can come back by it; comments keep the connection from looking dead.
 */
import type { ApiEvent, Subscription } from './changes/hub.ts'

const HEARTBEAT_MS = 15_000
/** Milliseconds after which a client tries again, as the protocol has it. */
const RETRY_MS = 1_000

export function eventStream(subscription: Subscription): ReadableStream<Uint8Array> {
  const events = subscription[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  let over = false
  const end = () => {
    over = true
    clearInterval(timer)
    subscription.close()
  }
  return new ReadableStream(
    {
      start: (controller) => {
        controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\nid: ${subscription.startId}\n\n`))
        timer = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(': still here\n\n'))
        }, HEARTBEAT_MS)
        timer.unref()
      },
      pull: async (controller) => {
        const { done, value } = await events.next()
        if (over) return
        if (done === true) {
          end()
          controller.close()
        } else controller.enqueue(encoder.encode(blockOf(value)))
      },
      cancel: end,
    },
    { highWaterMark: 2 },
  )
}

/** JSON has no line breaks of its own. */
function blockOf(event: ApiEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}
