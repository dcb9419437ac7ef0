/** How a request fails: the contract's error object with its HTTP status, and what no code of the contract is more exact about. Pure. */
import { ERROR_TABLE, type ErrorBody, errorBody, Interrupted, NexusError } from '../core/errors.ts'

/** A refusal of HTTP's own, with a status that is more exact than its code's. */
export class Refusal extends NexusError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, fields: RefusalFields = {}) {
    super(fields.code ?? 'INVALID_ARGUMENT', message, { hint: fields.hint ?? SEE_DOCUMENT, details: fields.details })
    this.status = status
    this.headers = fields.headers ?? {}
  }
}

interface RefusalFields {
  readonly code?: 'INVALID_ARGUMENT' | 'PERMISSION_DENIED' | 'AUTHENTICATION_FAILED' | 'RESOURCE_EXHAUSTED'
  readonly hint?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export const SEE_DOCUMENT = 'To see what there is and what it takes, run `nexus api /openapi.json`'

export interface Failure {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ErrorBody
}

/** `logOf` keeps what was not foreseen and gives the place. */
export function failureOf(error: unknown, logOf: (error: unknown) => string): Failure {
  if (error instanceof Refusal) return { status: error.status, headers: error.headers, body: errorBody(error) }
  const known =
    error instanceof NexusError
      ? error
      : error instanceof Interrupted
        ? cancelled()
        : (tooLongName(error) ?? internal(error, logOf))
  return { status: ERROR_TABLE[known.code].http, headers: {}, body: errorBody(known) }
}

function cancelled(): NexusError {
  return new NexusError('BACKEND_UNAVAILABLE', 'The operation was cancelled; what was begun is undone.', {
    hint: 'To see what there is now, run `nexus list --all`',
    details: { cancelled: true },
  })
}

/** What is asked for may be a path, and what a path may be long is the file system's to say. */
function tooLongName(error: unknown): NexusError | undefined {
  if ((error as NodeJS.ErrnoException | null)?.code !== 'ENAMETOOLONG') return undefined
  return new NexusError('INVALID_ARGUMENT', 'A path that was given is longer than the file system takes.', {
    hint: SEE_DOCUMENT,
  })
}

/** The words of a bug may hold anything; they stay in the log. */
function internal(error: unknown, logOf: (error: unknown) => string): NexusError {
  const log = logOf(error)
  return new NexusError('INTERNAL', 'Internal error.', {
    hint: `To report it, attach the log: \`cat ${log}\``,
    details: { log },
    cause: error,
  })
}
