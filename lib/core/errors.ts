/**
 * The one error class and the one table behind it: code -> exit code, HTTP status, whether trying again can help.
 *
 * A message is one sentence that says what failed, with the user's own words in it; the hint ends with the command that
 * helps. Anything thrown that is not a `NexusError` is a bug of ours and is reported as INTERNAL (exit 70).
 * The table is the contract's; add a row only together with it.
 */

import { clipped } from './bounded.ts'
import { printable } from './visible.ts'

interface ErrorKind {
  /** Process exit code of a verb that ends with this error. */
  readonly exit: number
  /** HTTP status of the API's answer. */
  readonly http: number
  /** True when the same call may succeed later without any change. */
  readonly retryable?: boolean
}

export const ERROR_TABLE = {
  INVALID_ARGUMENT: { exit: 2, http: 400 },
  CONFIG_INVALID: { exit: 2, http: 422 },
  UNSUPPORTED: { exit: 2, http: 501 },
  AUTHENTICATION_FAILED: { exit: 1, http: 401 },
  PERMISSION_DENIED: { exit: 1, http: 403 },
  APPROVAL_REQUIRED: { exit: 4, http: 403 },
  WORKSPACE_NOT_FOUND: { exit: 3, http: 404 },
  CHECKPOINT_NOT_FOUND: { exit: 3, http: 404 },
  REPOSITORY_NOT_FOUND: { exit: 3, http: 404 },
  WORKSPACE_ALREADY_EXISTS: { exit: 4, http: 409 },
  WORKSPACE_BUSY: { exit: 4, http: 409, retryable: true },
  WORKSPACE_NOT_RUNNING: { exit: 4, http: 409 },
  WORKSPACE_DIRTY: { exit: 4, http: 409 },
  NAME_AMBIGUOUS: { exit: 4, http: 409 },
  BRANCH_IN_USE: { exit: 4, http: 409 },
  PORT_CONFLICT: { exit: 4, http: 409, retryable: true },
  SYNC_CONFLICT: { exit: 4, http: 409 },
  DIVERGED: { exit: 4, http: 409 },
  RESOURCE_EXHAUSTED: { exit: 5, http: 503, retryable: true },
  BACKEND_UNAVAILABLE: { exit: 5, http: 503, retryable: true },
  TOOL_MISSING: { exit: 5, http: 503 },
  SYNC_PAUSED: { exit: 5, http: 503, retryable: true },
  TIMEOUT: { exit: 1, http: 504, retryable: true },
  WORKSPACE_START_FAILED: { exit: 1, http: 500 },
  BUILD_FAILED: { exit: 1, http: 500 },
  HOOK_FAILED: { exit: 1, http: 500 },
  SECRET_UNRESOLVED: { exit: 1, http: 500 },
  GIT_ERROR: { exit: 1, http: 500 },
  CONTAINER_ERROR: { exit: 1, http: 500 },
  SYNC_FAILED: { exit: 1, http: 500 },
  DISK_FULL: { exit: 1, http: 500 },
  INTERNAL: { exit: 70, http: 500 },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_TABLE

/** The end of what a tool printed, which is what a message can show; `count` is at most how many lines. */
export function lastLines(text: string, count = 20): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** Characters of a tool's output, from the beginning and as much from the end. */
const OUTPUT_KEPT = 32 * 1024

export interface ErrorFields {
  /** What to do now; ends with a command that can be copied. */
  readonly hint?: string | undefined
  /** Facts for programs: candidates, paths, ports. Must be JSON data. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** What a tool printed; shown indented below the message. */
  readonly output?: string | undefined
  readonly cause?: unknown
}

export class NexusError extends Error {
  override readonly name = 'NexusError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly output: string | undefined

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}) {
    super(printable(message), fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = code
    this.hint = fields.hint === undefined ? undefined : printable(fields.hint)
    this.details = fields.details
    this.output = clipped(fields.output?.trim() ?? '', OUTPUT_KEPT) || undefined
  }

  get exitCode(): number {
    return ERROR_TABLE[this.code].exit
  }
}

/** Thrown when the user (or a signal) ended the operation; the exit code is 128 + the signal's number. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'
  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }
  get exitCode(): number {
    return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[this.signal]
  }
}

/** The error object of the API and of `--json`. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly hint: string | null
    readonly retryable: boolean
    readonly details: Readonly<Record<string, unknown>>
  }
}

export function errorBody(error: NexusError): ErrorBody {
  const kind: ErrorKind = ERROR_TABLE[error.code]
  const details = error.output === undefined ? error.details : { ...error.details, output: error.output }
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint ?? null,
      retryable: kind.retryable ?? false,
      details: details ?? {},
    },
  }
}

/** Makes the compiler check that a switch is exhaustive. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
