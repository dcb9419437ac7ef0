/**
 * Entry of the ProxyCommand behind every alias, a bundle of its own: `ssh-proxy.js <id of a workspace>`, with NEXUS_HOME set by the
 * script that calls it (`lib/ssh/client/proxy-script.ts`). ssh's side is stdin and stdout; stderr is the user's.
 */
import { fstatSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Event } from '../lib/core/events.ts'
import { isWorkspaceId, type WorkspaceId } from '../lib/core/names.ts'
import { type HomePaths, homePaths } from '../lib/core/paths.ts'
import { runProxy } from '../lib/ssh/client/proxy.ts'
import { createWaker } from '../lib/ssh/client/waker.ts'
import type { OpenAgent } from '../lib/ssh/ssh-agent/agent-place.ts'

/** A home with no longer a path has its sockets in itself. */
const SHORT_BYTES = 60
/** What ssh itself says when it fails. */
const FAILED = 255

main().then(
  (connected) => process.exit(connected ? 0 : FAILED),
  (error: Error) => {
    say(`error: ${error.message}`)
    process.exit(FAILED)
  },
)

async function main(): Promise<boolean> {
  const [, , id = ''] = process.argv
  const home = process.env.NEXUS_HOME ?? ''
  if (!isWorkspaceId(id) || home === '') {
    say('error: This is called by ssh, through the aliases of Nexus.')
    say('  To connect to a workspace, run `nexus ssh <name>`')
    return false
  }
  const client = () => (terminal() === undefined ? 'program' : 'terminal')
  const nexus = join(__dirname, 'nexus.js')
  const waker = createWaker({
    argv: () => [process.execPath, nexus, 'wake', id, '--client', client()],
    env: process.env,
    cwd: home,
    say,
  })
  const agent = openAgentOf(homePaths(home), id)
  agent.catch(() => undefined) // told when it is waited for
  const connected = await runProxy({
    home: homePaths(home),
    id,
    ready: agent,
    input: 0,
    output: 1,
    atTerminal: () => terminal() !== undefined,
    onConnected: ignoreSignals,
    waker,
    say,
  })
  await (await agent)?.close()
  return connected
}

/** The user's agent, as far as the workspace may have it, while this connection lasts. */
async function openAgentOf(home: HomePaths, id: WorkspaceId): Promise<OpenAgent | undefined> {
  // ssh takes whatever agent is at the path of its configuration, which is another user's where that has the folder
  if (Buffer.byteLength(home.run) > SHORT_BYTES)
    (await import('../lib/ssh/ssh-agent/agent-socket.ts')).agentSocketPlace(home, { id })
  const { env } = process
  const { namesAgents } = await import('../lib/ssh/ssh-agent/own-agent.ts')
  if ((env.SSH_AUTH_SOCK ?? '') === '' && !namesAgents(home)) return undefined
  const { openAliasAgent } = await import('../lib/ssh/ssh-agent/agent-place.ts')
  const emit = (event: Event) => {
    if (event.type === 'warning') say(event.text)
  }
  return openAliasAgent({ home, env, emit, runner: { run: stdoutOf } }, id)
}

/** What a short command prints. */
async function stdoutOf(argv: readonly string[]) {
  const { startDetached } = await import('../lib/system/detached.ts')
  const lines: string[] = []
  const swapped = ['/bin/sh', '-c', 'exec "$@" 3>&2 2>/dev/null >&3 3>&-', 'sh', ...argv]
  const code = await startDetached(swapped, { cwd: '/', env: process.env, onLine: (line) => lines.push(line) })
  return { stdout: lines.join('\n'), stderr: '', code }
}

/**
 * From then on ssh says when it is over, by closing its side. An interrupt meant for one session would else end the
 * connection that others share through a master, which was once started from the same terminal.
 */
function ignoreSignals(): void {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTSTP'] as const) process.on(signal, () => {})
}

function say(line: string): void {
  try {
    writeSync(terminal() ?? 2, `nexus: ${line}\n`)
  } catch {
    // nobody reads it any more
  }
}

let found: { readonly fd: number | undefined } | undefined

/** Where a person reads: stderr, or the terminal itself where ssh has closed stderr, as it does for a connection that outlives it. */
function terminal(): number | undefined {
  found ??= { fd: isTerminal(2) ? 2 : isNull(2) && inForeground() ? openTerminal() : undefined }
  return found.fd
}

function isTerminal(fd: number): boolean {
  return fstatSync(fd).isCharacterDevice() && !isNull(fd)
}

function isNull(fd: number): boolean {
  return fstatSync(fd).rdev === statSync('/dev/null').rdev
}

/** The process group that the terminal's keyboard belongs to is ours. */
function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const [, , group, , terminalNumber, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return terminalNumber !== '0' && group === foreground
  } catch {
    return false // no /proc: only stderr tells
  }
}

function openTerminal(): number | undefined {
  try {
    return openSync('/dev/tty', 'w')
  } catch {
    return undefined // there is none: stderr has to do
  }
}
