// Measures each verb beside its floor: the same observable work by plain shell scripts (bench/floors), without Nexus code.
// Verb and floor alternate within one run, so that both see the same machine. Prints medians, spread and ratios as text,
// and as JSON with --json. Exits 1 when the median of the ratios passes its bound; --short allows 1.25 times the bound.
// With --against the other side is the same verb of another build: a checkout with its own dist/nexus.js.
//
//   node scripts/bench.mjs [--rounds N] [--short] [--against DIR] [--json FILE] [case...]
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CASES } from './bench-cases.mjs'
import { makeCrowd, prepareFloor, prepareProject } from './bench-floor.mjs'
import { prepareIgnored } from './bench-ignored.mjs'
import { format, judge } from './bench-judge.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NEXUS = join(ROOT, 'dist', 'nexus.js')
const FILES = 300
/** What CI lets pass: its machine does other work, and `make bench` judges the rest. */
const SHORT_TOLERANCE = 1.25
/** With --against: how much slower than the other build a verb may be. */
const AGAINST_FACTOR = 1.05
/** They change what every start of node costs, on the side of Nexus alone, and are not in a user's shell. */
const SCRUBBED = ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'SSH_AUTH_SOCK']
const FIXTURES = { project: prepareProject, ignored: prepareIgnored }

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    short: { type: 'boolean' },
    against: { type: 'string' },
    json: { type: 'string' },
  },
})
const rounds = Number(options.rounds ?? (options.short ? 11 : 20))

