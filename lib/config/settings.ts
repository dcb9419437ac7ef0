/** The configuration as the code uses it: typed, complete with defaults. Pure. */
import type { AgentMode } from '../core/agent-mode.ts'
import { NexusError } from '../core/errors.ts'
import type { GitMode, NetworkMode, Protocol } from '../core/workspace.ts'
import { HOOK_NAMES } from './key-table.ts'

export interface PortSetting {
  readonly container: number
  readonly host?: number
  readonly protocol: Protocol
}

export interface Settings {
  readonly defaults: { readonly backend: string; readonly idleTimeout: string }
  /** As it was written; undefined: what is there. */
  readonly editor: string | undefined
  /** Repositories by alias, without a prototype: `constructor` is an alias like others. `ports` are container ports. */
  readonly workspaces: Readonly<Record<string, { readonly path: string; readonly ports: readonly number[] }>>
  readonly ssh: {
    readonly portRange: { readonly start: number; readonly end: number }
    readonly injection: {
      readonly enabled: boolean
      readonly includeAgentKeys: boolean
      readonly sources: readonly string[]
    }
    readonly forwardAgent: AgentMode
    /** Empty: every key of the agent. */
    readonly agentKeys: readonly string[]
    readonly wake: boolean
  }
  /** `memory` in bytes. */
  readonly workspace: {
    readonly name: string | undefined
    readonly displayName: string | undefined
    readonly cpus: number | undefined
    readonly memory: number | undefined
    readonly pids: number
    readonly image: string | undefined
    readonly dockerfile: string | undefined
    readonly service: string | undefined
  }
  readonly compose: {
    /** From the top of the repository; undefined for what is found there. */
    readonly files: readonly string[] | undefined
    readonly profiles: readonly string[]
    /** Whether an external volume is used as it is, or each workspace has a copy. */
    readonly external: 'shared' | 'private'
    /** Such as `2m`; `off`. */
    readonly wait: string
  }
  /** Ready services, as written: `postgres` or `postgres:16`. */
  readonly services: readonly string[]
  /** Image by ready service. */
  readonly images: ReadonlyMap<string, string>
  readonly shared: readonly string[]
  readonly worktree: {
    readonly copy: readonly string[]
    readonly link: readonly string[]
    readonly templates: readonly string[]
  }
  readonly caches: readonly string[]
  readonly seed: SeedSetting | undefined
  readonly hooks: ReadonlyMap<HookName, HookSetting>
  /** Those that `--no-hooks` leaves out. */
  readonly hooksLeftOut?: ReadonlyMap<HookName, HookSetting>
  readonly dotfiles: { readonly repository: string | undefined; readonly install: string | undefined }
  readonly secrets: ReadonlyMap<string, SecretSetting>
  readonly env: { readonly pass: readonly string[] }
  readonly trust: { readonly approve: readonly string[] }
  /** CIDR block such as `10.213.0.0/16`. */
  readonly subnets: { readonly range: string }
  readonly isolation: 'standard' | 'agent'
  readonly sudo: boolean
  /** Undefined: as the isolation has it. */
  readonly git: { readonly mode: GitMode | undefined }
  readonly network: { readonly mode: NetworkMode | undefined; readonly allow: readonly string[] }
  /** `keep`: such as `7d`; `off`. `budget` in bytes. */
  readonly trash: { readonly keep: string; readonly budget: number }
  /** `memory` in bytes; undefined: as many and as much as there is. */
  readonly limits: { readonly running: number | undefined; readonly memory: number | undefined }
  readonly worktreeDir: string | undefined
  /** By name, in the order of the file, which an object would not keep for names such as `8080`. */
  readonly ports: ReadonlyMap<string, PortSetting>
}

export type HookName = (typeof HOOK_NAMES)[number]

export interface HookSetting {
  readonly run: string
  readonly on: 'container' | 'host'
  /** Such as `10m`. */
  readonly timeout: string
  /** True when the project's own file asks for it, so that on the host it needs approval. */
  readonly fromProject: boolean
}

export interface SeedSetting {
  readonly service: string | undefined
  readonly run: string
  readonly inputs: readonly string[]
}

