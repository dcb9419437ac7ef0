/**
 * The start of a workspace that a client asked for by connecting. It is done by the whole of Nexus in a process of its own session, so
 * that a client which loses patience (ssh ends its ProxyCommand) never cuts one off half-way. What it says is passed on until
 * there is a connection, which must not be written into.
 */
export interface Waker {
  /** Begins it; once. */
  start(): void
  /** When, in milliseconds since 1970. */
  readonly startedAt: number | undefined
  readonly state: 'idle' | 'running' | 'done' | 'failed'
  /** Aborted when it has failed. */
  readonly failed: AbortSignal
  /** Settles when it has ended, either way. */
  readonly ended: Promise<void>
  /** From now on what it says is dropped. */
  mute(): void
}

export interface WakerOptions {
  readonly argv: () => readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** One line for the user. */
  readonly say: (line: string) => void
}

export function createWaker({ argv, env, cwd, say }: WakerOptions): Waker {
  let state: Waker['state'] = 'idle'
  let startedAt: number | undefined
  let muted = false
  const failure = new AbortController()
  let settle: () => void = () => {}
  const ended = new Promise<void>((done) => {
    settle = done
  })
  const pass = (line: string) => {
    if (!muted && line !== '') say(line)
  }

  async function run(): Promise<void> {
    try {
      const { startDetached } = await import('../../system/detached.ts')
      state = (await startDetached(argv(), { cwd, env, onLine: pass })) === 0 ? 'done' : 'failed'
    } catch (error) {
      pass(`error: ${error instanceof Error ? error.message : String(error)}`)
      state = 'failed'
    }
    if (state === 'failed') failure.abort()
    settle()
  }

  return {
    start: () => {
      if (state !== 'idle') return
      state = 'running'
      startedAt = Date.now()
      void run()
    },
    get startedAt() {
      return startedAt
    },
    get state() {
      return state
    },
    failed: failure.signal,
    ended,
    mute: () => {
      muted = true
    },
  }
}
