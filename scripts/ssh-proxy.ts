/**
 * Entry of the ProxyCommand behind every alias, a bundle of its own: `ssh-proxy.js <id of a workspace>`, with NEXUS_HOME set by the
 * script that calls it (`lib/door/proxy-script.ts`). ssh's side is stdin and stdout; stderr is the user's.
 */
import { fstatSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isWorkspaceId } from '../lib/core/names.ts'
import { homePaths } from '../lib/core/paths.ts'
import { runProxy } from '../lib/door/proxy.ts'
import { createWaker } from '../lib/door/waker.ts'

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
  return runProxy({
    home: homePaths(home),
    id,
    input: 0,
    output: 1,
    atTerminal: () => terminal() !== undefined,
    onConnected: ignoreSignals,
    waker,
    say,
  })
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
    return undefined
  }
}
