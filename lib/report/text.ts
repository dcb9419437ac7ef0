/**
 * Events as plain lines on stderr, one per step with its cause; whatever takes longer than a second says so. Colour
 * only on a terminal. The answer goes to stdout untouched.
 */
import { stripVTControlCharacters, styleText } from 'node:util'
import { unreachable } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import { printable } from '../core/visible.ts'
import type { Reporter, ReporterOptions } from './reporter.ts'
import { visible } from './visible.ts'

const FIRST_SIGN_MS = 1_000
const NEXT_SIGN_MS = 10_000

export function createTextReporter(options: ReporterOptions & { readonly env: NodeJS.ProcessEnv }): Reporter {
  const { stdout, stderr, quiet, verbose } = options
  const colour = stderr.isTTY === true && (options.env.NO_COLOR ?? '') === ''
  const paint = (style: 'red' | 'yellow' | 'dim' | 'bold', text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text
  const say = (text: string) => stderr.write(`${text}\n`)
  const signs = createSigns((text) => !quiet && say(paint('dim', text)))

  const emit = (event: Event): void => {
    switch (event.type) {
      case 'step':
        signs.note(event)
        if (!quiet) tellStep(event, say, paint)
        return
      case 'command':
        if (verbose)
          say(
            paint(
              'dim',
              `$ ${printable(event.argv.map(quoteForDisplay).join(' '))}   ${Math.round(event.ms)} ms, code ${event.code}`,
            ),
          )
        return
      case 'progress': {
        const text = quiet ? '' : plain(event.text)
        if (text.trim() !== '') say(paint('dim', `  ${text}`))
        return
      }
      case 'notice':
        if (!quiet) say(printable(event.text))
        return
      case 'warning':
        say(`${paint('yellow', 'warning:')} ${printable(event.text)}`)
        if (event.hint !== undefined) say(`  ${printable(event.hint)}`)
        return
      default:
        unreachable(event)
    }
  }

  return {
    emit,
    answer: ({ text, exitCode }) => {
      if (text !== '') stdout.write(text.endsWith('\n') ? text : `${text}\n`)
      return exitCode ?? 0
    },
    fail: (error) => {
      say(`${paint('red', 'error:')} ${error.message}`)
      for (const line of error.output?.split('\n') ?? []) say(paint('dim', `  | ${plain(line)}`))
      if (error.hint !== undefined) say(`  ${error.hint}`)
    },
    close: signs.close,
  }
}

/** A program's output without control characters; of a line that was overwritten, the last text. */
function plain(text: string): string {
  const last = stripVTControlCharacters(text).replace(/\r+$/, '').split('\r').at(-1) ?? ''
  return visible(last.replace(/[^\P{Cc}\t]/gu, ''))
}

function tellStep(
  event: Extract<Event, { type: 'step' }>,
  say: (text: string) => void,
  paint: (style: 'red' | 'dim', text: string) => string,
): void {
  const subject = printable(event.subject)
  switch (event.phase) {
    case 'start':
      say(`+ ${event.step} ${subject}   ${paint('dim', printable(event.cause))}`)
      return
    case 'failed':
      say(paint('red', `! ${event.step} ${subject} failed`))
      return
    case 'undone':
      say(`- ${event.step} ${subject}   undone`)
      return
    case 'done':
      return
    default:
      unreachable(event)
  }
}

/** Signs of life for steps that take long. */
function createSigns(say: (text: string) => void) {
  const began = new Map<string, number>()
  let next = FIRST_SIGN_MS
  const timer = setInterval(() => {
    const [oldest] = [...began].sort((a, b) => a[1] - b[1])
    if (oldest === undefined) return
    const ms = performance.now() - oldest[1]
    if (ms < next) return
    next = ms + NEXT_SIGN_MS
    say(`  ${oldest[0]}: ${Math.round(ms / 1000)} s`)
  }, 250)
  timer.unref()
  return {
    note: (event: Extract<Event, { type: 'step' }>) => {
      if (event.phase === 'start') began.set(event.step, performance.now())
      else began.delete(event.step)
      if (began.size === 0) next = FIRST_SIGN_MS
    },
    close: () => clearInterval(timer),
  }
}

function quoteForDisplay(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
