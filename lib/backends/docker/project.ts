/**
 * What a project's own files are made into before a workspace has ports: the resolved compose model, and the image under the
 * workspace's own container where that is the project's. Everything runs with a small environment of its own: variables of
 * this machine reach a project only by name.
 */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { composeProject } from '../../core/names.ts'
import { workspacePaths } from '../../core/paths.ts'
import { dockerOf, localOf } from '../../core/record-parts.ts'
import type { AppCommand, StackRecord, WorkspaceRecord } from '../../core/workspace.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import { buildArgsOf } from '../../stack/caches.ts'
import { type ComposeModel, type ComposeService, plainText } from '../../stack/model.ts'
import { imageOf, overrideBuild } from '../../stack/override.ts'
import { activeServices } from '../../stack/ports.ts'
import { readyOf } from '../../stack/ready.ts'
import { parseResolved } from '../../stack/resolved.ts'
import { formatCompose, formatResolved, Reset } from '../../system/render.ts'
import { writeGenerated } from '../../system/store.ts'
import type { Docker, ResolveRequest } from '../../tools/docker.ts'
import { unsetVariables } from '../../tools/docker-failures.ts'
import type { ImageFacts } from '../../tools/docker-images.ts'
import {
  isHidden,
  openVariables,
  readingEnvironment,
  startingEnvironment,
  tellHidden,
  tellMissing,
  visibleVariables,
  withOwnNames,
} from '../../trust/environment.ts'
import type { BackendContext } from '../context.ts'
import type { Resolution } from '../making.ts'
import { composeFilesOf, projectDirectory } from './compose-file.ts'
import { createImageCache } from './image-cache.ts'
import { wholeLabels, workspaceLabels } from './labels.ts'
import { ownVariables } from './own-variables.ts'

