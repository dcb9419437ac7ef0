/** Compares the records with reality: interrupted operations, folders without a record, leases, subnets. */
import { existsSync, statSync } from 'node:fs'
import { type Diagnosis, failure, warning, well } from '../core/finding.ts'
import { workspacePaths } from '../core/paths.ts'
import { shellWord } from '../core/shell.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { formatCidr, overlap, parseCidr } from '../network/cidr.ts'
import { readRoutes } from '../network/routes.ts'
import type { SubnetLease } from '../network/subnets.ts'
import { isHeld, type Lease } from '../ports/leases.ts'
import { isAlive } from '../system/process.ts'
import { listFolder, removeTree } from '../system/store.ts'
import { exclusively } from '../workspace/operation/operate.ts'
import { leasesOf, subnetLeasesOf } from '../workspace/port-plan.ts'
import { peekJson, type Scan } from './scan.ts'

/** Work of people may lie in these. */
const PRECIOUS = ['git', 'checkpoints']
/** A create writes the record right after it made the folder. */
const NEW_MS = 60_000

export async function checkOperations({ app, records }: Scan): Promise<readonly Diagnosis[]> {
  const cut = records.filter(({ operation }) => operation !== null && !isAlive(operation))
  if (cut.length === 0) return [well('no operation was cut short')]
  return cut.map((record) =>
    warning({
      message: `Workspace ${record.name}: ${record.operation?.kind} since ${record.operation?.startedAt} was cut short.`,
      why: 'Its process is dead; the workspace may be half made or half removed.',
      hint: 'To have it finished or taken back, run `nexus doctor --fix`',
      // taking the workspace's lock repairs it first
      fix: () => exclusively(app, record.id, async () => undefined),
    }),
  )
}

/** Folders of workspaces without any record, damaged ones included, which `state-files` tells. */
export async function checkFolders({ app, ids }: Scan): Promise<readonly Diagnosis[]> {
  const bare = await Promise.all(
    [...ids].map(async (id) => ({ id, names: await listFolder(workspacePaths(app.home, id).dir) })),
  )
  const found = bare.filter(({ id, names }) => {
    const recorded = names.some((name) => name.startsWith('workspace.json'))
    return !recorded && Date.now() - statSync(workspacePaths(app.home, id).dir).mtimeMs > NEW_MS
  })
  if (found.length === 0) return [well('every workspace has its record')]
  return found.map(({ id, names }) => {
    const { dir, record } = workspacePaths(app.home, id)
    const precious = names.filter((name) => PRECIOUS.includes(name))
    return warning({
      message: `${dir} has no record.`,
      why:
        precious.length === 0
          ? 'It is of no use without one; what its workspace left elsewhere is looked for once it is gone.'
          : `Work may lie in ${precious.join(' and ')} of it, so that it is not removed by itself.`,
      hint:
        precious.length === 0
          ? 'To remove it, run `nexus doctor --fix`'
          : `To look at it, run \`ls -R ${shellWord(dir)}\``,
      // a create may have begun here meanwhile
      fix: precious.length > 0 ? undefined : async () => (existsSync(record) ? undefined : removeTree(dir)),
    })
  })
}

export async function checkLeases({ app, records, ids }: Scan): Promise<readonly Diagnosis[]> {
  const held = leasesIn<Lease>(app.home.leases)
  const wanted = records.filter(isSettled).flatMap(leasesOf)
  const leases = await app.leases()
  return judgeLeases<Lease>({
    what: 'port',
    held,
    wanted,
    ids,
    nameOf: ({ base }) => `${base}-${base + 9}`,
    isSame: (one, other) => Math.abs(one.base - other.base) < 10,
    release: async ({ workspace }) => {
      if (!existsSync(workspacePaths(app.home, workspace).dir)) await leases.release(workspace)
    },
    restore: (lease) => leases.restore([lease]),
  })
}

export async function checkSubnets(scan: Scan): Promise<readonly Diagnosis[]> {
  const { app, records, ids } = scan
  const held = leasesIn<SubnetLease>(app.home.subnets)
  const subnets = await app.subnets()
  const found = judgeLeases<SubnetLease>({
    what: 'subnet',
    held,
    wanted: records.filter(isSettled).flatMap(subnetLeasesOf),
    ids,
    nameOf: ({ cidr }) => cidr,
    isSame: (one, other) => one.cidr === other.cidr,
    release: async ({ workspace }) => {
      if (!existsSync(workspacePaths(app.home, workspace).dir)) await subnets.release(workspace)
    },
    restore: (lease) => subnets.restore([lease]),
  })
  return [...found, ...(await judgeRoutes(scan, held))]
}

