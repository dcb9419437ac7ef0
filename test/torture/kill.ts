/**
 * kill -9 at random times: a round runs one command on one of two names, kills it at a random moment of its usual time, has another
 * command repair, and checks the invariants. The same seed gives the same commands and moments; where exactly they hit is the machine's.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import type { Bench } from '../support/failpoints.ts'
import { checkInvariants, readRecords } from '../support/invariants.ts'
import { writeFiles } from '../support/temp.ts'
import type { Random } from './random.ts'

export interface KillResult {
  readonly rounds: number
  /** Rounds in which the command was killed before it had ended. */
  readonly killed: number
  /** Where: operation and step as the record said, or `unnoted`. */
  readonly places: ReadonlyMap<string, number>
  readonly failures: readonly string[]
}

const NAMES = ['one', 'two']
const REPAIRS = [['up'], ['exec', '--', 'true'], ['stop'], ['restart'], ['delete', '--force']]

export async function killRounds(bench: Bench, rounds: number, random: Random): Promise<KillResult> {
  const places = new Map<string, number>()
  const failures: string[] = []
  const usual = await measure(bench)
  let killed = 0
  for (let round = 1; round <= rounds; round++) {
    const name = random.pick(NAMES)
    const argv = random.pick(commandsFor(readRecords(bench).find((record) => record.name === name)))
    const repair = random.pick(REPAIRS)
    const part = random.next()
    const work = join(bench.repo, '.worktree', name, 'work.txt')
    const before = argv[0] !== 'delete' && existsSync(work)
    const story = [`round ${round}: nexus ${argv.join(' ')} ${name}, killed after ${part.toFixed(2)} of its time`]
    try {
      const [verb = ''] = argv
      // a little more, so that some end by themselves
      const limit = part * 1.1 * (usual.get(verb) ?? 1_000)
      const began = performance.now()
      const { dead } = await runAndKill(bench, [verb, name, ...argv.slice(1)], limit)
      if (dead) {
        killed++
        const operation = readRecords(bench).find((record) => record.name === name)?.operation
        const place = operation ? `${operation.kind}.${operation.step}` : `${verb}, nothing noted`
        places.set(place, (places.get(place) ?? 0) + 1)
        story.push(`killed at ${place}`)
      } else usual.set(verb, performance.now() - began) // the machine has become faster
      const [fix = '', ...words] = repair
      const repaired = await bench.run([fix, name, ...words])
      story.push(`nexus ${fix} ${name} ended with ${repaired.code}`, repaired.stderr)
      if (![0, 2, 3, 4, 125].includes(repaired.code)) throw new Error('the repair failed')
      await checkInvariants(bench, bench.userFiles)
      if (before && fix !== 'delete' && !existsSync(work)) throw new Error('work is lost')
      await leaveWork(bench, name)
    } catch (error) {
      failures.push(`${(error as Error).message}\n${story.join('\n')}`)
      await bench.run(['delete', name, '--force'])
    }
    if (round % 20 === 0) console.log(`${round} rounds, ${killed} kills, ${failures.length} broken`)
  }
  for (const name of NAMES) await bench.run(['delete', name, '--force', '--delete-branch'])
  await checkInvariants(bench, bench.userFiles)
  return { rounds, killed, places, failures }
}

/** How long each verb takes when nobody kills it. */
async function measure(bench: Bench): Promise<Map<string, number>> {
  const usual = new Map<string, number>()
  await bench.run(['up', 'warm'])
  for (const argv of [
    ['up'],
    ['stop'],
    ['start'],
    ['pause'],
    ['resume'],
    ['restart'],
    ['rebuild'],
    ['delete', '--force'],
  ]) {
    const [verb = '', ...words] = argv
    const began = performance.now()
    await bench.run([verb, 'one', ...words])
    usual.set(verb, performance.now() - began)
  }
  await bench.run(['delete', 'warm', '--force'])
  return usual
}

/** Something uncommitted, which no repair may lose. */
async function leaveWork(bench: Bench, name: string): Promise<void> {
  const worktree = join(bench.repo, '.worktree', name)
  if (existsSync(worktree)) await writeFiles(worktree, { 'work.txt': 'of days' })
}

function commandsFor(record: WorkspaceRecord | undefined): readonly (readonly string[])[] {
  if (record === undefined) return [['up'], ['up'], ['up', '--no-start']]
  const always = [['delete', '--force'], ['rebuild'], ['restart']]
  switch (record.desired) {
    case 'running':
      return [...always, ['stop'], ['pause']]
    case 'paused':
      return [...always, ['resume'], ['stop']]
    default:
      return [...always, ['start'], ['up']]
  }
}

/** Kills nexus alone: what it has started goes on by itself, as after a crash. */
async function runAndKill(bench: Bench, argv: readonly string[], afterMs: number) {
  const child = spawn(process.execPath, [join(process.cwd(), 'dist', 'nexus.js'), ...argv], {
    cwd: bench.repo,
    env: { ...process.env, ...bench.env },
    stdio: 'ignore',
  })
  const ended = new Promise<NodeJS.Signals | null>((done) => child.once('exit', (_, signal) => done(signal)))
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
  const signal = await ended
  clearTimeout(timer)
  return { dead: signal === 'SIGKILL' }
}
