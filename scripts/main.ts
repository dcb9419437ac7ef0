/**
 * The whole CLI as a function: `run(process)` parses, calls one command, prints its answer and returns the exit code. It
 * is what the tests call, with a process of their own making.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { Interrupted, NexusError } from '../lib/core/errors.ts'
import { createInterruption, type Interruption } from '../lib/core/interruption.ts'
import { homePaths } from '../lib/core/paths.ts'
import { shellWord } from '../lib/core/shell.ts'
import { createJsonReporter } from '../lib/report/json.ts'
import { type NamingReporter, namingReporter } from '../lib/report/naming.ts'
import type { Reporter } from '../lib/report/reporter.ts'
import { createTextReporter } from '../lib/report/text.ts'
import { leaveFolder } from '../lib/system/process.ts'
import { unwritable } from '../lib/system/pump.ts'
import { killChildren } from '../lib/system/runner.ts'
import { writeCrashLog } from '../lib/system/store.ts'
import type { Verb } from '../lib/verb-form/verb.ts'
import { NAMING_VERBS } from '../lib/verbs/all-verbs.ts'
import { homeFolder } from '../lib/workspace/app.ts'
import { openApp } from '../lib/workspace/open-app.ts'
import { type CliProcess, createCall, print } from './commands/call.ts'
import { helpFor } from './commands/help.ts'
import { inputOf, optionsOf } from './commands/options.ts'
import { type Parsed, parse } from './commands/parse.ts'

const SHAPING = ['--json', '-q', '--quiet', '-V', '--verbose']
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** `exec` and `ssh` pass the command's own code through, so that our own failure needs one that commands rarely use. */
const OWN_FAILURE = 125
/** For a current folder of which not even its name is left. */
const NOWHERE = '/.gone'

export async function run(process: CliProcess, version: string): Promise<number> {
  const argv = process.argv.slice(2)
  const json = isAsked(argv, '--json')
  let parsed: Parsed | undefined
  const reporter = namingReporter(createReporter(process, argv, json), NAMING_VERBS)
  const flush = watchStdout(process)
  // whoever asked for a start by connecting may be gone before it is done
  process.stderr.on('error', () => undefined)
  let code: number
  try {
    parsed = parse(argv)
    if (parsed.verb === undefined || parsed.options.help !== undefined) {
      code = reporter.answer({ data: {}, text: helpFor(parsed.verb) })
    } else code = await call(process, parsed, parsed.verb, reporter, version)
  } catch (error) {
    code = fail(process, error, parsed?.verb, reporter)
  } finally {
    reporter.close()
  }
  const unwritten = await flush()
  if (unwritten === undefined) return code
  process.stderr.write(`error: ${unwritten.message}\n`)
  return code === 0 ? codeOf(unwritten, parsed?.verb) : code
}

/** Of `nexus --version`, which needs nothing else of this program. */
export function tellUnwritten(process: CliProcess, error: Error): number {
  const failure = unwritable(error)
  if (failure === undefined) return 0
  process.stderr.write(`error: ${failure.message}\n`)
  return failure.exitCode
}

/** When all is written that can be: what failed. */
function watchStdout({ stdout }: CliProcess): () => Promise<NexusError | undefined> {
  let failure: NexusError | undefined
  stdout.on('error', (error) => {
    failure ??= unwritable(error)
  })
  return async () => {
    if ((stdout.writableLength ?? 0) > 0) await print(stdout, '') // it comes behind all that waits
    await turn() // an error is told after the write that failed
    return failure
  }
}

async function call(
  process: CliProcess,
  parsed: Parsed,
  verb: Verb,
  reporter: NamingReporter,
  version: string,
): Promise<number> {
  const cwd = folderOf(process)
  const interruption = createInterruption()
  const release = verb.passesSignals === true ? () => {} : onSignals(process, interruption)
  try {
    const app = openApp({
      cwd,
      env: process.env,
      emit: reporter.emit,
      named: reporter.named,
      interruption,
      asking: { effect: verb.effect, command: verb.name, line: lineOf(process.argv.slice(2), parsed, verb) },
      noHooks: parsed.options['no-hooks'] !== undefined,
      ...configFlags(verb, parsed),
    })
    const json = parsed.options.json !== undefined
    const caller = { process, version, json, rest: parsed.rest }
    const { text, ...answer } = await verb.run(
      createCall(caller, app, verb),
      inputOf(verb, parsed.args, parsed.options),
    )
    const told = typeof text === 'string' ? text : json ? '' : await text()
    return reporter.answer({ ...answer, text: told })
  } finally {
    release()
  }
}

