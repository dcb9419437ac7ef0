/** PLACEHOLDER by the main author, to be replaced by the config helper: keep these exported shapes. */
export interface Settings {
  readonly defaults: { readonly backend: string; readonly idleTimeout: string }
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
  readonly workspace: {
    readonly name?: string
    readonly displayName?: string
    readonly cpus?: number
    readonly memory?: number
  }
  readonly isolation: 'standard' | 'agent'
  readonly sudo: boolean
  readonly worktreeDir?: string
  readonly ports: Readonly<
    Record<string, { readonly container: number; readonly host?: number; readonly protocol: 'tcp' | 'udp' }>
  >
}
export type Origin =
  | { readonly source: 'default' }
  | { readonly source: 'file'; readonly file: string; readonly line: number }
  | { readonly source: 'flag'; readonly name: string }
  | { readonly source: 'variable'; readonly name: string }
export interface Config {
  readonly settings: Settings
  readonly origins: ReadonlyMap<string, Origin>
  readonly warnings: readonly string[]
}
export interface ConfigSources {
  readonly systemFile: string
  readonly userFile: string
  /** `text` when it is known already (read from a commit); else the file is read. */
  readonly project: { readonly file: string; readonly text?: string } | undefined
  readonly flags: Readonly<Record<string, unknown>>
  readonly flagNames: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
}
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const backend = String(sources.env.NEXUS_BACKEND ?? sources.flags['defaults.backend'] ?? 'docker')
  return {
    settings: {
      defaults: { backend, idleTimeout: '30m' },
      workspaces: {},
      ssh: {
        portRange: { start: 32800, end: 34999 },
        injection: { enabled: true, includeAgentKeys: true, sources: [] },
        forwardAgent: true,
      },
      workspace: {},
      isolation: 'standard',
      sudo: true,
      ports: {},
    },
    origins: new Map(),
    warnings: [],
  }
}
