/**
 * What a look at the health of the machine, of a backend or of our own state is made of: checks with a name, and what each
 * of them says. Types, and the one way to write them. Pure.
 */
import { printable } from './visible.ts'

export type FindingStatus = 'ok' | 'warning' | 'error'

/** What a check says. With `fix` it knows how to end the trouble; a fix that did not help is seen by the next look. */
export interface Diagnosis {
  readonly status: FindingStatus
  /** One sentence. */
  readonly message: string
  /** What comes of it; absent where all is well. */
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
export interface Finding {
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

/** Names of files and branches in it may come from inside a workspace, and must not command a terminal. */
export function toFinding(check: string, { status, message, why, hint, fix }: Diagnosis): Finding {
  const [said, reason, help] = [message, why, hint].map((text) => (text === undefined ? null : printable(text)))
  return { check, status, message: said ?? '', why: reason ?? null, hint: help ?? null, fixable: fix !== undefined }
}
