/**
 * What works in the background process of a user (`lib/daemon`): the API, and later idling, proxying and sync, each a file with one
 * service. Types only.
 */

export interface Service {
  /** Kebab-case, unique in the process; each log line of the service carries it. */
  readonly name: string
  /** The process cannot do without it: it ends when this one does not start, or is lost. */
  readonly required: boolean
  /** Resolves when it works. One that throws has left nothing behind. */
  start(): Promise<void>
  /** Ends it. Tells how many operations did not end in time; the next command repairs what they left. */
  stop(): Promise<number>
  /** What is wrong at this moment, as a sentence; undefined while all is well. */
  health(): string | undefined
  /** Resolves when it can work no more, though nobody stopped it. */
  readonly lost?: Promise<void>
}

/** Writes one line of a log, given as data. */
export type Log = (line: Readonly<Record<string, unknown>>) => void
