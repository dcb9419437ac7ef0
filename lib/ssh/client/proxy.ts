/**
 * What ssh runs as the ProxyCommand of a workspace's alias: connects to the server inside where one is there, else has the workspace
 * started first, and passes bytes until either side has had enough. The way to a running workspace reads one small file and
 * opens one socket; everything else is loaded when it is needed.
 *
 * It decides nothing about starts: whether this client may have one is `workspace/ssh/wake.ts`'s to say.
 */
import type { WorkspaceId } from '../../core/names.ts'
import type { HomePaths } from '../../core/paths.ts'
import { forgetUnusedStarts, noteConnection, noteEnd, noteUse, wasServerReady } from '../../record/last-use.ts'
import { type Opened, openSsh, splice } from '../../system/splice.ts'
import { type ProxyTarget, readTarget } from './target.ts'
import type { Waker } from './waker.ts'

/**
 * A running workspace that takes longer than this to say hello may not be running: it is looked after beside the waiting. Much longer than
 * it takes, as a busy machine is slow and looking makes it busier.
 */
const QUIET_MS = 500
/** For a connection that somebody will answer, be it late. */
const LONG_PATIENCE_MS = 2_000
/** A connection that came before the server inside is lost: short waits first, then patient ones. */
const FIRST_PATIENCE_MS = 40
const PATIENCE_GROWTH = 1.3
/** How long a server may stay silent after the start has said that it is ready. */
const AFTER_START_MS = 5_000
const POLL_MIN_MS = 4
const POLL_MAX_MS = 100
/**
 * Bytes that the server has sent by the end of the shortest session (2,541 measured; 3,529 with a post-quantum key exchange). Some that end
 * before the login reach it too, and then only the count of unused starts is forgotten.
 */
const LOGIN_BYTES = 2_400

export interface ProxyOptions {
  readonly home: HomePaths
  readonly id: WorkspaceId
  /** ssh's side: file descriptors of pipes. */
  readonly input: number
  readonly output: number
  /** A person sits at a terminal, as far as can be told. Asked when it matters. */
  readonly atTerminal: () => boolean
  /** Waited for before ssh says its first word: what it may look for then is there. */
  readonly ready?: Promise<unknown>
  /** Called when the connection stands. */
  readonly onConnected: () => void
  readonly waker: Waker
  /** Lines for the user. */
  readonly say: (line: string) => void
}

/** True when there was a connection; what went wrong else has been said. */
export async function runProxy(options: ProxyOptions): Promise<boolean> {
  const { home, id, waker } = options
  const opened = await reach(options)
  if (opened === undefined) return false
  waker.mute()
  await options.ready
  options.onConnected()
  const atTerminal = options.atTerminal()
  const ending = splice(opened, options.input, options.output)
  if (atTerminal) noteUse(home, id)
  else noteConnection(home, id)
  const { by, received } = await ending
  noteEnd(home, id)
  // scp, git and rsync end when they are done; an editor that only hangs on is cut off by the next stop
  if (by === 'client' && received >= LOGIN_BYTES) forgetUnusedStarts(home, id)
  return true
}

async function reach(options: ProxyOptions): Promise<Opened | undefined> {
  const { home, id, waker, say } = options
  const began = performance.now()
  let patienceMs = FIRST_PATIENCE_MS
  let doneAt: number | undefined
  for (;;) {
    const target = readTarget(home, id)
    if (target === undefined) return gone(id, waker, say)
    const { reach: at, answers } = target
    if (answers === 'later') waker.start()
    const waits = waker.state === 'idle' || answers === 'later'
    if (at !== undefined && mayKnock(options, answers)) {
      const attempt = await openSsh(at, {
        patienceMs: waits ? LONG_PATIENCE_MS : patienceMs,
        quiet: { afterMs: QUIET_MS, begin: waker.start },
        signal: waker.failed,
      })
      if (typeof attempt !== 'string') return attempt
      if (!waits && attempt === 'silent') patienceMs = Math.min(patienceMs * PATIENCE_GROWTH, LONG_PATIENCE_MS)
    }
    if (waker.state === 'failed') return undefined
    if (waker.state === 'done') doneAt ??= performance.now()
    if (doneAt !== undefined && performance.now() - doneAt > AFTER_START_MS) {
      say(`error: The SSH server of ${target.name} does not answer.`)
      say(`  To start it anew, run \`nexus restart ${target.name}\``)
      return undefined
    }
    waker.start()
    await nextTry(performance.now() - began, waker)
  }
}

/**
 * Not while containers are being started: who asks for their address before they have it makes the kernel wait a whole second before
 * it asks again, and what listens on the port of a stopped workspace may be somebody else.
 */
function mayKnock({ home, id, waker }: ProxyOptions, answers: ProxyTarget['answers']): boolean {
  if (waker.startedAt === undefined) return answers === 'now'
  return answers === 'later' || waker.state === 'done' || wasServerReady(home, id, waker.startedAt)
}

function gone(id: WorkspaceId, waker: Waker, say: (line: string) => void): undefined {
  waker.mute()
  say(`error: There is no workspace ${id} any more.`)
  say('  To see what there is, run `nexus list --all`')
  return undefined
}

/** Often at first, where a start takes part of a second; seldom where it takes minutes. */
async function nextTry(elapsedMs: number, { state, ended }: Waker): Promise<void> {
  const ms = Math.min(POLL_MAX_MS, POLL_MIN_MS + elapsedMs / 100)
  const pause = new Promise<void>((wake) => setTimeout(wake, ms))
  await (state === 'running' ? Promise.race([pause, ended]) : pause)
}