export interface SecretSetting {
  /** `env://NAME`, `file://PATH` or `cmd://COMMAND`. */
  readonly from: string
  readonly variable: string | undefined
  /** Undefined: the workspace alone. */
  readonly services: readonly string[] | undefined
  /** True when the project's own file names the reference, so that it needs approval. */
  readonly fromProject: boolean
}

interface Found {
  readonly value: unknown
  readonly origin: {
    readonly source: string
    readonly file?: string
    readonly line?: number
    readonly scope?: string
  }
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
    editor: at('editor'),
    workspaces: aliases(values),
    ssh: {
      portRange: { start, end },
      injection: {
        enabled: at('ssh.injection.enabled'),
        includeAgentKeys: at('ssh.injection.include_agent_keys'),
        sources: at('ssh.injection.sources'),
      },
      forwardAgent: at('ssh.forward_agent'),
      agentKeys: at('ssh.agent_keys'),
      wake: at('ssh.wake'),
    },
    workspace: {
      name: at('workspace.name'),
      displayName: at('workspace.display_name'),
      cpus: at('workspace.cpus'),
      memory: at('workspace.memory'),
      pids: at('workspace.pids'),
      image: at('workspace.image'),
      dockerfile: at('workspace.dockerfile'),
      service: at('workspace.service'),
    },
    compose: {
      files: at('compose.files'),
      profiles: at('compose.profiles'),
      external: at('compose.external'),
      wait: at('compose.wait'),
    },
    services: at('services'),
    images: new Map(namesBelow(values, 'images').map((name) => [name, at<string>(`images.${name}`)])),
    shared: at('shared'),
    worktree: { copy: at('worktree.copy'), link: at('worktree.link'), templates: at('worktree.templates') },
    caches: at('caches'),
    seed: seedSetting(values),
    hooks: hookSettings(values),
    dotfiles: { repository: at('dotfiles.repository'), install: at('dotfiles.install') },
    secrets: new Map(namesBelow(values, 'secrets').map((name) => [name, secretSetting(values, name)])),
    env: { pass: at('env.pass') },
    trust: { approve: at('trust.approve') },
    subnets: { range: at('subnets.range') },
    isolation: at('isolation'),
    sudo: at('sudo'),
    git: { mode: at('git.mode') },
    network: { mode: at('network.mode'), allow: at('network.allow') },
    trash: { keep: at('trash.keep'), budget: at('trash.budget') },
    limits: { running: at('limits.running'), memory: at('limits.memory') },
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

function seedSetting(values: ReadonlyMap<string, Found>): SeedSetting | undefined {
  const at = <T>(word: string) => values.get(`seed.${word}`)?.value as T
  const run = at<string | undefined>('run')
  return run === undefined ? undefined : { run, service: at('service'), inputs: at('inputs') }
}

function hookSettings(values: ReadonlyMap<string, Found>): Settings['hooks'] {
  const hooks = new Map<HookName, HookSetting>()
  for (const name of HOOK_NAMES) {
    const at = <T>(word: string) => values.get(`hooks.${name}.${word}`)?.value as T
    const run = at<string | undefined>('run')
    if (run === undefined) continue
    const on = at<HookSetting['on'] | undefined>('on') ?? 'container'
    // also where it only moves a command of the user's out of the container
    const fromProject = isProjects(values, `hooks.${name}.run`) || isProjects(values, `hooks.${name}.on`)
    hooks.set(name, { run, on, timeout: at('timeout') ?? '10m', fromProject })
  }
  return hooks
}

function secretSetting(values: ReadonlyMap<string, Found>, name: string): SecretSetting {
  const at = <T>(word: string) => values.get(`secrets.${name}.${word}`)?.value as T
  return {
    from: at('from'),
    variable: at('variable'),
    services: at('services'),
    fromProject: isProjects(values, `secrets.${name}.from`),
  }
}

/** True for what the project's own file says. */
function isProjects(values: ReadonlyMap<string, Found>, key: string): boolean {
  const origin = values.get(key)?.origin
  return origin?.source === 'file' && origin.scope === 'project'
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
