/**
 * What a reporter is: it turns events into narration on stderr, and an answer or an error into text on stdout or
 * stderr. It is the only thing that prints, on the streams it is given.
 */
import type { NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'

export interface ReporterOptions {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly quiet: boolean
  readonly verbose: boolean
}

export interface PrintedAnswer {
  readonly data: unknown
  readonly text: string
  readonly exitCode?: number
  /** The text is data, as a patch is: nothing in it is rewritten. */
  readonly verbatim?: boolean
}

export interface Reporter {
  readonly emit: Emit
  /** Prints the answer; returns the exit code. */
  answer(answer: PrintedAnswer): number
  fail(error: NexusError): void
  /** Ends what still ticks. */
  close(): void
}
