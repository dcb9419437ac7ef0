/** The configuration as the code uses it: typed, complete with defaults. Pure. */
import { NexusError } from '../core/errors.ts'
import type { Protocol } from '../core/workspace.ts'

export interface PortSetting {
  readonly container: number
  readonly host?: number
  readonly protocol: Protocol
}

export interface Settings {
  readonly defaults: { readonly backend: string; readonly idleTimeout: string }
  /** Repositories by alias, without a prototype: `constructor` is an alias like others. `ports` are container ports. */
  readonly workspaces: Readonly<Record<string, { readonly path: string; readonly ports: readonly number[] }>>
  readonly ssh: {
    readonly portRange: { readonly start: number; readonly end: number }
    readonly injection: {
      readonly enabled: boolean
      readonly includeAgentKeys: boolean
      readonly sources: readonly string[]
    }
    readonly forwardAgent: boolean
  }
  /** `memory` in bytes. */
  readonly workspace: {
    readonly name: string | undefined
    readonly displayName: string | undefined
    readonly cpus: number | undefined
    readonly memory: number | undefined
  }
  readonly isolation: 'standard' | 'agent'
  readonly sudo: boolean
  readonly worktreeDir: string | undefined
  /** By name, in the order of the file, which an object would not keep for names such as `8080`. */
  readonly ports: ReadonlyMap<string, PortSetting>
}

interface Found {
  readonly value: unknown
  readonly origin: { readonly source: string; readonly file?: string; readonly line?: number }
}

/** @throws {NexusError} CONFIG_INVALID where values that are fine alone do not fit together */
export function buildSettings(values: ReadonlyMap<string, Found>): Settings {
  const at = <T>(key: string) => values.get(key)?.value as T
  const start = at<number>('ssh.port_range.start')
  const end = at<number>('ssh.port_range.end')
  if (end - start < 9) {
    throw misfit(values, 'ssh.port_range.end', `ssh.port_range ${start}-${end} holds no block of ten ports`)
  }
  return {
    defaults: { backend: at('defaults.backend'), idleTimeout: at('defaults.idle_timeout') },
    workspaces: aliases(values),
    ssh: {
      portRange: { start, end },
      injection: {
        enabled: at('ssh.injection.enabled'),
        includeAgentKeys: at('ssh.injection.include_agent_keys'),
        sources: at('ssh.injection.sources'),
      },
      forwardAgent: at('ssh.forward_agent'),
    },
    workspace: {
      name: at('workspace.name'),
      displayName: at('workspace.display_name'),
      cpus: at('workspace.cpus'),
      memory: at('workspace.memory'),
    },
    isolation: at('isolation'),
    sudo: at('sudo'),
    worktreeDir: at('worktree_dir'),
    ports: new Map(namesBelow(values, 'ports').map((name) => [name, portSetting(values, name)])),
  }
}

/** That each has its path, and each port its container port, is checked where a file is read. */
function aliases(values: ReadonlyMap<string, Found>): Settings['workspaces'] {
  const made: Record<string, Settings['workspaces'][string]> = Object.create(null)
  for (const alias of namesBelow(values, 'workspaces')) {
    const at = <T>(word: string) => values.get(`workspaces.${alias}.${word}`)?.value as T
    made[alias] = { path: at('path'), ports: at<readonly number[] | undefined>('ports') ?? [] }
  }
  return made
}

function portSetting(values: ReadonlyMap<string, Found>, name: string): PortSetting {
  const at = <T>(word: string) => values.get(`ports.${name}.${word}`)?.value as T
  const host = at<number | undefined>('host')
  return {
    container: at('container'),
    protocol: at<Protocol | undefined>('protocol') ?? 'tcp',
    ...(host === undefined ? {} : { host }),
  }
}

function namesBelow(values: ReadonlyMap<string, Found>, section: string): readonly string[] {
  const words = [...values.keys()].filter((key) => key.startsWith(`${section}.`)).map((key) => key.split('.')[1] ?? '')
  return [...new Set(words)]
}

function misfit(values: ReadonlyMap<string, Found>, key: string, text: string): NexusError {
  const origin = values.get(key)?.origin
  const place = origin?.source === 'file' ? `${origin.file}:${origin.line}:1: ` : ''
  return new NexusError('CONFIG_INVALID', `${place}${text}.`, {
    hint: 'To see where each value comes from, run `nexus config show --origin`',
    details: { key },
  })
}