/** Where the shell stands; of a folder that was removed under it, as a worktree is with its workspace, where it was. */
function folderOf(process: CliProcess): string {
  try {
    return process.cwd()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return leaveFolder() ?? NOWHERE
  }
}

/** The first signal interrupts and lets what was begun, if anything was, be undone; the second ends at once. */
function onSignals(process: CliProcess, interruption: Interruption): () => void {
  let seen = false
  const listener = (signal: NodeJS.Signals) => {
    const reason = new Interrupted(signal as (typeof SIGNALS)[number])
    if (seen) {
      killChildren('SIGKILL')
      globalThis.process.exit(reason.exitCode)
    }
    seen = true
    if (interruption.undoes)
      process.stderr.write('interrupted: what was begun is being undone; once more ends at once\n')
    interruption.abort(reason)
  }
  for (const signal of SIGNALS) process.on(signal, listener)
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener)
  }
}

/** Options that stand for configuration keys, for the layer of flags. */
function configFlags(verb: Verb, parsed: Parsed) {
  const given = optionsOf(verb).flatMap(({ name, config }) => {
    const value = parsed.options[name]?.at(-1)
    return config === undefined || value === undefined ? [] : [{ key: config, value, flag: `--${name}` }]
  })
  return {
    flags: Object.fromEntries(given.map(({ key, value }) => [key, value])),
    flagNames: Object.fromEntries(given.map(({ key, flag }) => [key, flag])),
  }
}

function createReporter(process: CliProcess, argv: readonly string[], json: boolean): Reporter {
  const options = {
    stdout: process.stdout,
    stderr: process.stderr,
    quiet: isAsked(argv, '-q', '--quiet'),
    verbose: isAsked(argv, '-V', '--verbose'),
  }
  return json ? createJsonReporter(options) : createTextReporter({ ...options, env: process.env })
}

/** As it can be copied: without what only shapes the output; none where no person typed it, or a variable's value would be shown. */
function lineOf(argv: readonly string[], { options, rest }: Parsed, { hidden }: Verb): string | undefined {
  if (hidden === true || options.env?.some((entry) => entry.includes('=')) === true) return undefined
  const own = argv.slice(0, argv.length - rest.length).filter((word) => !SHAPING.includes(word))
  const line = ['nexus', ...own, ...rest].map(shellWord).join(' ')
  return /\p{Cc}/u.test(line) ? undefined : line
}

/** Looked up before parsing, so that a parse error too is told in the form that was asked for. */
function isAsked(argv: readonly string[], ...words: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).some((word) => words.includes(word))
}

function fail(process: CliProcess, error: unknown, verb: Verb | undefined, reporter: Reporter): number {
  if (error instanceof Interrupted) return error.exitCode
  const known = error instanceof NexusError ? error : internalError(process, error)
  reporter.fail(known)
  return codeOf(known, verb)
}

function codeOf({ exitCode }: NexusError, verb: Verb | undefined): number {
  return verb?.passesCode === true && exitCode !== 2 && exitCode !== 3 ? OWN_FAILURE : exitCode
}

/** Anything else is a bug of ours: the stack goes to a file, its path to the user. */
function internalError(process: CliProcess, error: unknown): NexusError {
  const file = writeCrashLog(homePaths(homeFolder(process.env)).logs, error)
  const said = error instanceof Error ? error.message : String(error)
  return new NexusError('INTERNAL', `Internal error: ${said}.`, {
    hint: `To report it, attach the log: \`cat ${file}\``,
    details: { log: file },
    cause: error,
  })
}
