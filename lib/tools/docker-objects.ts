/**
 * The docker CLI's words for containers, networks and volumes by label, and for containers that run one command; by
 * argv. Part of `docker.ts`.
 */
import type { Protocol } from '../core/modes.ts'
import type { RunOptions, RunResult } from '../system/exec.ts'

const CHANGE_TIMEOUT_MS = 3 * 60_000
/** As the engine names a volume that got no name; not every one has its label. */
export const ANONYMOUS = /^[0-9a-f]{64}$/
const RUN_TIMEOUT_MS = 30 * 60_000
/** Of what a container says; its failure is told by the end. */
const OUTPUT_KEPT_BYTES = 64 * 1024

export type ResourceKind = 'container' | 'network' | 'volume'

export interface ContainerFacts {
  readonly image: string
  readonly running: boolean
  /** Capabilities that were taken away. */
  readonly dropped: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly mounts: readonly { readonly source: string; readonly target: string }[]
  readonly ports: readonly {
    readonly container: number
    readonly host: number
    readonly protocol: Protocol
  }[]
}

/** The fields of `docker inspect` that are read. */
interface Inspected {
  readonly Config: {
    readonly Image: string
    readonly Labels: Readonly<Record<string, string>> | null
    readonly Env: readonly string[] | null
  }
  readonly State: { readonly Status: string }
  readonly Mounts: readonly { readonly Source: string; readonly Destination: string }[]
  readonly HostConfig: {
    readonly CapDrop: readonly string[] | null
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>> | null
  }
}

type DockerCall = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

