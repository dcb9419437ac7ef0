/** A real ssh-agent with keys of its own, and things that only look like one. */
import { spawn } from 'node:child_process'
import { chmod, readFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { runProcess } from './process.ts'

export interface TestAgent extends AsyncDisposable {
  readonly socketPath: string
  /** `ssh-add` at this agent, or at another socket. */
  add(args: readonly string[], at?: string): Promise<{ code: number; said: string }>
  /** Makes a key, which the agent alone holds afterwards unless `keep`; returns its public line. */
  makeKey(name: string, options?: { readonly type?: string; readonly bits?: number }): Promise<string>
}

export async function startAgent(folder: string, name = 'agent'): Promise<TestAgent> {
  const socketPath = join(folder, name)
  const child = spawn('ssh-agent', ['-D', '-a', socketPath], { stdio: 'ignore' })
  const ended = new Promise((done) => child.once('exit', done))
  const add = async (args: readonly string[], at = socketPath) => {
    const { code, stdout, stderr } = await runProcess(['ssh-add', ...args], { env: { SSH_AUTH_SOCK: at } })
    return { code, said: stdout + stderr }
  }
  await eventually(async () => (await add(['-l'])).code === 1)
  return {
    socketPath,
    add,
    makeKey: async (key, { type = 'ed25519', bits } = {}) => {
      const path = join(folder, key)
      const size = bits === undefined ? [] : ['-b', String(bits)]
      await runProcess(['ssh-keygen', '-q', '-t', type, ...size, '-N', '', '-C', key, '-f', path])
      await chmod(path, 0o600)
      const { code, said } = await add([path])
      if (code !== 0) throw new Error(said)
      await runProcess(['rm', path])
      return (await readFile(`${path}.pub`, 'utf8')).trim()
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Takes connections and never says a word. */
export async function startSilent(path: string): Promise<AsyncDisposable> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((done) => server.listen(path, done))
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
