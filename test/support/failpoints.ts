/**
 * The failpoint matrix: every step of every operation (from the plans' own table) x every failure x before and after. Each case brings a
 * workspace to where the step is part of the plan, has it fail there, has one ordinary command repair it, and checks the invariants.
 */
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KINDS, type OperationKind, type StepId } from '../../lib/core/operations.ts'
import { FAILURES, type FailKind, type Moment } from '../../lib/workspace/operation/failpoint.ts'
import { runNexus } from './cli.ts'
import { checkInvariants, readUserFiles, takeSnapshot, type World } from './invariants.ts'
import { type ProcessResult, runProcess } from './process.ts'
import { writeFiles } from './temp.ts'

export interface Case {
  readonly operation: OperationKind
  readonly step: StepId
  readonly failure: FailKind
  readonly moment: Moment
}

export const nameOf = ({ operation, step, failure, moment }: Case) => `${operation}.${step}:${failure}:${moment}`

/** All of them, in a fixed order. */
export function listCases(): readonly Case[] {
  return Object.entries(KINDS).flatMap(([operation, { steps }]) =>
    steps.flatMap((step) =>
      FAILURES.flatMap((failure) =>
        (['before', 'after'] as const).map((moment) => ({
          operation: operation as OperationKind,
          step,
          failure,
          moment,
        })),
      ),
    ),
  )
}

/** A git dir of the workspace's own, or guards that a rebuild stops it for. */
export function needsAgent({ operation, step }: Case): boolean {
  return step === 'bring-back' || (operation === 'rebuild' && step === 'stop')
}

/** What only an engine has: compose files, and so a lease at every start; agents. */
export function needsEngine(one: Case): boolean {
  return needsAgent(one) || one.step === 'resolve' || (one.operation === 'start' && one.step === 'lease')
}

/** Hooks are the user's own here, so that nothing has to be approved. */
const USER_CONFIG = (dotfiles: string) => `hooks:
  pre-start: {run: "true", on: host}
  post-create: "true"
  post-start: "true"
  pre-stop: "true"
  post-stop: {run: "true", on: host}
  pre-delete: {run: "true", on: host}
dotfiles: {repository: ${dotfiles}}
worktree: {templates: [.env.nexus]}
`
const FILES = { 'README.md': '# A project\n', '.env.nexus': 'PORT=1\n', '.gitignore': '.env\nignored\n' }
/** A service beside the workspace's own container, from an image that `make setup` leaves on every engine. */
export const STACK = {
  'compose.yaml':
    'services: {side: {image: "debian:bookworm-slim", command: sleep infinity, init: true, stop_grace_period: 1s}}',
}

export interface Bench extends World {
  /** What its commands run with. */
  readonly env: Readonly<Record<string, string>>
  readonly run: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<ProcessResult>
  readonly userFiles: string
}

