// Runs the tests: `node scripts/test.mjs [--kind unit,golden,tool,scenario,bench,long] [--jobs N] [--deadline S] [--root DIR] [filter...]`
// Bundles the test files, runs each in a process of its own with a clean environment and a fresh TMPDIR, and trusts no
// exit code alone: a file fails without a summary, with no test, with a skipped one, past its deadline, or when it leaves
// a process or a file behind. At the end it looks for what was left on Docker. The last line is `N passed, N failed`.
//
// NEXUS_KEEP_FAILED=1 keeps the temporary folders of files that failed.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { build, formatMessages } from 'esbuild'
import { findProcesses, kill, listDockerObjects, newDockerObjects } from '../test/support/leftovers.mjs'
import { settings } from './build.mjs'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
/** Light kinds run first, one file a core; the next share machine-wide things such as Docker; what measures runs alone. */
const KINDS = {
  unit: { round: 1, deadlineMs: 120_000 },
  golden: { round: 1, deadlineMs: 120_000 },
  tool: { round: 2, deadlineMs: 1_200_000 },
  scenario: { round: 2, deadlineMs: 1_200_000 },
  bench: { round: 3, deadlineMs: 600_000 },
  // of `make torture`
  long: { round: 2, deadlineMs: 1_200_000 },
}
const USUAL = Object.keys(KINDS).filter((kind) => kind !== 'long')
/** More than the cores of a small machine: these files wait for the engine about half of their time. */
const HEAVY_JOBS = Math.max(3, Math.ceil(availableParallelism() * 1.5))
const SCRUBBED = /^(CI|NEXUS_.*|ZX_.*|GIT_.*|COMPOSE_.*|DOCKER_CONTEXT|SSH_AUTH_SOCK|NO_COLOR|FORCE_COLOR)$/
/** For processes that are about to end, and for output that is on its way. */
const GRACE_MS = 1_000
const OUTPUT_MAX = 1_000_000
const DOCKER_PATIENCE_MS = 2_000
/** On a machine that has not timed them yet. */
const LONG = ['projects', 'failpoints', 'compose', 'examples', 'by-hand', 'trouble', 'failpoints-engine', 'traced']

const keepFailed = process.env.NEXUS_KEEP_FAILED === '1'
/** Process groups of the running files. */
const live = new Set()
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    for (const group of live) kill(-group)
  })
}

process.exitCode = await main(readOptions())

async function main(options) {
  const files = await findFiles(options)
  const cache = join(REPOSITORY, 'node_modules', '.cache', 'nexus-tests')
  await mkdir(cache, { recursive: true })
  const times = await loadTimes(join(cache, 'seconds.json'))
  const bundles = await mkdtemp(join(cache, 'run-'))
  const temp = await realpath(await mkdtemp(join(tmpdir(), 'nxt-')))
  const count = { passed: 0, failed: 0 }
  try {
    const [engine, built] = await Promise.all([listDockerObjects(DOCKER_PATIENCE_MS), bundle(files, bundles)])
    const runOne = async (file) => {
      const { ms, ...counted } = await runFile({ ...file, ...built.get(file) }, temp, options)
      add(count, counted)
      if (counted.failed === 0) times.set(file.name, ms / 1000)
    }
    for (const [round, jobs] of [
      [1, availableParallelism()],
      [2, HEAVY_JOBS],
      [3, 1],
    ]) {
      const some = longestFirst(
        files.filter((file) => file.round === round),
        times,
      )
      await pool(some, options.jobs ?? jobs, runOne)
    }
    if (files.length === 0) add(count, report('no test file', 0, 1, 0, ['nothing matches what was asked for']))
    if (interrupted) add(count, report('interrupted', 0, 1, 0, ['the files that did not run are not counted']))
    add(count, await checkEngine(engine, temp))
    if (options.root === resolve(REPOSITORY)) await saveTimes(join(cache, 'seconds.json'), times)
  } finally {
    await rm(bundles, { recursive: true, force: true })
    await rmdir(temp).catch(() => {}) // not empty: kept on purpose
  }
  console.log(`${count.passed} passed, ${count.failed} failed`)
  return interrupted ? 130 : Number(count.failed > 0)
}

