/** The server under load, in short: `make torture` has the long form. Clients who idle, leave or never finish cost it nothing that stays. */

import { headFor, idle, load, openLoadServer } from '../support/api-load.ts'
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'

const LISTENERS = 50
const IDLE = 1_000
/** So long the server itself waits for a request that does not come whole; less than that is not waiting. */
const REQUEST_LIMIT_MS = 30_000

suite('the API under load', (test) => {
  test('answers while hundreds idle, listen and leave, and has no more open afterwards than before', async () => {
    await using server = await openLoadServer(100)
    await load(server, 100, 0.5)
    /** What a request costs the server: this machine may be slow, or have much else to do. */
    const costOf = async (requests: number, seconds: number) => {
      const { workedMs } = await server.resources()
      assert.is((await load(server, requests / seconds, seconds)).refused, 0)
      return ((await server.resources()).workedMs - workedMs) / requests
    }
    const calmMs = await costOf(100, 0.5)
    const before = await server.resources()
    const listen = headFor(server, 'GET /api/v1/events HTTP/1.1')
    const half = headFor(
      server,
      'POST /api/v1/workspaces HTTP/1.1',
      'Content-Type: application/json',
      'Content-Length: 500',
    )
    const giant = headFor(
      server,
      'POST /api/v1/workspaces HTTP/1.1',
      'Content-Type: application/json',
      'Content-Length: 5000000',
    )
    const open = async (count: number, text?: string) =>
      Promise.all(Array.from({ length: count }, () => idle(server, text)))
    // those that come while it cannot take them wait in the kernel
    process.kill(server.pid, 'SIGSTOP')
    const idlers = await open(IDLE).finally(() => process.kill(server.pid, 'SIGCONT'))
    const waiting = [...idlers, ...(await open(LISTENERS, listen)), ...(await open(20, `${half}{"name":`))]
    const cut = await open(5, giant)
    const besideMs = await costOf(400, 2)
    assert.ok(besideMs < 3 * calmMs + 1, `a request cost ${calmMs} ms alone, and ${besideMs} ms beside those who wait`)
    for (const { ended } of cut) assert.ok((await ended) < REQUEST_LIMIT_MS, 'a giant body was waited for')
    // gone in the middle
    for (const { socket } of waiting) socket.destroy()
    await eventually(
      async () => {
        const now = await server.resources()
        assert.ok(now.descriptors <= before.descriptors + 3, `${JSON.stringify(before)} ${JSON.stringify(now)}`)
      },
      { timeoutMs: 20_000 },
    )
    const after = await server.resources()
    assert.ok(after.rssMb < before.rssMb * 2 + 50, `${JSON.stringify(before)} ${JSON.stringify(after)}`)
    assert.is((await load(server, 50, 0.2)).refused, 0)
  }, 90_000)
})
