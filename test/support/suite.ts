/**
 * The one door to uvu. It offers `test(title, body, limitMs?)` and nothing else: no hooks (uvu swallows what they throw),
 * no skip, no only. Every body is raced against a limit, whatever it throws is a failure, and `.run()` is never forgotten.
 *
 * A test file ends by itself. Whatever still holds the process a second after the last test (server, child, timer,
 * watcher) was leaked: it is named and the process ends with code 1. scripts/test.mjs has the last word, by its deadline.
 */
import { inspect } from 'node:util'
import { suite as uvuSuite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ErrorCode, NexusError } from '../../lib/core/errors.ts'

export { assert }

export type Test = (title: string, body: () => Promise<void> | void, limitMs?: number) => void

const DEFAULT_LIMIT_MS = 10_000
const LEAK_GRACE_MS = 1_000

/** Tests of this file that have not ended yet. */
let remaining = 0
let running = false

/** Defines a suite and has it run. `define` is synchronous and all suites of a file are defined while it loads. */
export function suite(name: string, define: (test: Test) => void): void {
  if (running) throw new Error(`suite "${name}" comes too late: the tests run already`)
  const cases = uvuSuite(name)
  let defined = 0
  let open = true
  const outcome: unknown = define((title, body, limitMs = DEFAULT_LIMIT_MS) => {
    if (!open) throw new Error(`test "${title}" comes too late: define the tests of "${name}" synchronously`)
    defined++
    remaining++
    cases(title, () => runCase(body, limitMs))
  })
  open = false
  if (outcome !== undefined) throw new Error(`suite "${name}": define must be synchronous`)
  if (defined === 0) throw new Error(`suite "${name}" has no test`)
  cases.run()
}

/** Asserts that `run` fails with this code, and returns the error for a closer look. */
export async function rejects(run: () => unknown, code: ErrorCode): Promise<NexusError> {
  let value: unknown
  try {
    value = await run()
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    assert.is(error.code, code, `expected ${code}, got ${error.code}: ${error.message}`)
    return error
  }
  throw new Error(`expected ${code}, but it returned ${inspect(value)}`)
}

async function runCase(body: () => Promise<void> | void, limitMs: number): Promise<void> {
  running = true
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`did not end within ${limitMs} ms`)), limitMs)
  })
  try {
    await Promise.race([(async () => body())(), limit])
  } catch (thrown) {
    throw printable(thrown)
  } finally {
    clearTimeout(timer)
    if (--remaining === 0) reportLeaks()
  }
}

/** uvu loses what is not an Error, and of one it prints the message and the stack: code, tool output and cause go there. */
function printable(thrown: unknown): Error {
  if (thrown instanceof assert.Assertion) return thrown
  if (!(thrown instanceof Error)) return new Error(`thrown, though not an Error: ${inspect(thrown)}`)
  const { name, message } = thrown
  const text = inspect(thrown)
  const at = text.indexOf(message)
  const stack = at < 0 ? `\n${text}` : text.slice(at + message.length)
  return Object.assign(new Error(`${name}: ${message}`), { stack })
}

/** The timer holds nothing itself, so it fires only in a process that something else keeps alive. */
function reportLeaks(): void {
  const report = () => {
    const leaked = process.getActiveResourcesInfo().join(', ')
    process.stderr.write(`\nstill open ${LEAK_GRACE_MS} ms after the last test: ${leaked}\n`)
    process.exit(1)
  }
  setTimeout(report, LEAK_GRACE_MS).unref()
}
