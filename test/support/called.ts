/** The whole CLI as a function, called with a process of the test's own on the mock backend: what it prints is kept. */
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { CliProcess } from '../../scripts/commands/call.ts'
import { run } from '../../scripts/main.ts'

export const VERSION = '9.8.7'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the shapes are what is asserted
  readonly json: any
}

function capture() {
  const chunks: string[] = []
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk))
      done()
    },
  })
  return { stream, text: () => chunks.join('') }
}

/** @param home holds `.nexus` */
export async function nexus(
  cwd: string | (() => string),
  home: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const [out, err] = [capture(), capture()]
  const fake: CliProcess = {
    argv: ['node', 'nexus', ...args],
    env: { PATH: process.env.PATH, HOME: home, NEXUS_HOME: join(home, '.nexus'), NEXUS_BACKEND: 'mock', ...env },
    cwd: typeof cwd === 'function' ? cwd : () => cwd,
    stdin: { isTTY: false },
    stdout: out.stream,
    stderr: err.stream,
    on: () => undefined,
    off: () => undefined,
  }
  const code = await run(fake, VERSION)
  const stdout = out.text()
  return {
    code,
    stdout,
    stderr: err.text(),
    get json() {
      return JSON.parse(stdout)
    },
  }
}
