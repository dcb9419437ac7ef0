/** Logs that go on: text as it comes, until the workspace's services end or the client goes, which ends what reads them. */
import type { Piped } from '../system/exec.ts'

export function logsStream(running: Piped): ReadableStream<Uint8Array> {
  const pieces = running.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  running.stderr.resume() // compose tells there that a container ended, which its logs tell too
  return new ReadableStream(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await pieces.next()
          if (done === true) controller.close()
          else controller.enqueue(new Uint8Array(value))
        } catch (error) {
          running.kill('SIGTERM')
          controller.error(error)
        }
      },
      cancel: () => {
        running.kill('SIGTERM')
        running.stdout.destroy()
      },
    },
    { highWaterMark: 1 },
  )
}
