/**
 * The images of ours, of workspaces and of their gates: which one is needed, whether it is there, and how it is built. An image
 * is named by the hash of everything it is made from, so a change of Nexus or of the user's ids is another image, and an
 * unchanged one is never built again. Images are shared by the workspaces of one instance and carry its label.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import entrypoint from '../../../compose/entrypoint.sh'
import gate from '../../../compose/gate.sh'
import setupUser from '../../../compose/setup-user.sh'
import dockerfile from '../../../templates/Dockerfile.hbs'
import gateDockerfile from '../../../templates/gate-Dockerfile.hbs'
import { sha256 } from '../../core/digest.ts'
import { NexusError } from '../../core/errors.ts'
import { dockerOf } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import type { DockerPart, WorkspaceRecord } from '../../core/workspace.ts'
import { buildArgs } from '../../stack/caches.ts'
import { WITHOUT_GIT } from '../../system/environment.ts'
import { CommandFailed } from '../../system/exec.ts'
import { withLock } from '../../system/lock.ts'
import { makeFolder, readIfPresent, removeTree, writeFileAtomic, writeGenerated } from '../../system/store.ts'
import type { Docker } from '../../tools/docker.ts'
import type { BackendContext } from '../context.ts'
import { wholeLabels } from './labels.ts'

const BASE_IMAGE = 'debian:bookworm-slim'
const BASE_IMAGE_TIMEOUT_MS = 10 * 60_000
const BUILD_WAIT_MS = 30 * 60_000

/** What people expect in a shell, beside the server itself. */
const PACKAGES = [
  ...['openssh-server', 'git', 'git-lfs', 'sudo', 'curl', 'wget', 'ca-certificates', 'gnupg'],
  ...['bash-completion', 'less', 'nano', 'vim-tiny', 'tmux', 'rsync', 'jq', 'tree', 'file', 'unzip', 'xz-utils', 'zip'],
  ...['procps', 'psmisc', 'lsof', 'iproute2', 'iputils-ping', 'netcat-openbsd', 'dnsutils', 'make', 'patch', 'tzdata'],
]

/** The proxy for the way out, and the relay for published ports. */
const GATE_PACKAGES = ['squid', 'nginx-light', 'libnginx-mod-stream']

/** An image of ours, with all that it is built from. */
export interface OwnImage {
  readonly reference: string
  readonly hash: string
  /** What it is built on. */
  readonly base: string
  readonly dockerfile: typeof dockerfile
  /** Values for the Dockerfile, beside `base`. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Scripts that it copies, by name. */
  readonly files: Readonly<Record<string, string>>
}

/** Where one may be taken from instead of being built, and is left for the next machine. */
export interface ImageKeep {
  /** True when the image is there now. */
  restore(image: OwnImage): Promise<boolean>
  save(image: OwnImage): Promise<void>
}

/** What decides about a workspace's image beside what it stands on. */
export type ImageWish = Pick<DockerPart, 'uid' | 'gid'> &
  Partial<Pick<DockerPart, 'caches'>> &
  Partial<Pick<WorkspaceRecord, 'isolation'>>

export function imageWish(record: WorkspaceRecord): ImageWish {
  return { ...dockerOf(record), isolation: record.isolation }
}

/** Whose the images are, and whose variables the engine's client is given. */
export type ImageOwner = Pick<BackendContext, 'instance' | 'env'>

/** An image of the user's or the project's to build on: its name, and what tells one build of it from another. */
export interface UnderImage {
  readonly reference: string
  readonly content: string
}

/** The image for a user's ids; the same inputs give the same reference. Isolation `agent` has images of its own. */
export function describeImage(owner: ImageOwner, wish: ImageWish, under?: UnderImage): OwnImage {
  const { uid, gid } = wish
  const agent = wish.isolation === 'agent'
  // nobody inside could give a volume to its user later
  const folders = agent ? (wish.caches ?? []).map(({ target }) => target) : []
  const facts = { packages: PACKAGES, uid, gid, level: agent ? 'agent' : 'standard', folders }
  const files = { 'entrypoint.sh': entrypoint, 'setup-user.sh': setupUser }
  const name = agent ? 'nexus-agent' : 'nexus'
  return describe(name, owner, { base: under?.reference ?? BASE_IMAGE, dockerfile, facts, files }, under?.content)
}

