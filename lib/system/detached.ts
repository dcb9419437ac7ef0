/**
 * Starts a program that outlives this process. It stands apart from `runner.ts` and loads neither capturing nor time
 * limits, because what ssh runs for an alias loads it.
 */
import { spawn } from 'node:child_process'

/** As a shell's `kill -9`. */
const KILLED = 137

export interface DetachedOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Each line that it says on stderr, while we live. */
  readonly onLine: (line: string) => void
}

/**
 * Runs a program of ours in a new session, so that it goes on when this process ends. Returns its exit code.
 * @throws {Error} of node's, when it cannot be started
 */
export function startDetached(argv: readonly string[], { cwd, env, onLine }: DetachedOptions): Promise<number> {
  const [program = '', ...args] = argv
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
    let rest = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    })
    child.once('error', fail)
    child.once('close', (code) => {
      onLine(rest)
      done(code ?? KILLED)
    })
  })
}