export function createObjectCommands(docker: DockerCall) {
  /** Ids or names of what carries a label. */
  async function listResources(kind: ResourceKind, label: string): Promise<readonly string[]> {
    const all = kind === 'container' ? ['--all'] : []
    const { stdout } = await docker([kind, 'ls', ...all, '--quiet', '--filter', `label=${label}`])
    return lines(stdout)
  }

  /** What containers were made with; those that are not there are left out. */
  async function inspectContainers(ids: readonly string[]): Promise<readonly ContainerFacts[]> {
    if (ids.length === 0) return []
    const result = await docker(['container', 'inspect', '--', ...ids], { okCodes: [0, 1] })
    return (JSON.parse(result.stdout || '[]') as readonly Inspected[]).map(parseContainer)
  }

  async function removeResources(kind: ResourceKind, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const force = kind === 'network' ? [] : ['--force']
    const volumes = kind === 'container' ? ['--volumes'] : []
    await docker([kind, 'rm', ...force, ...volumes, '--', ...ids], { timeoutMs: CHANGE_TIMEOUT_MS })
  }

  /** Volumes without a name of their own that containers mount and that were made since a time. */
  async function listAnonymousVolumes(containers: readonly string[], since: string): Promise<readonly string[]> {
    if (containers.length === 0) return []
    const mounts = '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}'
    const asked = await docker(['container', 'inspect', '--format', mounts, '--', ...containers], { okCodes: [0, 1] })
    const names = [...new Set(lines(asked.stdout))].filter((name) => ANONYMOUS.test(name))
    if (names.length === 0) return []
    const format = '{{.CreatedAt}}\t{{.Name}}'
    const { stdout } = await docker(['volume', 'inspect', '--format', format, '--', ...names], { okCodes: [0, 1] })
    const rows = lines(stdout).map((line) => line.split('\t'))
    return rows.flatMap(([made = '', name = '']) => (Date.parse(made) >= Date.parse(since) ? [name] : []))
  }

  /** Those of them that no container has any more. */
  async function removeUnusedVolumes(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    const { stdout } = await docker(['volume', 'ls', '--quiet', '--filter', 'dangling=true'])
    const unused = new Set(lines(stdout))
    await removeResources(
      'volume',
      names.filter((name) => unused.has(name)),
    )
  }

  /** Volumes with all of the labels, newest first. */
  async function listVolumesByAge(...labels: readonly string[]): Promise<readonly string[]> {
    const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
    const { stdout } = await docker(['volume', 'ls', '--quiet', ...filters])
    const names = lines(stdout)
    if (names.length === 0) return []
    const format = '{{.CreatedAt}}\t{{.Name}}'
    const inspected = await docker(['volume', 'inspect', '--format', format, '--', ...names])
    return [...lines(inspected.stdout)]
      .sort()
      .reverse()
      .map((line) => line.split('\t')[1] ?? '')
  }

  /** What a container printed that is gone afterwards, by the words of `helperArgs`. */
  async function runOnce(args: readonly string[]): Promise<string> {
    return (await docker(args, { timeoutMs: RUN_TIMEOUT_MS, keepBytes: OUTPUT_KEPT_BYTES })).stdout
  }

  /**
   * Makes a volume; one that is there stays as it is. @param folder of this machine that it is, instead of one of its
   * own
   */
  async function makeVolume(name: string, labels: Readonly<Record<string, string>>, folder?: string): Promise<void> {
    const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
    const options = folder === undefined ? [] : ['type=none', 'o=bind', `device=${folder}`]
    await docker(['volume', 'create', ...flags, ...options.flatMap((option) => ['--opt', option]), '--', name])
  }

  async function hasVolume(name: string): Promise<boolean> {
    const asked = await docker(['volume', 'inspect', '--format', '{{.Name}}', '--', name], { okCodes: [0, 1] })
    return asked.code === 0
  }

  /** Names of running containers that mount a volume. */
  async function listUsers(volume: string): Promise<readonly string[]> {
    const { stdout } = await docker(['ps', '--filter', `volume=${volume}`, '--format', '{{.Names}}'])
    return lines(stdout)
  }

  /** Names of containers, each with the ids of the networks that it is on. */
  async function listEndpoints(containers: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    if (containers.length === 0) return new Map()
    const format = '{{.Name}}{{range .NetworkSettings.Networks}}\t{{.NetworkID}}{{end}}'
    const { stdout } = await docker(['container', 'inspect', '--format', format, '--', ...containers])
    return new Map(
      lines(stdout).map((line) => {
        const [name = '', ...networks] = line.split('\t')
        return [name.replace(/^\//, ''), networks] as const
      }),
    )
  }

  /** A container on one more network, where it is found by this name. */
  async function connect(network: string, container: string, alias: string): Promise<void> {
    await docker(['network', 'connect', '--alias', alias, '--', network, container], { timeoutMs: CHANGE_TIMEOUT_MS })
  }

  async function disconnect(network: string, container: string): Promise<void> {
    await docker(['network', 'disconnect', '--force', '--', network, container], { timeoutMs: CHANGE_TIMEOUT_MS })
  }

  return {
    listResources,
    inspectContainers,
    removeResources,
    listAnonymousVolumes,
    removeUnusedVolumes,
    makeVolume,
    listVolumesByAge,
    hasVolume,
    listUsers,
    runOnce,
    listEndpoints,
    connect,
    disconnect,
  }
}

function parseContainer({ Config, State, Mounts, HostConfig }: Inspected): ContainerFacts {
  const variables = (Config.Env ?? []).map((line): [string, string] => [
    line.slice(0, line.indexOf('=')),
    line.slice(line.indexOf('=') + 1),
  ])
  const ports = Object.entries(HostConfig.PortBindings ?? {}).flatMap(([key, bindings]) => {
    const [container, word] = key.split('/')
    const protocol: Protocol = word === 'udp' ? 'udp' : 'tcp'
    return (bindings ?? []).map(({ HostPort }) => ({ container: Number(container), host: Number(HostPort), protocol }))
  })
  return {
    image: Config.Image,
    running: State.Status === 'running',
    dropped: HostConfig.CapDrop ?? [],
    labels: Config.Labels ?? {},
    env: Object.fromEntries(variables),
    mounts: Mounts.map(({ Source, Destination }) => ({ source: Source, target: Destination })),
    ports,
  }
}

function lines(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}
