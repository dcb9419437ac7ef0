/**
 * Limits of a service's container: those of its workspace, or its own where they are lower. They may stand under `deploy`,
 * too, and compose refuses to have them at both places, so that they all move to the service itself. Pure.
 */
import type { WorkspaceRecord } from '../core/workspace.ts'
import { Reset, type Yaml, type YamlMap } from '../system/render.ts'
import type { ComposeService, ModelFields } from './model.ts'

/** What is null or not there is not limited. */
export type Limits = Partial<Pick<WorkspaceRecord, 'pids' | 'memory' | 'cpus'>>

/** The kernel's, where a service says only how much of it. */
const CPU_PERIOD_US = 100_000
/** The least that the engine takes. */
const CPUS_MIN = 0.01

/** Fields of an override. What a service says of a kind that its workspace does not limit has the same meaning after it. */
export function capLimits(service: ComposeService, { pids, memory, cpus }: Limits): YamlMap {
  const resources = fieldsOf(fieldsOf(service.deploy).resources)
  const [deployed, reserved] = [resources.limits, fieldsOf(resources.reservations)]
  const own = fieldsOf(deployed)
  const limits = {
    pids_limit: lowest(pids, service.pids_limit, own.pids),
    mem_limit: lowest(memory, service.mem_limit, own.memory),
    cpus: lowest(cpus, service.cpus, own.cpus, isLimit(cpus) ? quotaOf(service) : undefined),
  }
  const above = (value: unknown) => isLimit(value) && isLimit(memory) && Number(value) > Number(limits.mem_limit)
  const deploy = {
    ...(deployed === undefined ? {} : { limits: new Reset() }),
    ...(above(reserved.memory) ? { reservations: { memory: String(limits.mem_limit) } } : {}),
  }
  return definedOnly({
    ...limits,
    memswap_limit: isLimit(memory) ? swapOf(service, Number(memory), Number(limits.mem_limit)) : undefined,
    mem_reservation: above(service.mem_reservation) ? limits.mem_limit : undefined,
    ...(isLimit(cpus) ? withoutQuota(service) : {}),
    deploy: Object.keys(deploy).length === 0 ? undefined : { resources: deploy },
  })
}

/** Zero and what is below mean that there is none. */
function isLimit(value: unknown): boolean {
  return value !== null && Number(value) > 0
}

function lowest(...values: readonly unknown[]): number | undefined {
  const limits = values.filter(isLimit).map(Number)
  return limits.length === 0 ? undefined : Math.min(...limits)
}

/** Of memory and swap together, as Docker counts. */
function swapOf({ memswap_limit: own }: ComposeService, limit: number, memory: number): number {
  return isLimit(own) ? Math.max(memory, Math.min(limit, Number(own))) : memory
}

/** Docker takes either a number of processors or a quota of a period. */
function quotaOf({ cpu_quota: quota, cpu_period: period }: ComposeService): number | undefined {
  if (!isLimit(quota)) return undefined
  return Math.max(CPUS_MIN, Number(quota) / (isLimit(period) ? Number(period) : CPU_PERIOD_US))
}

function withoutQuota(service: ComposeService): YamlMap {
  const given = ['cpu_quota', 'cpu_period'].filter((key) => service[key] !== undefined)
  return Object.fromEntries(given.map((key) => [key, new Reset()]))
}

function fieldsOf(value: unknown): ModelFields {
  return (value ?? {}) as ModelFields
}

function definedOnly(fields: Readonly<Record<string, Yaml | undefined>>): YamlMap {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as YamlMap
}
