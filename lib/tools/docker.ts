/**
 * The docker CLI and its compose plugin, by argv. Machine formats only. Nothing in this file knows about workspaces; labels and names come from the caller.
 */
import { NexusError } from '../core/errors.ts'
import { CommandFailed, type Runner, type RunOptions, type RunResult } from '../system/exec.ts'
import { findComposePlugin } from './docker-endpoint.ts'
import { explainBuildFailure, explainDockerFailure } from './docker-failures.ts'

/** Look-ups answer in milliseconds; an engine that needs longer hangs. */
const QUERY_TIMEOUT_MS = 10_000
/** `list` shows `unknown` rather than wait. */
const LIST_TIMEOUT_MS = 3_000
const CHANGE_TIMEOUT_MS = 3 * 60_000
const BUILD_TIMEOUT_MS = 30 * 60_000
const PLUGIN_MINIMUM = [2, 24, 4] as const

export interface ContainerRow {
  readonly workspace: string
  readonly service: string
  readonly name: string
  /** created, running, paused, restarting, removing, exited, dead */
  readonly state: string
  /** Such as `Exited (137) 2 minutes ago` or `Up 3 seconds (healthy)`. */
  readonly status: string
}

export type ResourceKind = 'container' | 'network' | 'volume'

export type Docker = ReturnType<typeof createDocker>

