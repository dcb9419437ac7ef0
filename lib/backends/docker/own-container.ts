/**
 * Containers that do one thing for Nexus with files of a workspace, and are gone afterwards. They run in an image that this
 * Nexus built on its own base, named by the id that the engine gave it then: what a project puts into an image, or calls one,
 * never runs here. A helper has a program by its absolute path, the folders that it needs, no network, a read-only root and the
 * capabilities that it is given. Every `docker run` of Nexus is written here.
 */
import { dockerOf } from '../../core/record-parts.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../context.ts'
import type { createImages, describeGateImage, describeImage, ImageOwner, OwnImage } from './image.ts'

/** To read and write what belongs to others, and to give the copies the same owners and modes. */
const COPYING = ['DAC_OVERRIDE', 'CHOWN', 'FOWNER', 'FSETID']

export interface HelperMount {
  readonly type: 'bind' | 'volume'
  readonly source: string
  readonly target: string
  readonly readOnly?: boolean
}

export interface HelperTask {
  /** Numeric, as an image may call anybody anything. */
  readonly user: string
  readonly mounts: readonly HelperMount[]
  /** Beside the instance's. */
  readonly labels: Readonly<Record<string, string>>
  /** Begins with an absolute path. */
  readonly argv: readonly string[]
  readonly capabilities?: readonly string[]
  readonly workdir?: string
  readonly env?: Readonly<Record<string, string>>
  /** Sees the processes of the engine's machine. */
  readonly seesProcesses?: boolean
  /** Has stdin, and a `/tmp` of its own. */
  readonly interactive?: boolean
}

interface ImageMaking {
  readonly images: ReturnType<typeof createImages>
  readonly describeImage: typeof describeImage
  readonly describeGateImage: typeof describeGateImage
}

export type Helpers = ReturnType<typeof createHelpers>

export function createHelpers(docker: Docker, context: BackendContext, making: () => Promise<ImageMaking>) {
  /** Runs a helper that needs no more than the programs of the base image, and returns what it printed. */
  async function run(record: WorkspaceRecord, task: HelperTask): Promise<string> {
    return docker.runOnce(await argsOf(record, true, task))
  }

  /** Runs shell text that copies what is in one volume, `/from`, into another, `/to`. */
  async function copy(record: WorkspaceRecord, from: string, to: string, script: string): Promise<string> {
    return run(record, {
      user: '0:0',
      capabilities: COPYING,
      mounts: [
        { type: 'volume', source: from, target: '/from', readOnly: true },
        { type: 'volume', source: to, target: '/to' },
      ],
      labels: {},
      argv: ['/bin/sh', '-c', script],
    })
  }

  /** The command line of a helper that has git. */
  async function command(record: WorkspaceRecord, task: HelperTask): Promise<readonly string[]> {
    return ['docker', ...(await argsOf(record, false, task))]
  }

  async function argsOf(record: WorkspaceRecord, gateToo: boolean, task: HelperTask): Promise<readonly string[]> {
    const labels = { 'dev.nexus.instance': context.instance, ...task.labels }
    return helperArgs(await imageFor(record, gateToo), { ...task, labels })
  }

  /** Any image of ours that is there already; the plain one is built where none is. */
  async function imageFor(record: WorkspaceRecord, gateToo: boolean): Promise<string> {
    const { images, describeImage, describeGateImage } = await making()
    return images.requireOwn(ownImages(context, record, gateToo, { describeImage, describeGateImage }))
  }

  return { run, copy, command }
}

/** Those that stand on Nexus's own base; what stands on an image of the project's is none of them. */
function ownImages(
  owner: ImageOwner,
  record: WorkspaceRecord,
  gateToo: boolean,
  describe: Pick<ImageMaking, 'describeImage' | 'describeGateImage'>,
): readonly [OwnImage, ...OwnImage[]] {
  const { uid, gid, caches } = dockerOf(record)
  const agents = [caches ?? [], []].map((list) => ({ uid, gid, isolation: 'agent' as const, caches: list }))
  return [
    describe.describeImage(owner, { uid, gid }),
    ...agents.map((wish) => describe.describeImage(owner, wish)),
    ...(gateToo ? [describe.describeGateImage(owner)] : []),
  ]
}

/** What `docker` is told; `image` is an id. Pure. */
export function helperArgs(image: string, task: HelperTask): readonly string[] {
  const [program = '', ...words] = task.argv
  if (!program.startsWith('/')) throw new Error(`a helper's program needs an absolute path: ${program}`)
  if (!/^sha256:[0-9a-f]{64}$/.test(image)) throw new Error(`a helper's image is named by its id: ${image}`)
  return [
    ...['run', '--rm', '--pull', 'never', '--network', 'none', '--read-only', '--user', task.user],
    ...['--cap-drop', 'ALL', ...(task.capabilities ?? []).flatMap((one) => ['--cap-add', one])],
    ...['--security-opt', 'no-new-privileges:true'],
    ...(task.seesProcesses === true ? ['--pid', 'host'] : []),
    ...(task.interactive === true ? ['--interactive', '--tmpfs', '/tmp'] : []),
    ...(task.workdir === undefined ? [] : ['--workdir', task.workdir]),
    ...Object.entries(task.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
    ...task.mounts.flatMap((mount) => ['--mount', mountText(mount)]),
    ...Object.entries(task.env ?? {}).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...['--entrypoint', program, image, ...words],
  ]
}

/** Docker reads it as a line of CSV, so that a path may hold a comma. */
function mountText({ type, source, target, readOnly }: HelperMount): string {
  const fields = [`type=${type}`, `source=${source}`, `target=${target}`]
  // an image has nothing to give to a volume
  const more = [...(type === 'volume' ? ['volume-nocopy'] : []), ...(readOnly === true ? ['readonly'] : [])]
  return [...fields, ...more]
    .map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',')
}
