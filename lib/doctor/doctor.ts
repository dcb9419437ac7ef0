/**
 * Runs the checks side by side, each with a time limit, so that a failing or hanging check affects no other. With `fix`
 * it repairs what can be repaired, one after the other, and checks again: a repair cannot claim a success. Without
 * `fix` nothing is changed.
 */
import { Interrupted, NexusError } from '../core/errors.ts'
import { type Check, type Diagnosis, type DoctorFinding, toFinding, warning } from '../core/finding.ts'
import type { App } from '../workspace/app.ts'
import { listChecks } from './checks.ts'
import { type Machine, scan, thisMachine } from './scan.ts'

/** A check that needs longer is told as one that did not end. */
const CHECK_TIMEOUT_MS = 15_000

export interface DoctorRequest {
  readonly fix: boolean
  readonly machine?: Machine
  readonly timeoutMs?: number
}

export interface DoctorResult {
  /** In the order of the checks, as they were at the end. */
  readonly findings: readonly DoctorFinding[]
  /** Findings that a repair has ended. */
  readonly fixed: readonly DoctorFinding[]
  /** No finding is an error. */
  readonly healthy: boolean
}

interface Told {
  readonly finding: DoctorFinding
  readonly fix: Diagnosis['fix']
}

export async function examine(app: App, request: DoctorRequest): Promise<DoctorResult> {
  const { machine = thisMachine, timeoutMs = CHECK_TIMEOUT_MS } = request
  const look = async () => runChecks(await listChecks(await scan(app, machine)), timeoutMs)
  const first = await look()
  const repairs = request.fix ? first.filter(({ fix }) => fix !== undefined) : []
  for (const { finding, fix } of repairs) await repair(app, finding, fix)
  const last = repairs.length === 0 ? first : await look()
  const findings = last.map(({ finding }) => finding)
  const remains = new Set(findings.map(keyOf))
  return {
    findings,
    fixed: repairs.map(({ finding }) => finding).filter((finding) => !remains.has(keyOf(finding))),
    healthy: findings.every(({ status }) => status !== 'error'),
  }
}

const keyOf = ({ check, message }: DoctorFinding) => `${check}\0${message}`

async function repair(app: App, finding: DoctorFinding, fix: Diagnosis['fix']): Promise<void> {
  app.interruption.signal.throwIfAborted()
  app.emit({ type: 'progress', text: `fixing: ${finding.message}` })
  try {
    await fix?.()
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const said = error instanceof Error ? error.message : String(error)
    const hint = error instanceof NexusError ? error.hint : undefined
    app.emit({ type: 'warning', text: `${finding.check}: ${said}`, hint })
  }
}

export async function runChecks(checks: readonly Check[], timeoutMs: number): Promise<readonly Told[]> {
  const told = await Promise.all(
    checks.map(async (check) => {
      const diagnoses = await withLimit(check, timeoutMs)
      return diagnoses.map((diagnosis) => ({ finding: toFinding(check.name, diagnosis), fix: diagnosis.fix }))
    }),
  )
  return told.flat()
}

async function withLimit({ name, run }: Check, timeoutMs: number): Promise<readonly Diagnosis[]> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<readonly Diagnosis[]>((done) => {
    timer = setTimeout(() => done([unfinished(name, `did not end within ${timeoutMs / 1000} s`)]), timeoutMs)
  })
  try {
    return await Promise.race([run(), limit])
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const said = error instanceof Error ? error.message.replace(/\.$/, '') : String(error)
    return [unfinished(name, `failed: ${said}`)]
  } finally {
    clearTimeout(timer)
  }
}

function unfinished(name: string, what: string): Diagnosis {
  return warning({
    message: `The check ${name} ${what}.`,
    why: 'Nothing is known of what it looks at; the other checks are not touched by it.',
    hint: 'To see every command that is run, repeat with `nexus doctor -V`',
  })
}
