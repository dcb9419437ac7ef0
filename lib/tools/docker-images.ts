/**
 * The docker CLI's words for images, by argv. Like `docker.ts`, which these are part of, it knows nothing of
 * workspaces.
 */
import { join } from 'node:path'
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import { CommandFailed, type Runner, type RunOptions, type RunResult } from '../system/exec.ts'
import { requireReadable } from '../system/read.ts'
import { explainBuildFailure, explainDockerFailure } from './docker-failures.ts'

const CHANGE_TIMEOUT_MS = 3 * 60_000
const BUILD_TIMEOUT_MS = 30 * 60_000
/** Of a Dockerfile and of what it ignores. */
const BUILD_FILE_MAX_BYTES = 4 * 1024 * 1024

export interface ImageFacts {
  /** Hash of layers and configuration without labels: the same for every build and every workspace. */
  readonly content: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  /** As in USER; '' is root. */
  readonly user: string
  readonly workingDir: string
  /** Such as `8080/tcp`. */
  readonly exposed: readonly string[]
}

export interface BuildOptions {
  readonly tag: string
  readonly labels: Readonly<Record<string, string>>
  /** Build arguments; BuildKit reads from one of them whose caches (`RUN --mount=type=cache`) the build uses. */
  readonly args: { readonly BUILDKIT_CACHE_MOUNT_NS: string }
  /** Path of the Dockerfile; default: `Dockerfile` in the folder. */
  readonly file?: string
  /** Images whose layers it may begin with; given, even empty, the image keeps its own layers' cache in it. */
  readonly layers?: readonly string[]
  readonly onLine: (line: string) => void
}

type DockerCall = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

export function createImageCommands(docker: DockerCall, runner: Runner) {
  /** The id of an image that is here, by which no other is ever found. */
  async function findImageId(reference: string): Promise<string | undefined> {
    const result = await docker(['image', 'inspect', '--format', '{{.Id}}', '--', reference], { okCodes: [0, 1] })
    if (result.code === 0) return result.stdout.trim()
    if (/No such image/i.test(result.stderr)) return undefined
    throw explainDockerFailure(new CommandFailed(['docker', 'image', 'inspect', reference], result))
  }

  const hasImage = async (reference: string) => (await findImageId(reference)) !== undefined

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

  async function build(folder: string, options: BuildOptions): Promise<void> {
    const labels = Object.entries(options.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
    const file = options.file === undefined ? [] : ['--file', options.file]
    const from = (options.layers ?? []).flatMap((name) => ['--cache-from', name])
    const cache = options.layers === undefined ? [] : [...from, '--cache-to', 'type=inline']
    const given = Object.entries(options.args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`])
    const args = ['build', '--progress', 'plain', '--tag', options.tag]
    const { file: dockerfile = join(folder, 'Dockerfile') } = options
    // the client reads them itself, and would wait for a pipe
    for (const path of [dockerfile, `${dockerfile}.dockerignore`, join(folder, '.dockerignore')])
      requireReadable(path, BUILD_FILE_MAX_BYTES)
    try {
      await runner.run(['docker', ...args, ...file, ...labels, ...given, ...cache, '--', folder], {
        timeoutMs: BUILD_TIMEOUT_MS,
        onLine: options.onLine,
        env: { DOCKER_BUILDKIT: '1' },
      })
    } catch (error) {
      if (error instanceof CommandFailed) throw explainBuildFailure(error)
      throw error
    }
  }

  /** What an image is; undefined when it is not there. */
  async function inspectImage(reference: string): Promise<ImageFacts | undefined> {
    const result = await docker(
      ['image', 'inspect', '--format', '{{json .RootFS.Layers}}\t{{json .Config}}', '--', reference],
      {
        okCodes: [0, 1],
      },
    )
    if (result.code === 0) return parseImage(result.stdout)
    if (/No such image/i.test(result.stderr)) return undefined
    throw explainDockerFailure(new CommandFailed(['docker', 'image', 'inspect', reference], result))
  }

  /** @throws {NexusError} BUILD_FAILED when no registry has it or none can be reached */
  async function pull(reference: string): Promise<void> {
    const result = await docker(['pull', '--quiet', '--', reference], { okCodes: 'any', timeoutMs: BUILD_TIMEOUT_MS })
    if (result.code === 0) return
    const said = result.stderr.trim().split('\n').at(-1) ?? ''
    throw new NexusError('BUILD_FAILED', `The image ${reference} is not here and could not be pulled.`, {
      hint: `To see why, run \`docker pull ${reference}\``,
      output: said,
    })
  }

  const change = (args: readonly string[]) => docker(args, { timeoutMs: BUILD_TIMEOUT_MS })

  return {
    findImageId,
    hasImage,
    listImages,
    removeImages,
    build,
    inspectImage,
    pull,
    tag: (from: string, to: string) => change(['image', 'tag', '--', from, to]),
    push: (reference: string) => change(['push', '--quiet', '--', reference]),
    save: (reference: string, file: string) => change(['image', 'save', '--output', file, '--', reference]),
    load: (file: string) => change(['image', 'load', '--quiet', '--input', file]),
  }
}

interface ConfigJson {
  readonly Labels?: unknown
  readonly Entrypoint?: readonly string[] | null
  readonly Cmd?: readonly string[] | null
  readonly User?: string
  readonly WorkingDir?: string
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null
}

export function parseImage(stdout: string): ImageFacts {
  const [layers = '', json = '{}'] = stdout.trim().split('\t')
  const { Labels: _, ...config } = JSON.parse(json) as ConfigJson
  return {
    content: sha256(`${layers}\0${JSON.stringify(config)}`),
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    user: config.User ?? '',
    workingDir: config.WorkingDir || '/',
    exposed: Object.keys(config.ExposedPorts ?? {}),
  }
}

function lines(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}