export function createProjects(docker: Docker, context: BackendContext) {
  const requestOf = (record: WorkspaceRecord, stack: StackRecord): ResolveRequest => ({
    files: composeFilesOf(record),
    directory: projectDirectory(record),
    project: composeProject(record),
    envFile: envFileIn(projectDirectory(record)),
    env: readingEnvironment(context.env, stack.pass),
  })
  const onLine = (line: string) => {
    if (/^#\d+ \[/.test(line)) context.emit({ type: 'progress', text: line.replace(/^#\d+ /, '') })
  }

  const imageCache = (record: WorkspaceRecord) => {
    const { imageCache: place } = dockerOf(record)
    return place === undefined ? undefined : createImageCache(docker, context, place)
  }

  /** @throws {NexusError} CONFIG_INVALID with compose's own words */
  async function resolveModel(record: WorkspaceRecord): Promise<Pick<Resolution, 'model' | 'warnings' | 'unset'>> {
    const { stack } = dockerOf(record)
    if (stack === undefined || stack.files.length === 0) return { model: undefined, warnings: [], unset: [] }
    const { json, stderr } = await docker.resolve(requestOf(record, stack))
    const model = parseResolved(json)
    const unset = unsetVariables(stderr)
    const hidden = tellHidden([...unset, ...openVariables(model)], context.env, stack.pass)
    const missing = unset.filter((name) => !isHidden(name, context.env, stack.pass))
    return { model, warnings: [...hidden, ...tellMissing(missing)], unset }
  }

  /** The image under the workspace's own, built or pulled; undefined where that is the default one. */
  async function prepareImage(record: WorkspaceRecord, model: ComposeModel | undefined): Promise<Resolution['under']> {
    const { stack } = dockerOf(record)
    if (stack === undefined) return undefined
    const cache = imageCache(record)
    await cache?.loadLayers(record)
    if (stack.base.kind === 'default') return undefined
    switch (stack.base.kind) {
      case 'image': {
        const { image } = stack.base
        const facts = (await docker.inspectImage(image)) ?? (await pullImage(image))
        return { reference: image, content: facts.content, app: undefined, exposed: [] }
      }
      case 'dockerfile': {
        const tag = `${composeProject(record)}-app`
        const { file } = stack.base
        context.emit({ type: 'progress', text: `building ${file}` })
        const labels = wholeLabels(workspaceLabels(record, context.instance))
        const folder = localOf(record).worktree
        const layers = (await cache?.layersOf(record, ['app']))?.get('app')
        const args = buildArgsOf(context.instance, record)
        const options = { tag, labels, args, file: `${folder}/${file}`, onLine }
        await docker.build(folder, { ...options, ...(layers === undefined ? {} : { layers }) })
        const facts = await requireImage(tag)
        return {
          reference: tag,
          content: facts.content,
          app: appOf(facts, {}),
          exposed: facts.exposed.map(exposedPort),
        }
      }
      case 'service':
        return prepareService(record, stack, model)
    }
  }

  async function prepareService(record: WorkspaceRecord, stack: StackRecord, model: ComposeModel | undefined) {
    const service = model?.services[stack.main] ?? {}
    const builds = model !== undefined && service.build !== undefined
    const reference = builds ? await buildService(record, stack, model) : (service.image ?? '')
    const facts = (await docker.inspectImage(reference)) ?? (await pullImage(reference))
    return { reference, content: facts.content, app: appOf(facts, service), exposed: [] }
  }

  /** Under a name of the workspace's: the project's own tag would be every branch's. */
  async function buildService(record: WorkspaceRecord, stack: StackRecord, whole: ComposeModel): Promise<string> {
    const service = whole.services[stack.main] ?? {}
    const { dir } = workspacePaths(context.home, record.id)
    const file = `${dir}/build-override.yml`
    const labels = wholeLabels(workspaceLabels(record, context.instance))
    const layers = (await imageCache(record)?.layersOf(record, [stack.main]))?.get(stack.main)
    const build = overrideBuild(service, labels, buildArgsOf(context.instance, record), layers)
    const model = { services: { [stack.main]: { image: new Reset(), build } } }
    await writeGenerated(file, formatCompose(model, '# Generated by Nexus to build the image of the workspace.'))
    const looked = `${dir}/build-resolved.yml`
    const header = '# Generated by Nexus to build the image of the workspace.'
    const named = withOwnNames(whole)
    await writeGenerated(looked, formatResolved(named, header))
    const project = composeProject(record)
    context.emit({ type: 'progress', text: `building service ${stack.main}` })
    const values = ownVariables(record, named, visibleVariables(context.env, stack.pass))
    const env = { ...startingEnvironment(context.env, stack.pass), ...values }
    await docker.buildServices({ files: [looked, file], project, env }, [stack.main], onLine)
    return `${project}-${stack.main}`
  }

  async function pullImage(reference: string): Promise<ImageFacts> {
    context.emit({ type: 'progress', text: `pulling ${reference}` })
    await docker.pull(reference)
    return requireImage(reference)
  }

  /** A build or a pull would come to nothing half-way: compose leaves a stack in pieces then. */
  async function requireImages(record: WorkspaceRecord, model: ComposeModel | undefined): Promise<void> {
    const { stack } = dockerOf(record)
    const { name } = record
    const ready = readyOf(record, { startInterval: true })?.services ?? {}
    const images = Object.values(ready).map(({ image }) => String(image))
    if (stack !== undefined && model !== undefined) {
      const own = stack.base.kind === 'service' ? stack.main : undefined
      const others = [...activeServices(model, stack.profiles).keys()].filter((service) => service !== own)
      images.push(...others.map((service) => imageOf(model, composeProject(record), service)))
    }
    const there = await Promise.all(images.map((image) => docker.hasImage(image)))
    const missing = images.find((_, i) => there[i] === false)
    if (missing === undefined) return
    throw new NexusError(
      'BUILD_FAILED',
      `The image ${missing} is not here, and a guarded workspace builds and pulls only at create.`,
      {
        hint: `To make it anew from its branch, commit and run \`nexus delete ${name}\` and \`nexus up ${name}\``,
        details: { image: missing },
      },
    )
  }

  async function requireImage(reference: string): Promise<ImageFacts> {
    const facts = await docker.inspectImage(reference)
    if (facts === undefined) throw new Error(`${reference} was made and is not there`)
    return facts
  }

  return {
    resolveModel,
    prepareImage,
    requireImages,
    onLine,
  }
}

/**
 * What a container of the image would run, by Docker's rules: a service's entry point drops the image's command, while an
 * empty one, or an empty command, does not.
 */
export function appOf(image: ImageFacts, service: ComposeService): AppCommand {
  const plain = (words: readonly string[] | null | undefined) => words?.map(plainText)
  const entrypoint = plain(service.entrypoint) ?? image.entrypoint
  const inherited = service.entrypoint?.length ? [] : image.command
  return {
    argv: [...entrypoint, ...(service.command?.length ? (plain(service.command) ?? []) : inherited)],
    user: typeof service.user === 'string' ? service.user : image.user,
    cwd: typeof service.working_dir === 'string' ? service.working_dir : image.workingDir,
  }
}

function exposedPort(text: string, index: number): WantedPort {
  const [port = '', protocol] = text.split('/')
  return {
    name: index === 0 && protocol !== 'udp' ? 'web' : `port-${port}${protocol === 'udp' ? '-udp' : ''}`,
    container: Number(port),
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
  }
}

/** Compose takes no folder of that name for it. */
function envFileIn(folder: string): string {
  const file = join(folder, '.env')
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat === undefined || stat.isDirectory() ? '/dev/null' : file
}