export function createDocker(runner: Runner, env: NodeJS.ProcessEnv) {
  const docker = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    explain(() => runner.run(['docker', ...args], { timeoutMs: QUERY_TIMEOUT_MS, ...options }))
  let plugin: readonly string[] | undefined
  const composeArgv = (file: string, args: readonly string[]): readonly string[] => {
    plugin ??= composeProgram(env)
    return [...plugin, '--progress', 'quiet', '-f', file, ...args]
  }
  const compose = (file: string, args: readonly string[], options: RunOptions = {}) =>
    explain(() => runner.run(composeArgv(file, args), { timeoutMs: CHANGE_TIMEOUT_MS, ...options }))

  /** All containers with the label, running or not, in one call. */
  async function listContainers(label: string): Promise<readonly ContainerRow[]> {
    const columns = [
      '.Label "dev.nexus.workspace"',
      '.Label "com.docker.compose.service"',
      '.Names',
      '.State',
      '.Status',
    ]
    const format = columns.map((column) => `{{${column}}}`).join('\t')
    const args = ['ps', '--all', '--no-trunc', '--filter', `label=${label}`, '--format', format]
    const { stdout } = await docker(args, { timeoutMs: LIST_TIMEOUT_MS })
    return parseContainers(stdout)
  }

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

  async function hasImage(reference: string): Promise<boolean> {
    const result = await docker(['image', 'inspect', '--format', '{{.Id}}', reference], { okCodes: [0, 1] })
    if (result.code === 0) return true
    if (/No such image/i.test(result.stderr)) return false
    throw explainDockerFailure(new CommandFailed(['docker', 'image', 'inspect', reference], result))
  }

  /** References of the images with the label; images without a name are given by id. */
  async function listImages(label: string): Promise<readonly string[]> {
    const format = '{{.Repository}}:{{.Tag}}\t{{.ID}}'
    const { stdout } = await docker(['image', 'ls', '--filter', `label=${label}`, '--format', format])
    return lines(stdout).map((line) => {
      const [reference = '', id = ''] = line.split('\t')
      return reference.includes('<none>') ? id : reference
    })
  }

  /** Removes images; one that a container still uses stays. */
  async function removeImages(references: readonly string[]): Promise<void> {
    for (const reference of references) {
      const result = await docker(['image', 'rm', '--', reference], { okCodes: [0, 1], timeoutMs: CHANGE_TIMEOUT_MS })
      if (result.code === 0 || /No such image|conflict|in use|being used/i.test(result.stderr)) continue
      throw explainDockerFailure(new CommandFailed(['docker', 'image', 'rm', reference], result))
    }
  }

  async function build(
    folder: string,
    options: {
      readonly tag: string
      readonly labels: Readonly<Record<string, string>>
      readonly onLine: (line: string) => void
    },
  ): Promise<void> {
    const labels = Object.entries(options.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
    const args = ['build', '--progress', 'plain', '--tag', options.tag, ...labels, '--', folder]
    try {
      await runner.run(['docker', ...args], {
        timeoutMs: BUILD_TIMEOUT_MS,
        onLine: options.onLine,
        env: { DOCKER_BUILDKIT: '1' },
      })
    } catch (error) {
      if (error instanceof CommandFailed) throw explainBuildFailure(error)
      throw error
    }
  }

  /** Starts what was stopped; false when there are no containers to start. */
  async function start(file: string): Promise<boolean> {
    const result = await compose(file, ['start'], { okCodes: 'any' })
    if (result.code === 0) return true
    if (/no container to start|No such container/i.test(result.stderr)) return false
    throw explainDockerFailure(new CommandFailed(composeArgv(file, ['start']), result))
  }

  /** Pauses or unpauses; `already` is what Docker says when that is so. */
  async function freeze(file: string, verb: 'pause' | 'unpause', already: RegExp): Promise<void> {
    const result = await compose(file, [verb], { okCodes: 'any' })
    if (result.code === 0 || already.test(result.stderr)) return
    throw explainDockerFailure(new CommandFailed(composeArgv(file, [verb]), result))
  }

  /** Logs of a compose project on the caller's own output, following until interrupted. */
  function attachLogs(file: string, args: readonly string[]): Promise<number> {
    return runner.attach(composeArgv(file, ['logs', ...args]))
  }

  /** The last lines that a project's services printed, for an error's output. */
  async function lastLogs(file: string): Promise<string> {
    const { stdout } = await compose(file, ['logs', '--no-color', '--no-log-prefix', '--tail', '10'], {
      okCodes: 'any',
    })
    return stdout.trim()
  }

  /** The engine's version and how it runs. */
  async function info(): Promise<{ readonly version: string; readonly rootless: boolean }> {
    const { stdout } = await docker(['info', '--format', '{{.ServerVersion}}\t{{json .SecurityOptions}}'])
    const [version = '', security = ''] = stdout.trim().split('\t')
    return { version, rootless: security.includes('name=rootless') }
  }

  /** The compose plugin's version, such as `2.26.1`. */
  async function composeVersion(): Promise<string> {
    const { stdout } = await docker(['compose', 'version', '--short'])
    return stdout.trim().replace(/^v/, '')
  }

  return {
    listContainers,
    listResources,
    removeResources,
    hasImage,
    listImages,
    removeImages,
    build,
    attachLogs,
    lastLogs,
    info,
    composeVersion,
    up: (file: string) => compose(file, ['up', '--detach', '--no-build', '--remove-orphans']),
    start,
    stop: (file: string) => compose(file, ['stop', '--timeout', '10']),
    pause: (file: string) => freeze(file, 'pause', /already paused/i),
    unpause: (file: string) => freeze(file, 'unpause', /is not paused/i),
    down: (file: string) => compose(file, ['down', '--volumes', '--remove-orphans', '--timeout', '3']),
  }
}

function composeProgram(env: NodeJS.ProcessEnv): readonly string[] {
  const plugin = findComposePlugin(env)
  return plugin === undefined ? ['docker', 'compose'] : [plugin]
}

/** @throws {NexusError} TOOL_MISSING when the compose plugin is older than what the generated files need */
export function requireComposeVersion(version: string): void {
  const parts = version.split(/[.+-]/).map(Number)
  for (const [i, minimum] of PLUGIN_MINIMUM.entries()) {
    const part = parts[i] ?? 0
    if (part > minimum) return
    if (part < minimum || Number.isNaN(part)) {
      const wanted = PLUGIN_MINIMUM.join('.')
      throw new NexusError('TOOL_MISSING', `The docker compose plugin is ${version}; Nexus needs ${wanted} or newer.`, {
        hint: 'To install a newer one, run `make setup`',
        details: { version, wanted },
      })
    }
  }
}

export function parseContainers(stdout: string): readonly ContainerRow[] {
  return lines(stdout).map((line) => {
    const [workspace = '', service = '', name = '', state = '', status = ''] = line.split('\t')
    return { workspace, service, name, state, status }
  })
}

function lines(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}

async function explain<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CommandFailed) throw explainDockerFailure(error)
    const waited = error instanceof NexusError && error.code === 'TIMEOUT' ? Number(error.details?.timeoutMs) : 0
    if (waited > 0 && waited <= QUERY_TIMEOUT_MS) {
      throw new NexusError('BACKEND_UNAVAILABLE', `The Docker engine did not answer within ${waited / 1000} s.`, {
        hint: 'To see what it does, run `docker info`; to start it again, run `make setup`',
        cause: error,
      })
    }
    throw error
  }
}