function add(count, { passed, failed }) {
  count.passed += passed
  count.failed += failed
}

function readOptions() {
  try {
    const { values, positionals: filters } = parseArgs({
      allowPositionals: true,
      options: {
        kind: { type: 'string', default: USUAL.join() },
        jobs: { type: 'string' },
        deadline: { type: 'string' },
        root: { type: 'string', default: REPOSITORY },
      },
    })
    const kinds = values.kind.split(',')
    for (const kind of kinds) if (!(kind in KINDS)) throw new Error(`unknown kind "${kind}"`)
    const positive = (text) => {
      if (text !== undefined && !(Number(text) > 0)) throw new Error(`"${text}" is not a number above 0`)
      return text === undefined ? undefined : Number(text)
    }
    const deadlineMs = positive(values.deadline) === undefined ? undefined : Number(values.deadline) * 1000
    return { kinds, filters, root: resolve(values.root), jobs: positive(values.jobs), deadlineMs }
  } catch (error) {
    console.error(`error: ${error.message}; see the first line of scripts/test.mjs`)
    process.exit(2)
  }
}

/** test/<kind>/**\/*.test.ts whose path holds one of the filters. */
async function findFiles({ kinds, filters, root }) {
  const found = await Promise.all(
    kinds.map(async (kind) => {
      const names = await readdir(join(root, 'test', kind), { recursive: true }).catch(() => []) // a kind may have none
      const tests = names.filter((name) => name.endsWith('.test.ts')).sort()
      return tests.map((name) => ({ path: join(root, 'test', kind, name), ...KINDS[kind] }))
    }),
  )
  return found
    .flat()
    .map((file) => ({ ...file, name: relative(root, file.path) }))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.name.includes(filter)))
}

/** All files at once, sharing chunks; when that fails, each alone, so that only the broken ones fail. */
async function bundle(files, outdir) {
  const name = (file) => file.name.replace(/\.ts$/, '')
  const make = async (some, folder) => {
    await build({
      ...settings,
      entryPoints: some.map((file) => ({ in: file.path, out: name(file) })),
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'silent',
    })
    return new Map(some.map((file) => [file, { bundle: join(folder, `${name(file)}.mjs`) }]))
  }
  try {
    return await make(files, outdir)
  } catch {
    // one file that cannot be built must not keep the others from running
    const alone = files.map((file, index) =>
      make([file], join(outdir, `alone-${index}`)).catch(async ({ errors, stack }) => {
        const messages = await formatMessages(errors ?? [{ text: stack }], { kind: 'error' })
        return new Map([[file, { unbuilt: messages.join('\n') }]])
      }),
    )
    return new Map((await Promise.all(alone)).flatMap((map) => [...map]))
  }
}

/** Seconds that each file took when it passed last, so that no long one begins when the others are done. Only the order hangs on it. */
async function loadTimes(file) {
  try {
    return new Map(Object.entries(JSON.parse(await readFile(file, 'utf8'))))
  } catch {
    return new Map() // the first run, or a damaged file
  }
}

async function saveTimes(file, times) {
  const rounded = [...times].sort().map(([name, seconds]) => [name, Math.round(seconds * 10) / 10])
  await writeFile(`${file}.${process.pid}`, `${JSON.stringify(Object.fromEntries(rounded), null, 1)}\n`)
  await rename(`${file}.${process.pid}`, file)
}

function longestFirst(files, times) {
  const place = ({ name }) => {
    const at = LONG.indexOf(/([^/]+)\.test\.ts$/.exec(name)?.[1])
    return times.get(name) ?? (at === -1 ? 0 : 1000 - at)
  }
  return [...files].sort((a, b) => place(b) - place(a))
}

async function pool(items, jobs, work) {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined && !interrupted; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.floor(jobs)) }, worker))
}

