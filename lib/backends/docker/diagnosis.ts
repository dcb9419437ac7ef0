/**
 * Whether the Docker engine is well: does it answer, is it new enough, are holes known in it, does its clock agree, has it
 * addresses and space left. Each check is on its own; the answers that several need are asked for once.
 */
import { NexusError } from '../../core/errors.ts'
import { type Check, type Diagnosis, failure, INSTALL_HINT, warning, well } from '../../core/finding.ts'
import { lacksFix } from '../../core/versions.ts'
import { capitalized } from '../../core/words.ts'
import { freeSpace, judgeSpace } from '../../tools/disk.ts'
import type { Docker } from '../../tools/docker.ts'
import { requireComposeVersion } from '../../tools/docker-endpoint.ts'
import type { EngineVersions } from '../../tools/docker-facts.ts'

/** What is known to be wrong with older versions, by line of releases; distributions patch without a new number, which is said. */
const KNOWN_BAD = [
  {
    component: 'Engine',
    fixed: ['28.3.3'],
    id: 'moby#45610, CVE-2025-54388',
    what: 'ports published on localhost can be reached from the network: before 28.0 at any time, before 28.3.3 after a reload of firewalld',
  },
  {
    component: 'Docker Desktop',
    fixed: ['4.44.3'],
    id: 'CVE-2025-9074',
    what: 'any container can reach the API of the engine, and with it everything of yours',
  },
  {
    component: 'runc',
    fixed: ['1.2.8', '1.3.3'],
    id: 'CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881',
    what: 'a prepared image can leave its container',
  },
  {
    component: 'containerd',
    fixed: ['1.6.38', '1.7.27', '2.0.4'],
    id: 'CVE-2024-40635',
    what: 'an image with a huge user id can run as root',
  },
] as const

/** Docker's own pools make about thirty networks (172.17-31/16, 192.168/20). */
const POOLS = 31
const POOLS_LOW = 25
const SKEW_MS = 5_000

export function createDockerChecks(docker: Docker, check: () => Promise<void>): readonly Check[] {
  let asked: Promise<EngineVersions> | undefined
  const versions = () => {
    asked ??= docker.engineVersions()
    return asked
  }
  return [
    { name: 'docker-engine', run: () => checkEngine(versions, check) },
    { name: 'docker-compose', run: () => checkCompose(docker) },
    { name: 'docker-versions', run: async () => judgeVersions(await versions()) },
    { name: 'docker-clock', run: () => checkClock(docker) },
    { name: 'docker-disk', run: () => checkDisk(docker) },
    { name: 'docker-addresses', run: async () => [judgePools(await docker.countBridges())] },
  ].map(({ name, run }) => ({ name, run: () => onlyWithEngine(name, run) }))
}

/** That the engine does not answer is told once, by the check of that name. */
async function onlyWithEngine(name: string, run: () => Promise<readonly Diagnosis[]>): Promise<readonly Diagnosis[]> {
  try {
    return await run()
  } catch (error) {
    if (name === 'docker-engine' || !(error instanceof NexusError)) throw error
    if (['BACKEND_UNAVAILABLE', 'TOOL_MISSING', 'PERMISSION_DENIED'].includes(error.code)) return []
    throw error
  }
}

async function checkEngine(versions: () => Promise<EngineVersions>, check: () => Promise<void>) {
  try {
    const { engine } = await versions()
    await check().catch((error: unknown) => (isComposeTrouble(error) ? undefined : Promise.reject(error)))
    return [well(`Docker engine ${engine} answers`)]
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const why = 'Without an engine no workspace can be made, started or looked at.'
    return [failure({ message: error.message, why, hint: error.hint ?? 'To see what is wrong, run `docker info`' })]
  }
}

async function checkCompose(docker: Docker): Promise<readonly Diagnosis[]> {
  try {
    const version = await docker.composeVersion()
    requireComposeVersion(version)
    return [well(`docker compose ${version}`)]
  } catch (error) {
    if (!isComposeTrouble(error)) throw error
    const why = 'The generated files use `!override` and `!reset`, which came with compose 2.24.4.'
    return [failure({ message: error.message, why, hint: INSTALL_HINT })]
  }
}

/** The plugin is missing or too old, while docker itself is there. */
function isComposeTrouble(error: unknown): error is NexusError {
  return error instanceof NexusError && error.code === 'TOOL_MISSING' && error.details?.tool === undefined
}

/** Exported for tests. */
export function judgeVersions({ engine, platform, components }: EngineVersions): readonly Diagnosis[] {
  const versionOf = (component: string): string => {
    if (component === 'Docker Desktop') return platform.startsWith(component) ? platform : ''
    return components[component] ?? (component === 'Engine' ? engine : '')
  }
  const bad = KNOWN_BAD.filter(({ component, fixed }) => lacksFix(versionOf(component), fixed))
  const known = Object.entries(components).map(([name, version]) => `${name} ${version}`)
  if (bad.length === 0) return [well(known.length === 0 ? `Docker engine ${engine}` : known.join(', '))]
  return bad.map(({ component, fixed, id, what }) => {
    const version = versionOf(component).replace(`${component} `, '')
    return warning({
      message: `${component} ${version} lacks a fix: it came with ${fixed.join(' and ')} (${id}).`,
      why: `${capitalized(what)}, unless your distribution patched it.`,
      hint: 'To see which version runs, use `docker version`; to get a newer one, update Docker',
    })
  })
}

async function checkClock(docker: Docker): Promise<readonly Diagnosis[]> {
  const { time } = await docker.engineFacts()
  return [judgeClock(Date.parse(time), Date.now())]
}

/** Exported for tests. */
export function judgeClock(engine: number, own: number): Diagnosis {
  const skew = engine - own
  if (Number.isNaN(engine) || Math.abs(skew) <= SKEW_MS) return well('the engine has the time of this machine')
  return warning({
    message: `The clock of the Docker engine is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's.`,
    why: 'Files get times of the future or the past: make builds too much or too little, and certificates seem invalid.',
    hint: 'To set it right, restart Docker Desktop, or on Linux run `sudo timedatectl set-ntp true`',
  })
}

/** Nothing where it is a folder on a machine of the engine's own, such as Docker Desktop's. */
async function checkDisk(docker: Docker): Promise<readonly Diagnosis[]> {
  const { folder } = await docker.engineFacts()
  return judgeSpace(folder, await freeSpace(folder))
}

/** Exported for tests. Networks of ours have subnets of their own. */
export function judgePools({ all, labelled }: { readonly all: number; readonly labelled: number }): Diagnosis {
  const used = all - labelled
  const message = `${used} of about ${POOLS} networks of Docker's own address pools are in use`
  if (used < POOLS_LOW) return well(`${message}; workspaces use others`)
  return warning({
    message: `${message}.`,
    why: 'The next `docker compose up` of a project outside of Nexus may find no address; workspaces lease their own.',
    hint: 'To remove networks that nothing uses, run `docker network prune`',
  })
}
