/**
 * The long tests, for `make torture`: the whole failpoint matrix on the mock backend and on the engine, kill -9 at random times, many
 * creates at once, a storm. Prints the figures of docs/reliability.md; ends with 1 when an invariant was broken.
 */
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { cleanEngine } from '../scenario/scene.ts'
import {
  type Bench,
  type Case,
  listCases,
  needsAgent,
  needsEngine,
  openBench,
  runCase,
  runCases,
  STACK,
} from '../support/failpoints.ts'
import { tempDir } from '../support/temp.ts'
import { fuzzLong, soakApi } from './api.ts'
import { killRounds } from './kill.ts'
import { createRandom } from './random.ts'
import { createMany, storm } from './storm.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'mock,engine,kill,many,storm,api,fuzz' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '300' },
    count: { type: 'string', default: '24' },
    /** Cases of the engine's matrix whose name holds this. */
    cases: { type: 'string', default: '' },
  },
})
const seed = Number(values.seed)
const failures: string[] = []

function tell(what: string, figures: Readonly<Record<string, unknown>>, broken: readonly string[]): void {
  const words = Object.entries(figures).map(([key, value]) => `${key} ${value}`)
  console.log(`${broken.length === 0 ? 'ok  ' : 'FAIL'} ${what}: ${[...words, `broken ${broken.length}`].join(', ')}`)
  for (const text of broken) console.log(text.replace(/^/gm, '     | '))
  failures.push(...broken)
}

function selected(): readonly Case[] {
  return listCases().filter(({ operation, step, failure, moment }) =>
    `${operation}.${step}:${failure}:${moment}`.includes(values.cases),
  )
}

interface Place {
  readonly files?: Readonly<Record<string, string>>
  readonly variables?: Readonly<Record<string, string>>
}

async function onEngine(what: string, { files, variables }: Place, body: (bench: Bench) => Promise<void>) {
  await using dir = await tempDir()
  const bench = await openBench(dir.path, 'docker', files, variables)
  try {
    await body(bench)
  } finally {
    const left = await cleanEngine(dirname(bench.home))
    if (left.length > 0) tell(`${what}, leftovers`, {}, left)
  }
}

/** One after the other in one home, so that the image is built once. */
function matrixOnEngine(what: string, place: Place, cases: readonly Case[]): Promise<void> {
  return onEngine(what, place, async (bench) => {
    const began = performance.now()
    const broken = await runCases(cases, 1, (one, turn) => runCase(one, bench, turn))
    tell(what, { cases: cases.length, time: seconds(began) }, broken)
  })
}

const seconds = (began: number) => `${((performance.now() - began) / 1_000).toFixed(0)} s`

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  mock: async () => {
    await using dir = await tempDir()
    const cases = selected().filter((one) => !needsEngine(one))
    const began = performance.now()
    const broken = await runCases(cases, 6, async (one, turn) => {
      const folder = join(dir.path, String(turn))
      await mkdir(folder)
      await runCase(one, await openBench(folder, 'mock'), turn)
      await rm(folder, { recursive: true })
    })
    tell('failpoints, mock backend', { cases: cases.length, time: seconds(began) }, broken)
  },
  engine: async () => {
    const [agents, others] = [selected().filter(needsAgent), selected().filter((one) => !needsAgent(one))]
    const variables = { NEXUS_ISOLATION: 'agent' }
    if (agents.length > 0) await matrixOnEngine('failpoints, engine, agents', { variables }, agents)
    if (others.length > 0) await matrixOnEngine('failpoints, engine', { files: STACK }, others)
  },
  kill: () =>
    onEngine('kill', {}, async (bench) => {
      const began = performance.now()
      const {
        rounds,
        killed,
        places,
        failures: broken,
      } = await killRounds(bench, Number(values.rounds), createRandom(seed))
      tell('kill -9', { seed, rounds, kills: killed, time: seconds(began) }, broken)
      for (const [place, count] of [...places].sort()) console.log(`     ${place}: ${count}`)
    }),
  many: () =>
    onEngine('many', {}, async (bench) => {
      const { asked, done, ms, failures: broken } = await createMany(bench, Number(values.count))
      tell('creates at once', { done: `${done} of ${asked}`, time: `${(ms / 1_000).toFixed(1)} s` }, broken)
    }),
  storm: () =>
    onEngine('storm', {}, async (bench) => {
      const { commands, codes, slowestMs, failures: broken } = await storm(bench, Number(values.seconds), seed)
      const said = [...codes].sort().map(([code, count]) => `${code}: ${count}`)
      const slowest = `${(slowestMs / 1_000).toFixed(1)} s`
      tell('storm', { seed, seconds: values.seconds, commands, slowest, codes: said.join(' ') }, broken)
    }),
  api: async () => {
    const { figures, failures: broken } = await soakApi(2 * Number(values.seconds))
    tell('API, soak', figures, broken)
  },
  fuzz: async () => {
    const { figures, failures: broken } = await fuzzLong(seed, Number(values.seconds))
    tell('API, fuzzed', figures, broken)
  },
}

for (const part of values.only.split(',')) {
  const run = PARTS[part]
  if (run === undefined) throw new Error(`no such part: ${part}; there are ${Object.keys(PARTS).join(', ')}`)
  await run()
}
process.exitCode = Number(failures.length > 0)
