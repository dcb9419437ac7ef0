/**
 * A service of the user's background process (`lib/daemon`): the API, later idling, proxying and sync, one file each.
 * Types only.
 */

export interface Service {
  /** Kebab-case, unique in the process; each log line of the service carries it. */
  readonly name: string
  /** The process ends when this service does not start, or is lost. */
  readonly required: boolean
  /** Resolves when it works. One that throws has left nothing behind. */
  start(): Promise<void>
  /** Ends it. Tells how many operations did not end in time; the next command repairs what they left. */
  stop(): Promise<number>
  /** What is wrong at this moment, as a sentence; undefined while all is well. */
  health(): string | undefined
  /** Resolves when the service is lost without a stop. */
  readonly lost?: Promise<void>
}

/** Writes one line of a log, given as data. */
export type Log = (line: Readonly<Record<string, unknown>>) => void