async function runFile(file, tempRoot, options) {
  if (file.unbuilt !== undefined) return { ...report(file.name, 0, 1, 0, ['it cannot be built'], file.unbuilt), ms: 0 }
  const temp = await mkdtemp(`${tempRoot}/`)
  const began = performance.now()
  const deadlineMs = options.deadlineMs ?? file.deadlineMs
  const ended = await runProcess(file.bundle, options.root, temp, deadlineMs)
  const ms = performance.now() - began
  const { total, passed, problems } = readSummary(ended.output)
  if (ended.late) problems.push(`it did not end within ${deadlineMs / 1000} s and was killed`)
  else if (ended.code !== 0) problems.push(`it ended with ${ended.code === null ? ended.signal : `code ${ended.code}`}`)
  for (const { pid, command } of ended.left) problems.push(`it left a process behind: ${pid} ${command}`)
  if (ended.held) problems.push('something still holds its output open')
  if (!keepFailed) for (const name of await readdir(temp)) problems.push(`it left behind ${join(temp, name)}`)
  if (keepFailed && problems.length > 0) problems.push(`its temporary folder is ${temp}`)
  else await rm(temp, { recursive: true, force: true, maxRetries: 2 }).catch(({ message }) => problems.push(message))
  const failed = problems.length === 0 ? 0 : Math.max(1, total - passed)
  return { ...report(file.name, passed, failed, ms, problems, ended.output), ms }
}

/** Runs one bundle in its own process group until it, and all that it started, is gone. */
async function runProcess(bundlePath, cwd, temp, deadlineMs) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !SCRUBBED.test(key)))
  Object.assign(env, { TMPDIR: temp }, keepFailed ? { NEXUS_KEEP_FAILED: '1' } : {})
  const child = spawn(process.execPath, ['--enable-source-maps', bundlePath], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = { output: '', late: false }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      ended.output = (ended.output + text).slice(-OUTPUT_MAX)
    })
  }
  live.add(child.pid)
  const timer = setTimeout(() => {
    ended.late = true
    kill(-child.pid)
  }, deadlineMs)
  const closed = new Promise((done) => child.once('close', () => done(true)))
  const [code, signal] = await new Promise((done) => child.once('exit', (...how) => done(how)))
  clearTimeout(timer)
  const left = await findProcesses({ group: child.pid, folder: temp }, GRACE_MS)
  for (const { pid } of left) kill(pid)
  live.delete(child.pid)
  const held = !(await Promise.race([closed, new Promise((done) => setTimeout(done, GRACE_MS, false).unref())]))
  for (const stream of [child.stdout, child.stderr]) stream.destroy()
  return { ...ended, code, signal, left, held }
}

/** What uvu counted; a problem for each reason not to believe it. */
function readSummary(output) {
  const text = stripVTControlCharacters(output)
  const numbers = ['Total', 'Passed', 'Skipped'].map((word) => {
    const last = [...text.matchAll(new RegExp(`^ *${word}: +(\\d+)$`, 'gm'))].at(-1)
    return last === undefined ? undefined : Number(last[1])
  })
  if (numbers.includes(undefined)) return { total: 0, passed: 0, problems: ['it printed no summary'] }
  const [total, passed, skipped] = numbers
  const problems = []
  if (total === 0) problems.push('it has no test')
  if (passed !== total) problems.push(`${passed} of ${total} tests passed`)
  if (skipped !== 0) problems.push(`${skipped} tests were skipped`)
  return { total, passed, problems }
}

/** Prints the line of one file, and what it printed when it failed. */
function report(name, passed, failed, ms, problems, output = '') {
  const tests = `${passed + failed} ${passed + failed === 1 ? 'test' : 'tests'}`
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name}  ${tests}  ${(ms / 1000).toFixed(1)} s`)
  for (const problem of problems) console.log(`     ${problem}`)
  if (failed > 0 && output.trim() !== '') console.log(`${output.trimEnd().replace(/^(?=.)/gm, '     | ')}\n`)
  return { passed, failed }
}

async function checkEngine(before, temp) {
  if (before === undefined) {
    console.log('note Docker does not answer, so nothing was looked for there')
    return { passed: 0, failed: 0 }
  }
  const after = await listDockerObjects(10 * DOCKER_PATIENCE_MS)
  if (after === undefined) return report('leftovers on Docker', 0, 1, 0, ['Docker answers no more'])
  const left = newDockerObjects(before, after, temp).map(({ kind, name }) => `${kind} ${name}`)
  return left.length === 0 ? { passed: 0, failed: 0 } : report('leftovers on Docker', 0, left.length, 0, left)
}
