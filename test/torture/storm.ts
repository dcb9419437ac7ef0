/** Many processes at once: a storm of commands on few names, and creates of as many names as there are processes. */
import type { Bench } from '../support/failpoints.ts'
import { checkInvariants, readRecords } from '../support/invariants.ts'
import { createRandom } from './random.ts'

const PROCESSES = 16
const NAMES = ['a', 'b', 'c', 'd', 'e']
const VERBS = [
  ['up'],
  ['start'],
  ['stop'],
  ['delete', '--force', '--delete-branch'],
  ['create'],
  ['exec', '--', 'true'],
]
/** Done; not in that state; not there; somebody else was quicker; Nexus's own refusal of an exec. */
const FINE = [0, 2, 3, 4, 125]

export interface StormResult {
  readonly commands: number
  /** Commands by exit code. */
  readonly codes: ReadonlyMap<number, number>
  readonly slowestMs: number
  readonly failures: readonly string[]
}

export async function storm(bench: Bench, seconds: number, seed: number): Promise<StormResult> {
  const codes = new Map<number, number>()
  const failures: string[] = []
  const deadline = performance.now() + seconds * 1_000
  let commands = 0
  let slowestMs = 0
  const player = async (number: number) => {
    const random = createRandom(seed + number)
    while (performance.now() < deadline) {
      const [verb = '', ...words] = random.pick(VERBS)
      const argv = [verb, random.pick(NAMES), ...words]
      const began = performance.now()
      try {
        const { code, stderr } = await bench.run(argv)
        codes.set(code, (codes.get(code) ?? 0) + 1)
        if (!FINE.includes(code)) failures.push(`nexus ${argv.join(' ')} ended with ${code}:\n${stderr}`)
      } catch (error) {
        failures.push((error as Error).message) // it did not end: a deadlock
      }
      commands++
      slowestMs = Math.max(slowestMs, performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: PROCESSES }, (_, number) => player(number)))
  await collect(failures, () => checkInvariants(bench, bench.userFiles))
  for (const name of NAMES) await bench.run(['delete', name, '--force', '--delete-branch'])
  await collect(failures, () => checkInvariants(bench, bench.userFiles))
  return { commands, codes, slowestMs, failures }
}

export interface ManyResult {
  readonly asked: number
  readonly done: number
  readonly ms: number
  readonly failures: readonly string[]
}

export async function createMany(bench: Bench, count: number): Promise<ManyResult> {
  const failures: string[] = []
  const names = Array.from({ length: count }, (_, i) => `many-${i}`)
  const began = performance.now()
  const results = await Promise.all(names.map((name) => bench.run(['create', name])))
  const ms = performance.now() - began
  for (const { code, stderr } of results) if (code !== 0) failures.push(`a create ended with ${code}:\n${stderr}`)
  await collect(failures, () => checkInvariants(bench, bench.userFiles))
  const ports = readRecords(bench).flatMap((record) => record.ports.map(({ host }) => host))
  if (new Set(ports).size !== ports.length) failures.push('a port is there twice')
  for (const name of names) await bench.run(['delete', name, '--force', '--delete-branch'])
  await collect(failures, () => checkInvariants(bench, bench.userFiles))
  return { asked: count, done: results.filter(({ code }) => code === 0).length, ms, failures }
}

async function collect(failures: string[], check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (error) {
    failures.push((error as Error).message)
  }
}