interface LeaseFacts<L extends Lease | SubnetLease> {
  readonly what: string
  readonly held: readonly L[]
  /** What the records say that they hold. */
  readonly wanted: readonly L[]
  readonly ids: ReadonlySet<string>
  readonly nameOf: (lease: L) => string
  readonly isSame: (one: L, other: L) => boolean
  readonly release: (lease: L) => Promise<void>
  readonly restore: (lease: L) => Promise<unknown>
}

/** Exported for tests. */
export function judgeLeases<L extends Lease | SubnetLease>(facts: LeaseFacts<L>): readonly Diagnosis[] {
  const { what, held, wanted, ids, nameOf, isSame, release, restore } = facts
  const orphans = held
    // a running process may hold one itself
    .filter((lease) => !ids.has(lease.workspace) && !('holder' in lease && isHeld(lease)))
    .map((lease) =>
      warning({
        message: `${nameOf(lease)} is leased to ${lease.workspace} (${lease.name}), which is gone.`,
        why: 'Nobody else gets what is leased.',
        hint: 'To give it back, run `nexus doctor --fix`',
        fix: () => release(lease),
      }),
    )
  const lost = wanted.flatMap((lease) => {
    const holder = held.find((other) => isSame(other, lease))
    if (holder?.workspace === lease.workspace) return []
    return [holder === undefined ? unleased(lease, nameOf(lease), restore) : doubled(lease, nameOf(lease), holder)]
  })
  const found = [...orphans, ...lost]
  return found.length > 0 ? found : [well(`leases of ${what}s: ${held.length}, each with its workspace`)]
}

function unleased<L extends Lease | SubnetLease>(lease: L, name: string, restore: (lease: L) => Promise<unknown>) {
  return warning({
    message: `${lease.name} (${lease.workspace}) uses ${name} without a lease.`,
    why: 'Another workspace may be given the same.',
    hint: 'To lease it again, run `nexus doctor --fix`',
    fix: async () => void (await restore(lease)),
  })
}

function doubled(lease: Lease | SubnetLease, name: string, holder: Lease | SubnetLease) {
  return failure({
    message: `${lease.name} (${lease.workspace}) uses ${name}, which is leased to ${holder.name} (${holder.workspace}).`,
    why: 'Only one of them can run at a time.',
    hint: `To get it others, commit what is in it and make it anew: \`nexus delete ${lease.workspace}\``,
  })
}

function leasesIn<L>(path: string): readonly L[] {
  const { leases } = (peekJson(path) ?? {}) as { readonly leases?: readonly L[] }
  return Array.isArray(leases) ? leases : []
}

/** While an operation goes on, record and leases may differ for a moment. */
function isSettled({ operation }: WorkspaceRecord): boolean {
  return operation === null
}

/** Networks of Docker's appear as routes of exactly a leased block; whatever else lies across one is in the way. */
async function judgeRoutes({ settings }: Scan, held: readonly SubnetLease[]): Promise<readonly Diagnosis[]> {
  const routes = await readRoutes()
  const range = parseCidr(settings?.subnets.range ?? '')
  const cover = range === undefined ? undefined : routes.find((r) => r.prefix <= range.prefix && overlap(r, range))
  if (cover !== undefined && settings !== undefined) {
    return [
      failure({
        message: `${cover.interface} has a route to all of ${settings.subnets.range}, ${formatCidr(cover)}.`,
        why: 'No workspace can lease a network: what is inside could not be told from what is out there.',
        hint: 'To lease from addresses that are free here, run `nexus config set subnets.range <block>`',
      }),
    ]
  }
  return held.flatMap((lease) => {
    const block = parseCidr(lease.cidr)
    const other = routes.find(
      (route) => block !== undefined && overlap(route, block) && formatCidr(route) !== lease.cidr,
    )
    if (other === undefined) return []
    return [
      warning({
        message: `${other.interface} has a route to ${formatCidr(other)}, which lies across ${lease.cidr} of ${lease.name}.`,
        why: 'Either the workspace or what is behind the route cannot be reached.',
        hint: `To see the routes, run \`ip route\`; a start gives the workspace other addresses: \`nexus restart ${lease.workspace}\``,
      }),
    ]
  })
}
