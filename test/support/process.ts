/**
 * Runs a program for a test and captures what it prints. Tests have a door of their own, so that what they look at the
 * product with is not the product. stdin is closed unless input is given; a program that does not end is ended and fails.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

export interface ProcessOptions {
  readonly cwd?: string
  /** Added to the environment of the test; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string
  /** Default 120 000. */
  readonly timeoutMs?: number
}

export interface ProcessResult {
  /** Exit code; 128 + n when signal n ended the process. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const GRACE_MS = 5_000

/** @throws {Error} when the program cannot be started or does not end in time; its exit code is the caller's affair */
export function runProcess(argv: readonly string[], options: ProcessOptions = {}): Promise<ProcessResult> {
  const [program = '', ...args] = argv
  const { timeoutMs = 120_000 } = options
  return new Promise((done, fail) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text
    })
    child.stdin?.on('error', () => {}) // it may end without reading
    child.stdin?.end(options.input)
    let late = false
    let hard: NodeJS.Timeout | undefined
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGTERM')
      hard = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    }, timeoutMs)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      clearTimeout(hard)
      finish()
    }
    child.once('error', (error) => settle(() => fail(error)))
    child.once('close', (code, signal) =>
      settle(() => {
        if (late)
          fail(new Error(`${argv.join(' ')} did not end within ${timeoutMs} ms\n${output.stdout}${output.stderr}`))
        else done({ ...output, code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) })
      }),
    )
  })
}
