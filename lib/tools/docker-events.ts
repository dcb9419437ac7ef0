/**
 * The engine's own events, as the docker CLI tells them: one long-lived child that is started again, with growing
 * pauses, when the engine goes away and comes back. It tells that something happened, not what: the caller looks.
 */
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { NexusError } from '../core/errors.ts'
import type { Runner } from '../system/exec.ts'
import type { Docker } from './docker.ts'

/** What changes a container's state. Checks of health run commands inside all the time, which are events too. */
const ACTIONS = [
  ...['create', 'start', 'restart', 'die', 'stop', 'kill', 'oom', 'pause', 'unpause', 'rename', 'destroy'],
  'health_status',
]
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 5_000
/** A child that lived so long was no failed try. */
const STEADY_MS = 10_000

export interface EngineWatcher {
  readonly onChange: () => void
  /** Null: the engine answers; else why it does not. Told when it changes. */
  readonly onReach: (trouble: string | null) => void
}

/** Until `signal` is aborted. Events between two children are told too: each asks from where the last look was. */
export async function watchEngine(
  runner: Runner,
  docker: Docker,
  label: string,
  { onChange, onReach }: EngineWatcher,
  signal: AbortSignal,
): Promise<void> {
  let told: string | null | undefined
  let pauseMs = FIRST_PAUSE_MS
  const tell = (trouble: string | null) => {
    if (trouble === told) return
    told = trouble
    onReach(trouble)
  }
  while (!signal.aborted) {
    const began = Date.now()
    const trouble = await findTrouble(docker)
    if (signal.aborted) return
    tell(trouble)
    if (trouble === null) await follow(runner, label, began, onChange, signal)
    pauseMs = Date.now() - began > STEADY_MS ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LAST_PAUSE_MS)
    if (!signal.aborted) await pause(pauseMs, undefined, { signal }).catch(() => undefined) // ended: the loop sees it
  }
}

async function findTrouble(docker: Docker): Promise<string | null> {
  try {
    await docker.info()
    return null
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    return error.message
  }
}

async function follow(runner: Runner, label: string, sinceMs: number, onChange: () => void, signal: AbortSignal) {
  const filters = ['type=container', `label=${label}`, ...ACTIONS.map((action) => `event=${action}`)]
  const words = filters.flatMap((filter) => ['--filter', filter])
  const since = (sinceMs / 1_000).toFixed(3)
  const argv = ['docker', 'events', '--since', since, ...words, '--format', '{{.Action}}']
  const child = runner.begin(argv, { endsWithUs: {} })
  const end = () => child.kill('SIGTERM')
  signal.addEventListener('abort', end, { once: true })
  child.stderr.resume()
  createInterface({ input: child.stdout }).on('line', onChange)
  try {
    await child.ended
  } finally {
    signal.removeEventListener('abort', end)
  }
}