/** The image of the gates of guarded workspaces. */
export function describeGateImage(owner: ImageOwner): OwnImage {
  const made = { base: BASE_IMAGE, dockerfile: gateDockerfile, facts: { packages: GATE_PACKAGES } }
  return describe('nexus-gate', owner, { ...made, files: { 'gate.sh': gate } })
}

function describe(
  name: string,
  { instance, env }: ImageOwner,
  made: Omit<OwnImage, 'reference' | 'hash'>,
  content: string = made.base,
): OwnImage {
  // what the engine is told to build for, where that is not its own
  const platform = env.DOCKER_DEFAULT_PLATFORM
  const parts = [made.dockerfile.source, made.facts, made.files, content, ...(platform ? [platform] : [])]
  const hash = sha256(JSON.stringify(parts)).slice(0, 16)
  return { ...made, hash, reference: `${name}-${instance.slice(0, 8)}:${hash}` }
}

/** Whose it is. What it stands on may carry the label of the workspace that built that, which is not the only one to use it. */
export function imageLabels({ hash }: OwnImage, instance: string): Readonly<Record<string, string>> {
  return wholeLabels({ 'dev.nexus.image': hash, 'dev.nexus.instance': instance })
}

/** Tells the steps of a build from the first one on that does something: all that comes out of the cache is done in a moment. */
export function createBuildReport(tell: (text: string) => void, beginning: string): (line: string) => void {
  let step = ''
  let works = false
  return (line) => {
    const [, named] = /^#\d+ (\[.*)$/.exec(line) ?? []
    if (named !== undefined) {
      step = named
      if (works) tell(step)
    } else if (!works && /^#\d+ \d+\.\d+ /.test(line)) {
      works = true
      tell(beginning)
      if (step !== '') tell(step)
    }
  }
}

/** An image of ours is none of the project's; and a machine seldom has the base image of another platform. */
function explainBuild(error: unknown, what: string, platform: string | undefined): unknown {
  if (!(error instanceof NexusError) || error.code !== 'BUILD_FAILED') return error
  const { code, details, output } = error
  const hint = platform
    ? `DOCKER_DEFAULT_PLATFORM asks for ${platform}; to go on with this machine's own, run \`unset DOCKER_DEFAULT_PLATFORM\``
    : 'To see the whole build, repeat with `-V`'
  const message = error.message.replace(/^An image of the project /, `The ${what} image `)
  return new NexusError(code, message, { hint, details, output })
}

