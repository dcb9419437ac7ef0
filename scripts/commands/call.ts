/** What a verb may do to who typed it: a call with a terminal, and with the folder that the shell stands in. */

import { findHere } from '../../lib/tools/repository.ts'
import { type Call, usageError, type Verb } from '../../lib/verb-form/verb.ts'
import { VERBS } from '../../lib/verbs/all-verbs.ts'
import type { App } from '../../lib/workspace/app.ts'
import { helpFor } from './help.ts'
import { GLOBAL_OPTIONS, optionsOf } from './options.ts'
import { findVerb, unknownCommand } from './parse.ts'

/** The part of node's `process` that the CLI uses. */
export interface CliProcess {
  readonly argv: readonly string[]
  readonly env: NodeJS.ProcessEnv
  cwd(): string
  readonly stdin: { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & {
    readonly isTTY?: boolean
    readonly columns?: number
    readonly rows?: number
    readonly writableLength?: number
  }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  on(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  off(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

export interface Caller {
  readonly process: CliProcess
  readonly version: string
  readonly json: boolean
  /** What came after `--`. */
  readonly rest: readonly string[]
}

export function createCall({ process, version, json, rest }: Caller, app: App, verb: Verb): Call {
  const finding = () => import('../../lib/workspace/names/find.ts')
  const { cwd, interruption } = app
  const program = process.argv.slice(0, 2)
  const repository: Call['repository'] = async (given) => (await finding()).findRepo(app, given)
  const namedRepository: Call['namedRepository'] = async (given) => (given === undefined ? given : repository(given))
  return {
    app,
    http: false,
    rest,
    json,
    version,
    cwd,
    program,
    verbs: VERBS,
    workspace: async (name, repo) => (await finding()).requireWorkspace(app, name, repo),
    repository,
    namedRepository,
    scope: async (given, all = false) =>
      given === undefined && all ? undefined : ((await namedRepository(given)) ?? findHere(cwd))?.root,
    concerns: () => {},
    usage: (message) => usageError(verb, message),
    print: (stream, text) => print(process[stream], text),
    ask: async (questions) => (await import('./ask.ts')).askEach(questions, interruption.signal),
    stdinIsTerminal: process.stdin.isTTY === true,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    stdoutSize: () => {
      const { columns, rows } = process.stdout
      return { columns: columns || Number.POSITIVE_INFINITY, rows: rows || Number.POSITIVE_INFINITY }
    },
    cli: {
      help: helpFor,
      find: findVerb,
      optionNames: (one) => [...optionsOf(one), ...GLOBAL_OPTIONS].map(({ name }) => name),
      unknown: unknownCommand,
      serve: async (port) => (await import('../server.ts')).listen({ app, version, program, port }),
    },
  }
}

export function print(stream: NodeJS.WritableStream, text: string | Uint8Array): Promise<boolean> {
  if (!stream.writable) return Promise.resolve(false)
  return new Promise((done) => stream.write(text, (error) => done(error === undefined || error === null)))
}
