/**
 * The docker CLI's words for containers, networks and volumes by label, and for containers that run one command; by argv. Part
 * of `docker.ts`.
 */
import type { RunOptions, RunResult } from '../system/exec.ts'

const CHANGE_TIMEOUT_MS = 3 * 60_000
const RUN_TIMEOUT_MS = 30 * 60_000

export type ResourceKind = 'container' | 'network' | 'volume'

type DockerCall = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

export function createObjectCommands(docker: DockerCall) {
  /** Ids or names of what carries a label. */
  async function listResources(kind: ResourceKind, label: string): Promise<readonly string[]> {
    const all = kind === 'container' ? ['--all'] : []
    const { stdout } = await docker([kind, 'ls', ...all, '--quiet', '--filter', `label=${label}`])
    return lines(stdout)
  }

  async function removeResources(kind: ResourceKind, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const force = kind === 'network' ? [] : ['--force']
    const volumes = kind === 'container' ? ['--volumes'] : []
    await docker([kind, 'rm', ...force, ...volumes, '--', ...ids], { timeoutMs: CHANGE_TIMEOUT_MS })
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

  /** Runs a command in a container that is gone afterwards. */
  async function runOnce(image: string, options: readonly string[], argv: readonly string[]): Promise<void> {
    const [program = '', ...words] = argv
    const args = ['run', '--rm', '--pull', 'never', ...options, '--entrypoint', program, image, ...words]
    await docker(args, { timeoutMs: RUN_TIMEOUT_MS })
  }

  /** Makes a volume; one that is there stays as it is. */
  async function makeVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
    await docker(['volume', 'create', ...flags, '--', name])
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
    removeResources,
    makeVolume,
    listVolumesByAge,
    runOnce,
    listEndpoints,
    connect,
    disconnect,
  }
}

function lines(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}
