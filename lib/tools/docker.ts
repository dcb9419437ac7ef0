/**
 * The docker CLI and its compose plugin, by argv. Machine formats only. Nothing in this file knows about workspaces;
 * labels and names come from the caller.
 */
import { NexusError } from '../core/errors.ts'
import { CommandFailed, type Runner, type RunOptions, type RunResult } from '../system/exec.ts'
import { findComposePlugin } from './docker-endpoint.ts'
import { createFactCommands } from './docker-facts.ts'
import { explainBuildFailure, explainDockerFailure, explainResolveFailure } from './docker-failures.ts'
import { createImageCommands } from './docker-images.ts'
import { createObjectCommands } from './docker-objects.ts'

/** Look-ups answer in milliseconds; an engine that needs longer hangs. */
const QUERY_TIMEOUT_MS = 10_000
/** `list` shows `unknown` rather than wait. */
const LIST_TIMEOUT_MS = 3_000
const CHANGE_TIMEOUT_MS = 3 * 60_000
const BUILD_TIMEOUT_MS = 30 * 60_000

export interface ContainerRow {
  readonly workspace: string
  readonly service: string
  /** The label `dev.nexus.role`, '' without it. */
  readonly role: string
  /** The compose project, which no image can say: compose itself puts that label on every container. */
  readonly project: string
  readonly name: string
  /** created, running, paused, restarting, removing, exited, dead */
  readonly state: string
  /** Such as `Exited (137) 2 minutes ago` or `Up 3 seconds (healthy)`. */
  readonly status: string
}

/** A compose project: by its file, or by its name alone, which finds everything that was made of it by label. */
export type ComposeTarget = { readonly file: string } | { readonly project: string }

