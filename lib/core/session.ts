/** The one way into a workspace as its callers see it: what is asked for, and what runs. `backends/captured.ts` reads to the end. */
import { Readable, type Writable } from 'node:stream'
import type { TerminalSize } from './terminal-size.ts'

/** A command, and where it runs. */
export interface Command {
  readonly argv: readonly string[]
  /** Absolute folder inside; null is the workspace's own folder. */
  readonly cwd: string | null
  readonly env: Readonly<Record<string, string>>
}

/** A command as it stands: no shell reads it, and no dotfile changes it. */
export interface CommandRequest extends Command {
  /**
   * `ours`: it has this process's own stdin, stdout and stderr, and signals to us are passed on to it. `pipes`: the session has
   * them. `output`: the same, with a closed stdin.
   */
  readonly streams: 'ours' | 'pipes' | 'output'
  /** A terminal inside: like ours, or of this size. */
  readonly tty?: true | TerminalSize
  /** On a connection that nothing else uses: one that is shared holds the pipes of a command that was cut. */
  readonly apart?: true
  readonly login?: never
}

/** What the user's own ssh would run, on our streams: a login shell, which reads the command where there is one. */
export interface LoginRequest {
  readonly login: {
    readonly forwardAgent: boolean
    /** The command is one of Nexus's own, which no dotfile inside may change. */
    readonly isOurs?: boolean
  }
  /** Empty for an interactive shell. */
  readonly argv: readonly string[]
  readonly streams: 'ours'
  /** A terminal for the command too. */
  readonly tty?: true
}

export type OpenRequest = CommandRequest | LoginRequest

/** What runs inside. With streams `ours` those of the session are closed; what is not read of others holds it up. */
export interface Session {
  /** Null unless it was asked for. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** From then on it can be written to and read: a terminal is as it should be. */
  readonly ready: Promise<void>
  /** Its exit code; null when the connection failed. What it said need not be read by then. */
  readonly ended: Promise<number | null>
  /** To the command inside and what it started. */
  signal(signal: NodeJS.Signals): Promise<void>
  resize(size: TerminalSize): Promise<void>
  /** Ends it inside, then here: its output is not wanted any more. */
  end(): Promise<void>
  /** Ends our side of it, whatever becomes of the other. */
  cut(): void
}

/** A port of this machine's loopback that leads to a port as it is reached from inside. */
export interface Forward {
  readonly local: number
  /** `localhost` is the workspace's own container. */
  readonly host: string
  readonly port: number
}

/** Forwarding that goes on until it is ended, also by the end of this process. */
export interface Forwarding {
  /** True once every port listens; false when it ended before. */
  readonly listening: Promise<boolean>
  /** What ssh said, when it has ended. */
  readonly ended: Promise<string>
  end(): void
}

/** What runs on our own streams: it is signalled and ended by its terminal, where a backend has no better way. */
export function withoutStreams(ended: Promise<number | null>): Session {
  return {
    stdin: null,
    stdout: Readable.from([]),
    stderr: Readable.from([]),
    ready: Promise.resolve(),
    ended,
    signal: async () => {},
    resize: async () => {},
    end: async () => {},
    cut: () => {},
  }
}
