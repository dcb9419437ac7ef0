/**
 * What a workspace's containers tell of it when its record is lost: labels, environment, mounts and published ports are all
 * there, as the compose file was made from the record.
 */
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isWorkspaceId, type WorkspaceId } from '../../core/names.ts'
import { GATE_SERVICE } from '../../network/network.ts'
import type { Docker } from '../../tools/docker.ts'
import type { ContainerFacts } from '../../tools/docker-objects.ts'
import type { BackendContext } from '../context.ts'
import type { LostWorkspace } from '../making.ts'
import { PROJECT_LABEL, SERVICE_LABEL } from './labels.ts'
import { EDITORS_FOLDER } from './main-service.ts'
import { MAIN_SERVICE, ROLE_LABEL } from './observation.ts'

export function createLost(docker: Docker, context: BackendContext) {
  /** By a workspace's id, or the name or id of one of its containers. */
  async function find(reference: string): Promise<LostWorkspace | undefined> {
    const id = isWorkspaceId(reference) ? reference : await idOf(reference)
    if (id === undefined) return undefined
    const ids = await docker.listResources('container', `dev.nexus.workspace=${id}`)
    const all = await docker.inspectContainers(ids)
    const main = all.find(isMain)
    return main === undefined ? undefined : describe(id, main, all)
  }

  async function idOf(reference: string): Promise<WorkspaceId | undefined> {
    const [facts] = await docker.inspectContainers([reference])
    const id = facts?.labels['dev.nexus.workspace'] ?? ''
    return isWorkspaceId(id) ? id : undefined
  }

  function describe(id: WorkspaceId, main: ContainerFacts, all: readonly ContainerFacts[]): LostWorkspace {
    const { env, labels, mounts } = main
    const sshFolder = mounts.find(({ target }) => target === '/etc/nexus/ssh')?.source
    return {
      id,
      name: labels['dev.nexus.name'] ?? '',
      project: labels[PROJECT_LABEL] ?? '',
      repo: labels['dev.nexus.repo'] ?? '',
      branch: env.NEXUS_WS_BRANCH ?? '',
      worktree: env.NEXUS_WS_WORKTREE ?? '',
      image: main.image,
      running: main.running,
      agent: main.dropped.includes('ALL'),
      gate: all.some((one) => one.labels[SERVICE_LABEL] === GATE_SERVICE),
      ours: labels['dev.nexus.instance'] === context.instance,
      heldBy: sshFolder === undefined ? null : recordBeside(sshFolder),
      ports: all.flatMap((facts) => portsOf(facts, main)),
      password: /:\/\/[^:/]+:([0-9a-f]{30})@/.exec(env.DATABASE_URL ?? '')?.[1] ?? null,
      editors: mounts.some(({ target }) => target === EDITORS_FOLDER),
    }
  }

  return { find }
}

function isMain({ labels }: ContainerFacts): boolean {
  const role = labels[ROLE_LABEL] ?? ''
  return role === MAIN_SERVICE || (role === '' && labels[SERVICE_LABEL] === MAIN_SERVICE)
}

/** The record of the home that the container is mounted from; one that may not be looked at counts as there. */
function recordBeside(folder: string): string | null {
  const file = join(dirname(folder), 'workspace.json')
  try {
    statSync(file)
    return file
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? null : file
  }
}

/** The environment names each leased port: `NEXUS_WS_PORT_WEB=32801`. */
function portsOf(facts: ContainerFacts, main: ContainerFacts): LostWorkspace['ports'] {
  const own = main.labels[SERVICE_LABEL]
  return Object.entries(main.env).flatMap(([key, value]) => {
    const word = /^NEXUS_WS_PORT_(.+)$/.exec(key)?.[1]
    const published = facts.ports.find(({ host }) => String(host) === value)
    if (word === undefined || published === undefined) return []
    const name = word.toLowerCase().replaceAll('_', '-')
    const { service, container } = leadsTo(facts, published)
    return [{ ...published, container, name, ...(service === own || service === undefined ? {} : { service }) }]
  })
}

/** Ports of a guarded workspace are its gate's, which knows where they lead: `32801=web:8000 ...`. */
function leadsTo({ labels, env }: ContainerFacts, port: { readonly host: number; readonly container: number }) {
  const relays = (env.NEXUS_GATE_RELAYS ?? '').split(' ').map((text) => /^(\d+)=(.+):(\d+)$/.exec(text) ?? [])
  const [, , service, container] = relays.find(([, host]) => host === String(port.host)) ?? []
  return service === undefined
    ? { service: labels[SERVICE_LABEL], container: port.container }
    : { service, container: Number(container) }
}