export interface ResolveRequest {
  /** Absolute paths, later ones on top. */
  readonly files: readonly string[]
  /** Folder that relative paths start at. */
  readonly directory: string
  readonly project: string
  /** Variables for the files: compose gives them to no other program. */
  readonly envFile: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Files that were resolved before: nothing in them is relative or hangs on a variable. */
export type BuildRequest = Pick<ResolveRequest, 'files' | 'project' | 'env'>

/** A compose file alone, or several of a project, later ones on top. */
export type ComposeSource = string | { readonly files: readonly string[]; readonly project: string }

interface LineOptions {
  /** Called for each line that compose prints. */
  readonly onLine?: (line: string) => void
}

export interface UpOptions {
  /** Build what has a build section even when its image is there. */
  readonly build?: boolean
  readonly recreate?: boolean
  /** Return only when everything runs and is healthy. */
  readonly wait?: boolean
  /** Make everything and start nothing. */
  readonly create?: boolean
  /** Images that are not here are not pulled. */
  readonly local?: boolean
  /** Only these services and what they depend on; default: all. */
  readonly services?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Called for each line of a build. */
  readonly onLine?: (line: string) => void
}

/** Compose puts what is in a `.env` into its own environment, and so into that of each program that it starts. */
const NO_ENV_FILE = ['--env-file', '/dev/null']

export type Docker = ReturnType<typeof createDocker>

export function createDocker(runner: Runner, env: NodeJS.ProcessEnv) {
  const docker = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    explain(() => runner.run(['docker', ...args], { timeoutMs: QUERY_TIMEOUT_MS, ...options }))
  let plugin: readonly string[] | undefined
  const composeArgv = (
    target: ComposeTarget,
    args: readonly string[],
    progress = 'quiet',
    files: readonly string[] = [],
  ) => {
    plugin ??= composeProgram(env)
    const named =
      'file' in target ? ['-f', target.file] : ['-p', target.project, ...files.flatMap((one) => ['-f', one])]
    return [...plugin, '--progress', progress, ...NO_ENV_FILE, ...named, ...args]
  }
  // by name alone it must find no compose file in its folder
  const folderOf = (target: ComposeTarget) => ('file' in target ? {} : { cwd: '/' })
  const compose = (target: ComposeTarget, args: readonly string[], options: RunOptions = {}) => {
    const argv = composeArgv(target, args, options.onLine ? 'plain' : 'quiet')
    return explain(() => runner.run(argv, { timeoutMs: CHANGE_TIMEOUT_MS, ...folderOf(target), ...options }))
  }

  /** All containers with all of the labels, running or not, in one call. */
  async function listContainers(...labels: readonly string[]): Promise<readonly ContainerRow[]> {
    const columns = [
      '.Label "dev.nexus.workspace"',
      '.Label "com.docker.compose.service"',
      '.Label "dev.nexus.role"',
      '.Label "com.docker.compose.project"',
      '.Names',
      '.State',
      '.Status',
    ]
    const format = columns.map((column) => `{{${column}}}`).join('\t')
    const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
    const args = ['ps', '--all', '--no-trunc', ...filters, '--format', format]
    const { stdout } = await docker(args, { timeoutMs: LIST_TIMEOUT_MS })
    return parseContainers(stdout)
  }

  /**
   * A project's files merged, interpolated and with every profile, as JSON text; with what compose warned of.
   * @throws {NexusError} CONFIG_INVALID with compose's own words
   */
  async function resolve(request: ResolveRequest): Promise<{ readonly json: string; readonly stderr: string }> {
    plugin ??= composeProgram(env)
    const files = request.files.flatMap((file) => ['-f', file])
    const place = ['--env-file', request.envFile, '--project-directory', request.directory]
    const options = [...place, '-p', request.project, '--profile', '*']
    const argv = [...plugin, ...files, ...options, 'config', '--format', 'json']
    try {
      const result = await runner.run(argv, { timeoutMs: CHANGE_TIMEOUT_MS, env: request.env })
      return { json: result.stdout, stderr: result.stderr }
    } catch (error) {
      throw error instanceof CommandFailed ? explainResolveFailure(error) : error
    }
  }

  async function buildServices(request: BuildRequest, services: readonly string[], onLine: (line: string) => void) {
    const argv = composeArgv({ project: request.project }, ['build', '--', ...services], 'plain', request.files)
    try {
      await runner.run(argv, { timeoutMs: BUILD_TIMEOUT_MS, env: request.env, onLine })
    } catch (error) {
      throw error instanceof CommandFailed ? explainBuildFailure(error) : error
    }
  }

  /** Creates what is missing and starts it; with build output line by line where something is built. */
  async function up(source: ComposeSource, options: UpOptions = {}): Promise<void> {
    const { build, recreate, wait, create, local, services = [], onLine, env: variables } = options
    const flags = [
      ...(build ? ['--build'] : []),
      ...(recreate ? ['--force-recreate'] : []),
      ...(wait ? ['--wait', '--wait-timeout', '120'] : []),
    ]
    const args = [
      'up',
      create ? '--no-start' : '--detach',
      '--remove-orphans',
      ...flags,
      ...(onLine ? [] : ['--no-build']),
      ...(local ? ['--pull', 'never'] : []),
      '--',
      ...services,
    ]
    const progress = onLine ? 'plain' : 'quiet'
    const argv =
      typeof source === 'string'
        ? composeArgv({ file: source }, args, progress)
        : composeArgv({ project: source.project }, args, progress, source.files)
    const limits = { timeoutMs: onLine ? BUILD_TIMEOUT_MS : CHANGE_TIMEOUT_MS }
    await explainBuild(() =>
      runner.run(argv, { ...limits, ...(onLine ? { onLine } : {}), ...(variables ? { env: variables } : {}) }),
    )
  }

  /** Runs a command in a service's container. @throws {NexusError} CONTAINER_ERROR when it fails */
  async function execute(target: ComposeTarget, service: string, argv: readonly string[]): Promise<void> {
    await compose(target, ['exec', '--no-TTY', '--', service, ...argv])
  }

  /** Starts what was stopped; false when there are no containers to start. */
  async function start(target: ComposeTarget, { onLine }: LineOptions = {}): Promise<boolean> {
    const result = await compose(target, ['start'], { okCodes: 'any', ...(onLine ? { onLine } : {}) })
    if (result.code === 0) return true
    if (/no container to start|No such container/i.test(result.stderr)) return false
    throw explainDockerFailure(new CommandFailed(composeArgv(target, ['start']), result))
  }

  /** Pauses or unpauses; `already` is what Docker says when that is so. */
  async function freeze(target: ComposeTarget, verb: 'pause' | 'unpause', already: RegExp): Promise<void> {
    const result = await compose(target, [verb], { okCodes: 'any' })
    if (result.code === 0 || already.test(result.stderr)) return
    throw explainDockerFailure(new CommandFailed(composeArgv(target, [verb]), result))
  }

  /** The last lines that a project's services printed, for an error's output. */
  async function lastLogs(target: ComposeTarget): Promise<string> {
    const { stdout } = await compose(target, ['logs', '--no-color', '--no-log-prefix', '--tail', '10'], {
      okCodes: 'any',
    })
    return stdout.trim()
  }

  /** All that a service has printed, also one that is stopped. */
  async function logsOf(target: ComposeTarget, service: string): Promise<string> {
    return (await compose(target, ['logs', '--no-color', '--no-log-prefix', '--', service])).stdout
  }

  /** Sends a signal to a service's process; one that does not run needs none. */
  async function signal(target: ComposeTarget, service: string, name: string): Promise<void> {
    const result = await compose(target, ['kill', '--signal', name, '--', service], { okCodes: 'any' })
    if (result.code === 0 || /is not running|no container found/i.test(result.stderr)) return
    throw explainDockerFailure(new CommandFailed(composeArgv(target, ['kill']), result))
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
    ...createObjectCommands(docker),
    ...createImageCommands(docker, runner),
    ...createFactCommands(docker),
    lastLogs,
    logsOf,
    signal,
    info,
    composeVersion,
    resolve,
    buildServices,
    up,
    start,
    /** Within ten seconds, or the time that each service's own definition gives it. */
    stop: (target: ComposeTarget, { ownTime = false, onLine }: LineOptions & { readonly ownTime?: boolean } = {}) =>
      compose(target, ['stop', ...(ownTime ? [] : ['--timeout', '10'])], onLine ? { onLine } : {}),
    pause: (target: ComposeTarget) => freeze(target, 'pause', /already paused/i),
    unpause: (target: ComposeTarget) => freeze(target, 'unpause', /is not paused/i),
    down: (target: ComposeTarget, { keepVolumes = false } = {}) =>
      compose(target, ['down', ...(keepVolumes ? [] : ['--volumes']), '--remove-orphans', '--timeout', '3']),
    execute,
    stopServices: (target: ComposeTarget, names: readonly string[]) => compose(target, ['stop', '--', ...names]),
    startServices: (target: ComposeTarget, names: readonly string[]) => compose(target, ['start', '--', ...names]),
  }
}

function composeProgram(env: NodeJS.ProcessEnv): readonly string[] {
  const plugin = findComposePlugin(env)
  return plugin === undefined ? ['docker', 'compose'] : [plugin]
}

export function parseContainers(stdout: string): readonly ContainerRow[] {
  return lines(stdout).map((line) => {
    const [workspace = '', service = '', role = '', project = '', name = '', state = '', status = ''] = line.split('\t')
    return { workspace, service, role, project, name, state, status }
  })
}

function lines(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}

/** A build tells its steps on stdout and its failure on stderr. */
async function explainBuild(run: () => Promise<RunResult>): Promise<RunResult> {
  return explain(async () => {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof CommandFailed) || error.result.stdout === '') throw error
      const stderr = `${error.result.stdout.trim()}\n${error.result.stderr}`
      throw new CommandFailed(error.argv, { ...error.result, stderr })
    }
  })
}

async function explain<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CommandFailed) throw explainDockerFailure(error)
    const waited = error instanceof NexusError && error.code === 'TIMEOUT' ? Number(error.details?.timeoutMs) : 0
    if (waited > 0 && waited <= QUERY_TIMEOUT_MS) {
      throw new NexusError('BACKEND_UNAVAILABLE', `The Docker engine did not answer within ${waited / 1000} s.`, {
        hint: 'To see what it does, run `docker info`; to start it again, run `sudo systemctl restart docker`',
        cause: error,
      })
    }
    throw error
  }
}
