/**
 * Checks of the machine, of a backend or of our state: a name, and the findings of each. Types, and the functions that
 * write findings. Pure.
 */
import { printable } from './visible.ts'

export type FindingStatus = 'ok' | 'warning' | 'error'

/** The result of a check. `fix` repairs; the check runs again afterwards, so a repair that failed is seen. */
export interface Diagnosis {
  readonly status: FindingStatus
  /** One sentence. */
  readonly message: string
  /** The consequence; absent where all is well. */
  readonly why?: string
  /** What to do; ends with a command that can be copied. */
  readonly hint?: string
  readonly fix?: () => Promise<void>
}

export interface Check {
  /** Kebab-case, unique among those of a command. */
  readonly name: string
  readonly run: () => Promise<readonly Diagnosis[]>
}

/** A diagnosis as `--json` and the API show it. */
export interface DoctorFinding {
  readonly check: string
  readonly status: FindingStatus
  readonly message: string
  readonly why: string | null
  readonly hint: string | null
  readonly fixable: boolean
}

export function well(message: string): Diagnosis {
  return { status: 'ok', message }
}

interface Trouble {
  readonly message: string
  readonly why: string
  readonly hint: string
  readonly fix?: (() => Promise<void>) | undefined
}

export function warning({ fix, ...said }: Trouble): Diagnosis {
  return { status: 'warning', ...said, ...(fix === undefined ? {} : { fix }) }
}

export function failure(trouble: Trouble): Diagnosis {
  return { ...warning(trouble), status: 'error' }
}

/** For a program that is missing or too old: only a clone of Nexus has a Makefile. */
export const INSTALL_HINT =
  'To install it, use the package manager of this system, or run `make setup` in a clone of Nexus'

/** Names of files and branches in it may come from inside a workspace, so control characters are written out. */
export function toFinding(check: string, { status, message, why, hint, fix }: Diagnosis): DoctorFinding {
  const [said, reason, help] = [message, why, hint].map((text) => (text === undefined ? null : printable(text)))
  return { check, status, message: said ?? '', why: reason ?? null, hint: help ?? null, fixable: fix !== undefined }
}
