/** Passes every text of a command through `core/named.ts`, so that commands in it mean the right workspace. */
import { NexusError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import { type Named, nameFromHere } from '../core/named.ts'
import type { Reporter } from './reporter.ts'

export interface NamingReporter extends Reporter {
  /** The workspaces that the command is about, noted as it finds them. */
  readonly named: Named[]
}

/** The reporter that tells all commands so. */
export function namingReporter(reporter: Reporter, verbs: readonly string[]): NamingReporter {
  const named: Named[] = []
  const told = (text: string) => nameFromHere(text, named, verbs)
  const toldEvent = (event: Event): Event => {
    if (event.type === 'notice') return { ...event, text: told(event.text) }
    if (event.type !== 'warning') return event
    return { ...event, text: told(event.text), hint: event.hint === undefined ? undefined : told(event.hint) }
  }
  return {
    ...reporter,
    named,
    emit: (event) => reporter.emit(toldEvent(event)),
    answer: (answer) => reporter.answer(answer.verbatim === true ? answer : { ...answer, text: told(answer.text) }),
    fail: (error) => {
      const { code, message, hint, details, output, cause } = error
      const fields = { hint: hint === undefined ? undefined : told(hint), details, output, cause }
      reporter.fail(new NexusError(code, told(message), fields))
    },
  }
}