const work = await realpath(await mkdtemp(join(tmpdir(), 'nexus-bench-')))
const results = []
try {
  const here = await prepare(NEXUS, 'here')
  const there = options.against && (await prepare(join(resolve(options.against), 'dist', 'nexus.js'), 'there'))
  const chosen = CASES.filter(
    ({ name, short }) =>
      (short || !options.short) && (wanted.length === 0 || wanted.some((word) => name.includes(word))),
  )
  for (const one of chosen) {
    const result = there ? await measureBuilds(one, here, there) : await measureFloor(one, here)
    results.push(result)
    console.log(format(result))
  }
  await here.end()
  if (there) await there.end()
} finally {
  // not node's own way to remove: there may be a million files
  await runQuietly('rm', ['-rf', '--', work], { cwd: tmpdir(), env: process.env })
}
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ rounds, results }, null, 2)}\n`)
const missed = results.filter(({ holds }) => !holds)
for (const { name } of missed) console.log(`${name}: passes its bound`)
process.exitCode = missed.length === 0 ? 0 : 1

async function measureFloor(one, bench) {
  await bench.stand(one.standing === true)
  const { env = {} } = await fixtureOf(one, bench)
  const run = () => {
    if (typeof one.floor === 'function') return one.floor(bench)
    return Array.isArray(one.floor) ? bench.run('node', [bench.program, ...one.floor]) : bench.floor(one.floor, env)
  }
  const floor = { before: () => one.beforeFloor?.(bench), run, after: () => one.afterFloor?.(bench) }
  await one.beforeAll?.(bench)
  const [nexusMs, floorMs] = await alternate(sideOf(one, bench), floor)
  await one.afterAll?.(bench)
  await one.afterFloors?.(bench)
  return judge({ ...one, tolerance: options.short ? SHORT_TOLERANCE : 1 }, { nexus: nexusMs, floor: floorMs })
}

async function measureBuilds(one, here, there) {
  for (const bench of [here, there]) {
    await fixtureOf(one, bench)
    await one.beforeAll?.(bench)
  }
  const [nexusMs, otherMs] = await alternate(sideOf(one, here), sideOf(one, there))
  for (const bench of [here, there]) await one.afterAll?.(bench)
  return judge({ name: one.name, factor: AGAINST_FACTOR, plus: 0, tolerance: 1 }, { nexus: nexusMs, floor: otherMs })
}

function fixtureOf({ fixture }, bench) {
  return fixture === undefined ? {} : bench.open(fixture)
}

/** The verb as a build runs it. */
function sideOf(one, bench) {
  const words = typeof one.nexus === 'function' ? one.nexus(bench) : one.nexus
  const home = one.crowd ? bench.crowdHome : bench.home
  return {
    before: () => one.beforeNexus?.(bench),
    run: () =>
      one.ssh === undefined
        ? bench.run('node', [bench.program, ...words], { NEXUS_HOME: home })
        : bench.ssh(...one.ssh(bench)),
    after: () => one.afterNexus?.(bench),
  }
}

/** The times of both sides. Each begins every second round, as whatever the first leaves behind is the other's to bear. */
async function alternate(...sides) {
  const times = sides.map(() => [])
  for (let round = -1; round < rounds; round++) {
    for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const { before, run, after } = sides[at]
      await before()
      const ms = await timed(run)
      await after()
      // the first round warms caches and is not counted
      if (round >= 0) times[at].push(ms)
    }
  }
  return times
}

async function timed(action) {
  const began = performance.now()
  await action()
  return performance.now() - began
}

/**
 * For one build of Nexus: a repository, a home, the image, and a hand-made stack of the same image for the floors.
 * @param program its dist/nexus.js
 * @param name of the folder that all of it lies in
 */
async function prepare(program, name) {
  const own = join(work, name)
  const [repo, home, floorDir, user] = ['repo', 'home', 'floor', 'user'].map((folder) => join(own, folder))
  await Promise.all([repo, floorDir, user].map((folder) => mkdir(folder, { recursive: true })))
  const env = { ...process.env, HOME: user, NEXUS_HOME: home, BENCH_REPO: repo, BENCH_FLOOR: floorDir }
  for (const variable of SCRUBBED) delete env[variable]
  const run = (program, args, extra = {}) => runQuietly(program, args, { cwd: repo, env: { ...env, ...extra } })
  for (let i = 0; i < FILES; i++) await writeFile(join(repo, `file-${i}.txt`), `${i}\n`.repeat(50))
  await run('git', ['init', '--quiet', '-b', 'main'])
  await run('git', ['config', 'user.name', 'Bench'])
  await run('git', ['config', 'user.email', 'bench@example.invalid'])
  await run('git', ['add', '-A'])
  await run('git', ['commit', '--quiet', '-m', 'Bench'])

  const nexus = (...args) => run('node', [program, ...args, '--quiet'])
  const floor = (script, extra = {}) => run(join(ROOT, 'bench', 'floors', script), [], extra)
  await nexus('create', 'standing')
  const standing = JSON.parse((await run('node', [program, 'status', 'standing', '--json'])).stdout)
  const parts = join(home, 'workspaces', standing.id)
  env.BENCH_PORT = await prepareFloor(floorDir, parts, repo, standing)
  env.BENCH_KEY = join(home, 'ssh', 'id_ed25519')
  env.BENCH_CONTAINER = (
    await run('docker', ['ps', '-q', '--filter', `label=dev.nexus.workspace=${standing.id}`])
  ).stdout.trim()
  const crowdHome = await makeCrowd(join(own, 'crowd'), join(parts, 'workspace.json'))
  let floorStands = false
  const bench = {
    program,
    home,
    standing: parts,
    crowdHome,
    run,
    ssh: (...args) => run('ssh', ['-F', join(home, 'ssh', 'config'), ...args]),
    nexus,
    floor,
    closeMaster: () =>
      run(
        'ssh',
        ['-F', 'none', '-o', `ControlPath=${join(home, 'run', `${standing.id}.ssh`)}`, '-O', 'exit', '127.0.0.1'],
        {},
        true,
      ).catch(() => {}),
    /** Cases on a running workspace need the hand-made stack to run too; the others need its worktree gone. */
    stand: async (wantedUp) => {
      if (wantedUp && !floorStands) await floor('create.sh')
      if (!wantedUp && floorStands) await floor('delete.sh')
      floorStands = wantedUp
    },
    end: async () => {
      if (floorStands) await floor('delete.sh')
      await nexus('delete', 'standing', '--force')
      const label = `label=dev.nexus.instance=${(await readFile(join(home, 'state', 'instance'), 'utf8')).trim()}`
      const { stdout } = await run('docker', ['image', 'ls', '-q', '--filter', label])
      for (const id of new Set(stdout.trim().split('\n').filter(Boolean)))
        await run('docker', ['image', 'rm', '-f', id])
    },
    /** What takes a while to make is made when a case needs it. */
    open: async (fixture) => {
      bench[fixture] ??= await FIXTURES[fixture]({ root: ROOT, program, work: own, home, run, nexus })
      return bench[fixture]
    },
  }
  return bench
}

function runQuietly(program, args, { cwd, env }) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.once('error', fail)
    // 'exit' and not 'close': an ssh master in the background may hold the pipes
    child.once('exit', (code) =>
      code === 0
        ? setImmediate(() => done({ stdout, stderr }))
        : fail(new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`)),
    )
  })
}