export function createImages(docker: Docker, context: BackendContext) {
  /** References that were there a moment ago, with their ids, so that one command asks once. */
  const seen = new Map<string, string>()

  async function idOf(reference: string): Promise<string | undefined> {
    const known = seen.get(reference) ?? (await docker.findImageId(reference))
    if (known !== undefined) seen.set(reference, known)
    return known
  }

  const has = async (reference: string) => (await idOf(reference)) !== undefined

  /** Where it is noted which image was built under a name, as others may give the name to an image of theirs. */
  const noteOf = ({ hash }: OwnImage) => join(context.home.cache, 'image-ids', hash)

  /** True for what this Nexus built; of what an older one built without a note, the name has to do. */
  async function isOurs(image: OwnImage): Promise<boolean> {
    const [id, noted] = await Promise.all([idOf(image.reference), readIfPresent(noteOf(image))])
    return id !== undefined && (noted === undefined || noted === id)
  }

  /**
   * Makes sure that there is an image and returns its reference: the one in use while it exists, else the current one,
   * which is built once, however many ask at the same time.
   */
  async function ensure(image: OwnImage, inUse: string | null, cache?: ImageKeep): Promise<string> {
    if (inUse !== null && inUse !== image.reference && (await has(inUse))) return inUse
    if (await isOurs(image)) return image.reference
    await makeOnce(image, () => isOurs(image), cache)
    return image.reference
  }

  async function makeOnce(image: OwnImage, isMade: () => Promise<boolean>, cache?: ImageKeep): Promise<void> {
    const lock = join(context.home.locks, `image-${image.hash}`)
    const onWait = () => context.emit({ type: 'notice', text: 'waiting for another Nexus that builds the same image' })
    await withLock(
      lock,
      async () => {
        seen.delete(image.reference)
        if (await isMade()) return
        if ((await cache?.restore(image)) !== true) {
          if (image.base === BASE_IMAGE) await ensureBaseImage()
          await build(image)
          await cache?.save(image)
        }
        seen.delete(image.reference)
        await writeGenerated(noteOf(image), (await idOf(image.reference)) ?? '')
        await removeUnused(image.reference)
      },
      { waitMs: BUILD_WAIT_MS, onWait, signal: context.interruption.signal },
    )
  }

  /** The id of the first of these images that is here as this Nexus built it; where none is, the first is built. */
  async function requireOwn(images: readonly [OwnImage, ...OwnImage[]]): Promise<string> {
    for (const image of images) {
      const id = await findNoted(image)
      if (id !== undefined) return id
    }
    await makeOnce(images[0], async () => (await findNoted(images[0])) !== undefined)
    return (await findNoted(images[0])) ?? ''
  }

  /** By the id alone: whatever has its name now. */
  async function findNoted(image: OwnImage): Promise<string | undefined> {
    const id = await readIfPresent(noteOf(image))
    if (id === undefined || seen.get(image.reference) === id) return id
    return (await docker.findImageId(id)) === id ? id : undefined
  }

  async function build(image: OwnImage): Promise<void> {
    const what = image.dockerfile === gateDockerfile ? 'gate' : 'workspace'
    const tell = (text: string) => context.emit({ type: 'progress', text })
    const folder = join(context.home.cache, 'image', `${image.hash}-${process.pid}`)
    await makeFolder(folder)
    try {
      const { renderTemplate } = await import('../../system/render.ts')
      const text = renderTemplate(image.dockerfile, { base: image.base, ...image.facts })
      await writeFileAtomic(join(folder, 'Dockerfile'), text, 0o644)
      for (const [name, script] of Object.entries(image.files)) await writeFileAtomic(join(folder, name), script, 0o755)
      await docker.build(folder, {
        tag: image.reference,
        labels: imageLabels(image, context.instance),
        // what it stands on may be a project's, with ONBUILD in it
        args: buildArgs(image.hash),
        onLine: createBuildReport(tell, `building the ${what} image (the first time takes about a minute)`),
      })
    } catch (error) {
      throw explainBuild(error, what, context.env.DOCKER_DEFAULT_PLATFORM)
    } finally {
      await removeTree(folder)
    }
  }

  /** Pulls the base image, else bootstraps it from the Debian mirror; the script says in one line which. */
  async function ensureBaseImage(): Promise<void> {
    if (await docker.hasImage(BASE_IMAGE)) return
    const script = fileURLToPath(new URL('../compose/base-image.sh', import.meta.url))
    try {
      await context.runner.run(['bash', script, BASE_IMAGE], {
        timeoutMs: BASE_IMAGE_TIMEOUT_MS,
        env: WITHOUT_GIT,
        onLine: (line) => context.emit({ type: 'progress', text: line }),
      })
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      throw new NexusError('BUILD_FAILED', `The base image ${BASE_IMAGE} could neither be pulled nor bootstrapped.`, {
        hint: `To have it made once with an administrator's rights, run \`sudo bash ${shellWord(script)} ${BASE_IMAGE}\``,
        output: error.result.stderr,
      })
    }
  }

  /** Removes this instance's images of the same sort that no container uses, but for the one to keep. */
  async function removeUnused(keep: string): Promise<void> {
    const all = await docker.listImages(`dev.nexus.instance=${context.instance}`)
    // what a project's own build sections made carries the label too, and goes with its workspace
    const same = all.filter((reference) => reference.split(':')[0] === keep.split(':')[0])
    await docker.removeImages(same.filter((reference) => reference !== keep))
  }

  return { has, ensure, requireOwn, removeUnused }
}
