/** Answers and errors as JSON on stdout; warnings and notices (--verbose: all events) as JSON lines on stderr. */
import { errorBody } from '../core/errors.ts'
import type { Reporter, ReporterOptions } from './reporter.ts'

export function createJsonReporter({ stdout, stderr, quiet, verbose }: ReporterOptions): Reporter {
  return {
    emit: (event) => {
      const told = verbose || (!quiet && (event.type === 'warning' || event.type === 'notice'))
      if (told) stderr.write(`${JSON.stringify(event)}\n`)
    },
    answer: ({ data, exitCode }) => {
      if (data !== null) stdout.write(`${JSON.stringify(data, null, 2)}\n`)
      return exitCode ?? 0
    },
    fail: (error) => {
      stdout.write(`${JSON.stringify(errorBody(error), null, 2)}\n`)
    },
    close: () => {},
  }
}
