/**
 * Asks an ssh agent: one connection, one question at a time, each with a time limit, since an agent may hang for ever. A connection
 * that was lost is not opened again: what it was bound to (which host it leads to) would be forgotten with it.
 */
import { connectTo, type Socket } from '../../system/unix-socket.ts'
import { ASK, createCutter, frame, type Identity, parseIdentities } from './agent-protocol.ts'

const CONNECT_TIMEOUT_MS = 2_000
const LIST_TIMEOUT_MS = 2_000

export interface AgentClient {
  /** The answer without its length; undefined when none came, and then none will. */
  ask(message: Buffer, timeoutMs: number): Promise<Buffer | undefined>
  close(): void
}

/** Connects with the first question. */
export function createAgentClient(path: string): AgentClient {
  let socket: Promise<Socket | undefined> | undefined
  let lost = false
  const close = () => {
    lost = true
    void socket?.then((open) => open?.destroy())
  }
  return {
    close,
    async ask(message, timeoutMs) {
      socket ??= connectTo(path, CONNECT_TIMEOUT_MS)
      const open = await socket
      const answer = open === undefined || lost ? undefined : await askOnce(open, message, timeoutMs)
      if (answer === undefined) close()
      return answer
    },
  }
}

/** Undefined also for an answer that goes on behind its end. */
function askOnce(socket: Socket, message: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((done) => {
    const { push, isInside } = createCutter()
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer)
      socket.off('data', onData)
      socket.off('close', onEnd)
      done(answer)
    }
    const onEnd = () => finish(undefined)
    const onData = (chunk: Buffer) => {
      const whole = push(chunk)
      if (whole === undefined || whole.length > 1 || (whole.length === 1 && isInside())) finish(undefined)
      else if (whole[0] !== undefined) finish(whole[0])
    }
    const timer = setTimeout(onEnd, timeoutMs)
    socket.on('data', onData)
    socket.once('close', onEnd)
    if (socket.destroyed) onEnd()
    else socket.write(frame(message))
  })
}

export type AgentLook =
  | { readonly state: 'well'; readonly identities: readonly Identity[] }
  /** `dead`: nobody listens; `silent`: it takes the connection and does not answer; `refuses`: it has no list to give. */
  | { readonly state: 'none' | 'dead' | 'silent' | 'refuses'; readonly identities: readonly [] }

/** What the agent at this path holds. */
export async function lookAtAgent(path: string | undefined): Promise<AgentLook> {
  if (path === undefined || path === '') return { state: 'none', identities: [] }
  const socket = await connectTo(path, CONNECT_TIMEOUT_MS)
  if (socket === undefined) return { state: 'dead', identities: [] }
  try {
    const answer = await askOnce(socket, Buffer.from([ASK.identities]), LIST_TIMEOUT_MS)
    if (answer === undefined) return { state: 'silent', identities: [] }
    const identities = parseIdentities(answer)
    return identities === undefined ? { state: 'refuses', identities: [] } : { state: 'well', identities }
  } finally {
    socket.destroy()
  }
}

const TROUBLE = {
  dead: 'nobody listens at the socket of the ssh agent',
  silent: 'the ssh agent does not answer',
  refuses: 'the ssh agent tells no keys',
} as const

/** What is wrong with it, in words, and what to do; undefined when all is well, or there is none. */
export function agentTrouble({ state }: AgentLook): { readonly text: string; readonly hint: string } | undefined {
  if (state === 'well' || state === 'none') return undefined
  return { text: TROUBLE[state], hint: 'To begin a new agent, run `eval "$(ssh-agent)" && ssh-add`' }
}