/** A repository with uncommitted and ignored files, and a home whose configuration makes every step happen. */
export async function openBench(
  folder: string,
  backend: World['backend'],
  files = {},
  variables: Readonly<Record<string, string>> = {},
): Promise<Bench> {
  const [home, repo, dotfiles] = ['home', 'repo', 'dotfiles'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  await Promise.all([
    makeRepository(repo, { ...FILES, ...files }),
    makeRepository(dotfiles, { '.nexus-testrc': 'x\n' }),
  ])
  await writeFiles(repo, { 'README.md': 'changed, not committed\n', 'notes.txt': 'untracked\n', ignored: 'ignored\n' })
  await mkdir(join(home, '.nexus'), { recursive: true, mode: 0o700 })
  await writeFiles(join(home, '.nexus'), { 'config.yaml': USER_CONFIG(dotfiles) })
  const world: World = { home: join(home, '.nexus'), repo, backend }
  const lent = backend === 'mock' ? { NEXUS_MOCK_WITH: 'worktree,local-ports' } : {}
  const base = { NEXUS_BACKEND: backend, ...lent, ...variables }
  return {
    ...world,
    userFiles: await readUserFiles(world),
    env: { HOME: home, NEXUS_HOME: world.home, ...base },
    run: (args, env = {}) => runNexus(args, { cwd: repo, home, env: { ...base, ...env } }),
  }
}

const SETTINGS = '[user]\n\tname = Test\n\temail = t@example.invalid\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n'

async function makeRepository(path: string, files: Readonly<Record<string, string>>): Promise<void> {
  await writeFiles(path, files)
  const git = (...args: string[]) => must(['git', '-C', path, ...args])
  await git('init', '--quiet', '--initial-branch=main')
  // at once: a hundred benches are made
  await appendFile(join(path, '.git', 'config'), SETTINGS)
  await git('add', '--all')
  await git('commit', '--quiet', '--message', 'first')
}

async function must(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await runProcess(argv, { env: { GIT_CONFIG_GLOBAL: '/dev/null' } })
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
}

/** The commands before which a step would be no part of the plan. */
function preparation({ operation, step }: Case): readonly (readonly string[])[] {
  switch (operation) {
    case 'create':
      return []
    case 'start':
      return [['up', 'x', ...(step === 'dotfiles' || step === 'post-create' ? ['--no-start'] : [])]]
    case 'rebuild':
      // only where nobody inside is trusted is it stopped first
      return [['up', 'x', ...(step === 'stop' ? ['--isolation', 'agent'] : ['--no-start'])]]
    case 'resume':
      return [
        ['up', 'x'],
        ['pause', 'x'],
      ]
    case 'stop':
    case 'pause':
      return [['up', 'x', ...(step === 'bring-back' ? ['--git-mode', 'private'] : [])]]
    case 'delete':
      return [['up', 'x']]
  }
}

async function prepare(one: Case, bench: Bench): Promise<void> {
  for (const args of preparation(one)) {
    const { code, stderr } = await bench.run(args)
    if (code !== 0) throw new Error(`nexus ${args.join(' ')} ended with ${code}: ${stderr}`)
  }
}

/** What the user does meanwhile, and the command that fails. */
async function begin(one: Case, bench: Bench): Promise<readonly string[]> {
  const { operation } = one
  if (operation === 'create') return ['up', 'x']
  if (operation === 'start') {
    if (losesWorktree(one)) await rm(join(bench.repo, '.worktree', 'x'), { recursive: true })
    else await removeParts(bench)
  }
  // without it nothing would be kept
  if (one.step === 'trash') await writeFiles(join(bench.repo, '.worktree', 'x'), { 'work.txt': 'of days' })
  return operation === 'delete' ? ['delete', 'x', '--force'] : [operation, 'x']
}

/**
 * Benches on the mock backend that stand prepared for their case. What a preparation leaves is kept, and put back at the same
 * paths for the next case that needs it: to make it anew each time was most of what the matrix cost.
 */
export function createStages(dir: string) {
  const kept = new Map<string, { readonly bench: Bench; readonly copy: string }>()
  let copies = 0
  return async (one: Case, worker: number): Promise<Bench> => {
    const folder = join(dir, `bench-${worker}`)
    const key = `${worker} ${JSON.stringify(preparation(one))}`
    await rm(folder, { recursive: true, force: true })
    const there = kept.get(key)
    if (there !== undefined) {
      await must(['cp', '--archive', there.copy, folder])
      return there.bench
    }
    const bench = await openBench(folder, 'mock')
    await prepare(one, bench)
    const copy = join(dir, `kept-${copies++}`)
    await must(['cp', '--archive', folder, copy])
    kept.set(key, { bench, copy })
    return bench
  }
}

/** As somebody would by hand: nothing of it runs, or is there, any more. */
async function removeParts({ home, backend }: Bench): Promise<void> {
  if (backend === 'mock') {
    await writeFile(join(home, 'state', 'mock.json'), '{"schema":1,"workspaces":{}}')
    return
  }
  const instance = (await readFile(join(home, 'state', 'instance'), 'utf8')).trim()
  const list = ['docker', 'ps', '--all', '--quiet', '--filter', `label=dev.nexus.instance=${instance}`]
  const ids = (await runProcess(list)).stdout.split('\n').filter(Boolean)
  if (ids.length > 0) await must(['docker', 'rm', '--force', ...ids])
}

/** The step is there because the user has removed the worktree, which only a start makes anew. */
function losesWorktree({ operation, step }: Case): boolean {
  return operation === 'start' && (step === 'stop' || step === 'worktree')
}

const REPAIRS = [['up'], ['exec', '--', 'true'], ['stop'], ['restart'], ['delete', '--force'], ['rebuild']] as const
const ENDS: Readonly<Record<FailKind, readonly number[]>> = {
  kill: [137],
  term: [143],
  error: [1],
  hang: [1],
  // a step that writes nothing does not notice
  enospc: [0, 1],
}

/** @param turn which command repairs */
export async function runCase(one: Case, bench: Bench, turn: number): Promise<void> {
  await prepare(one, bench)
  await playCase(one, bench, turn)
}

/** On a bench that is prepared for it. */
export async function playCase(one: Case, bench: Bench, turn: number): Promise<void> {
  const command = await begin(one, bench)
  const worktree = join(bench.repo, '.worktree', 'x')
  const keeps = one.operation !== 'delete' && existsSync(worktree)
  if (keeps) await writeFiles(worktree, { 'work.txt': 'of days' })
  const failed = await bench.run(command, {
    NEXUS_FAILPOINT: nameOf(one),
    ...(one.failure === 'hang' ? { NEXUS_STEP_LIMIT: `${one.step}:2000` } : {}),
  })
  const said = `nexus ${command.join(' ')} ended with ${failed.code}:\n${failed.stderr}`
  if (!failed.stderr.includes('NEXUS_FAILPOINT: ')) throw new Error(`the failpoint was not met; ${said}`)
  if (!ENDS[one.failure].includes(failed.code)) throw new Error(said)
  const [verb, ...words] = REPAIRS[losesWorktree(one) ? 0 : turn % REPAIRS.length] as readonly [string, ...string[]]
  const repair = await bench.run([verb, 'x', ...words])
  const story = `${said}\nnexus ${verb} x ended with ${repair.code}:\n${repair.stderr}`
  // it may be gone, or not as the command needs it; anything else is a failure to repair
  if (![0, 2, 3, 4, 125].includes(repair.code)) throw new Error(story)
  const asWanted = failed.code === 137 || one.operation === 'create'
  await confirm(bench, story, asWanted)
  if (keeps && verb !== 'delete' && !existsSync(join(worktree, 'work.txt'))) throw new Error(`work is lost\n${story}`)
  await confirmNothingMore(bench, story)
  await bench.run(['delete', 'x', '--force'])
  await confirm(bench, story)
}

async function confirm(bench: Bench, story: string, asWanted = true): Promise<void> {
  try {
    await checkInvariants(bench, bench.userFiles, asWanted)
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${story}`)
  }
}

/** A second repair changes nothing. */
async function confirmNothingMore(bench: Bench, story: string): Promise<void> {
  const before = await takeSnapshot(bench)
  await bench.run(['exec', 'x', '--', 'true'])
  const after = await takeSnapshot(bench)
  if (after !== before) throw new Error(`a second repair changed something:\n${before}\n${after}\n${story}`)
}

/** Runs cases side by side; `worker` is never at two at once. Returns what failed. */
export async function runCases(
  cases: readonly Case[],
  jobs: number,
  play: (one: Case, turn: number, worker: number) => Promise<void>,
): Promise<readonly string[]> {
  const queue = cases.map((one, turn) => ({ one, turn }))
  const failures: string[] = []
  const work = async (_: unknown, worker: number) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await play(next.one, next.turn, worker)
      } catch (error) {
        failures.push(`${nameOf(next.one)}: ${(error as Error).message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return failures
}
