/**
 * Stands before the user's ssh agent: what comes from a workspace can list keys and have something signed, by those keys alone that
 * are allowed. Nothing else gets through: no key is added, removed or locked away, and no library is loaded into the agent
 * (CVE-2023-38408). What ssh itself says about where a connection leads passes, so that keys bound to hosts stay bound.
 *
 * Each connection has one of its own to the agent, made with its first question. Unlike an agent with copies of the named keys, it
 * knows no secret, and needs no passphrase and no key that is plugged in.
 */
import { listenAt, type Socket } from '../../system/unix-socket.ts'
import { type AgentClient, createAgentClient } from './agent-client.ts'
import { type AllowedKeys, isAllowed } from './agent-keys.ts'
import { keepPath } from './agent-path.ts'
import {
  ASK,
  createCutter,
  extensionName,
  FAILURE,
  fingerprintOf,
  formatIdentities,
  frame,
  parseIdentities,
  signingKey,
} from './agent-protocol.ts'

export interface FilterOptions {
  /** In a folder that is the user's alone. */
  readonly socketPath: string
  /** The agent's socket. */
  readonly upstream: string
  /** Undefined: all that it holds. */
  readonly allowed?: AllowedKeys | undefined
  /** A path that other processes serve too: whichever lives. */
  readonly sharedPath?: string | undefined
}

export interface AgentFilter {
  close(): Promise<void>
}

/** Milliseconds for an answer: a signature may wait for a finger on a key. */
const SIGN_TIMEOUT_MS = 5 * 60_000
const ANSWER_TIMEOUT_MS = 2_000
/** Milliseconds from the first byte of a message to its last, and for an answer to be taken. */
const MESSAGE_TIMEOUT_MS = 30_000
/** For so long after it. */
const SILENCE_MS = 5_000
const CONNECTIONS_MAX = 64
/** What ssh tells an agent about a connection, and the question which of that it knows. */
const EXTENSIONS = new Set(['session-bind@openssh.com', 'query'])

/** Serves until it is closed; then every connection ends and the path is gone, or another's. */
export async function hostAgentFilter(options: FilterOptions): Promise<AgentFilter> {
  const { socketPath, sharedPath } = options
  const open = new Set<Socket>()
  const health = { silentUntil: 0 }
  const server = await listenAt(socketPath, (socket) => {
    if (open.size >= CONNECTIONS_MAX) return void socket.destroy()
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.unref()
    void serve(socket, options, health).finally(() => socket.destroy())
  })
  const path = await keepPath(socketPath, sharedPath ?? socketPath)
  return {
    close: async () => {
      path.release()
      for (const socket of open) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

/** An agent that did not answer a moment ago is not waited for again by everybody. */
interface Health {
  silentUntil: number
}

async function serve(socket: Socket, { upstream, allowed }: FilterOptions, health: Health): Promise<void> {
  const agent = createAgentClient(upstream)
  const cutter = createCutter()
  const answer = createAnswers(agent, allowed, health)
  let timer: NodeJS.Timeout | undefined
  const limit = () => {
    timer = setTimeout(() => socket.destroy(), MESSAGE_TIMEOUT_MS).unref()
  }
  try {
    for await (const chunk of socket) {
      clearTimeout(timer)
      const messages = cutter.push(chunk as Buffer)
      if (messages === undefined) return
      for (const message of messages) {
        const said = await answer(message)
        if (said === undefined) return
        limit()
        await taken(socket, said)
        clearTimeout(timer)
      }
      if (cutter.isInside()) limit()
    }
  } catch {
    // the other side is gone; there is nobody to tell
  } finally {
    clearTimeout(timer)
    agent.close()
  }
}

/** Who asks and does not read is not answered again. */
function taken(socket: Socket, answer: Buffer): Promise<void> {
  return new Promise((done) => {
    if (socket.write(answer) || socket.destroyed) return done()
    socket.once('drain', done)
    socket.once('close', done)
  })
}

/** What is said to each message; undefined to end the connection, because the agent did. */
function createAnswers(agent: AgentClient, allowed: AllowedKeys | undefined, health: Health) {
  /** Of keys allowed by their comment, which a request to sign does not tell. */
  const known = new Set<string>()

  async function list(): Promise<Buffer | undefined> {
    const now = performance.now()
    if (now < health.silentUntil) return undefined
    const answer = await agent.ask(Buffer.from([ASK.identities]), ANSWER_TIMEOUT_MS)
    if (answer === undefined) {
      const waited = performance.now() - now
      if (waited >= ANSWER_TIMEOUT_MS) health.silentUntil = now + waited + SILENCE_MS
      return undefined
    }
    const all = parseIdentities(answer)
    if (all === undefined) return FAILURE
    const some = allowed === undefined ? all : all.filter((identity) => isAllowed(allowed, identity))
    for (const { blob } of some) known.add(fingerprintOf(blob))
    return formatIdentities(some)
  }

  async function maySign(message: Buffer): Promise<boolean | undefined> {
    const blob = signingKey(message)
    if (blob === undefined) return false
    if (allowed === undefined || allowed.fingerprints.has(fingerprintOf(blob))) return true
    if (allowed.comments.size === 0) return false
    if (!known.has(fingerprintOf(blob)) && (await list()) === undefined) return undefined
    return known.has(fingerprintOf(blob))
  }

  async function pass(message: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
    const answer = await agent.ask(message, timeoutMs)
    return answer === undefined ? undefined : frame(answer)
  }

  return async (message: Buffer): Promise<Buffer | undefined> => {
    if (message[0] === ASK.identities) return list()
    if (message[0] === ASK.sign) {
      const may = await maySign(message)
      return may ? pass(message, SIGN_TIMEOUT_MS) : may === undefined ? undefined : FAILURE
    }
    const name = extensionName(message)
    return name !== undefined && EXTENSIONS.has(name) ? pass(message, ANSWER_TIMEOUT_MS) : FAILURE
  }
}
