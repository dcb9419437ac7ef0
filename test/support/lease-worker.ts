/**
 * A process of test/bench/leasing.test.ts: `lease` leases one block, `subnets` two of addresses, `count` adds to a counter under the lock, `hold` takes
 * the lock, begins to add, and stays there until it is killed, `block` lets its event loop stand still before it adds, and `foreign`, which
 * is no Nexus, takes the folder alone, as soon as that looks abandoned. It says what it did in one line of JSON.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import lockfile from 'proper-lockfile'
import type { WorkspaceId } from '../../lib/core/names.ts'
import { createSubnets } from '../../lib/network/subnets.ts'
import { createLeases } from '../../lib/ports/leases.ts'
import { withLock } from '../../lib/system/lock.ts'

const [task = '', file = '', word = ''] = process.argv.slice(2)

const say = (data: unknown) => process.stdout.write(`${JSON.stringify(data)}\n`)
/** Wall-clock milliseconds with fractions, comparable between processes. */
const now = () => performance.timeOrigin + performance.now()

/** Held from here: everybody begins at once when the test closes stdin. */
async function begin(): Promise<void> {
  say({ ready: true })
  for await (const _ of process.stdin);
}

switch (task) {
  case 'lease': {
    await begin()
    const leases = createLeases({ file, rebuild: async () => [], warn: (text) => say({ warning: text }) })
    const began = now()
    const range = { start: 20_200, end: 20_399 }
    const request = { workspace: `ws-${word.padStart(8, 'a')}` as WorkspaceId, name: word, repo: '/r', range }
    const bases = await leases.acquire({ ...request, offsets: [0, 1] })
    say({ bases, began, ended: now() })
    break
  }
  case 'subnets': {
    await begin()
    const subnets = createSubnets({ file, rebuild: async () => [], warn: (text) => say({ warning: text }) })
    const workspace = `ws-${word.padStart(8, 'a')}` as WorkspaceId
    // for benchmarks of networks (RFC 2544): no machine has a route to them
    const request = { workspace, name: word, repo: '/r', range: '198.18.0.0/22' }
    const [first] = await subnets.acquire({ ...request, count: 1 })
    say({ first, blocks: await subnets.acquire({ ...request, count: 2 }) })
    break
  }
  case 'count': {
    await begin()
    const held: number[] = []
    for (let i = 0; i < Number(word); i++) {
      await withLock(
        file,
        async () => {
          const from = performance.now()
          writeFileSync(file, String(Number(readFileSync(file, 'utf8')) + 1))
          held.push(performance.now() - from)
        },
        { waitMs: 60_000 },
      )
    }
    say({ counted: Number(word), held })
    break
  }
  case 'hold': {
    await withLock(
      file,
      async () => {
        say({ holding: readFileSync(file, 'utf8') })
        await new Promise(() => setInterval(() => {}, 60_000))
      },
      { waitMs: 60_000 },
    )
    break
  }
  case 'block': {
    let runs = 0
    await withLock(
      file,
      async ({ requireHeld }) => {
        const from = readFileSync(file, 'utf8')
        if (++runs === 1) {
          say({ holding: from })
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(word))
        }
        const undisturbed = readFileSync(file, 'utf8') === from
        try {
          requireHeld()
        } catch (error) {
          say({ lost: true, undisturbed })
          throw error
        }
        writeFileSync(file, String(Number(from) + 1))
        say({ undisturbed, runs })
      },
      { waitMs: 60_000 },
    )
    break
  }
  case 'foreign': {
    let compromised = false
    const onCompromised = () => {
      compromised = true
    }
    const retries = { retries: 1_000, minTimeout: 10, maxTimeout: 20 }
    const release = await lockfile.lock(file, { realpath: false, stale: 2_000, update: 1_000, retries, onCompromised })
    say({ took: true })
    for await (const _ of process.stdin);
    const there = existsSync(`${file}.lock`)
    await release()
    say({ there, compromised })
    break
  }
  default:
    throw new Error(`no such task: ${task}`)
}
