/**
 * Brings a record of schema 1, which had all fields side by side, to schema 2. It fills in what records of older versions did not have.
 * What was never right is left to the check that comes after. Fields that are not known stay where they are. Pure.
 */
import { THIS_MACHINE } from '../core/reach.ts'

type Fields = Readonly<Record<string, unknown>>

/** Of any other schema it is left as it is. */
export function migrateRecord<T extends object>(record: T): T {
  const old = record as Fields
  return old.schema === 1 ? (fromFirst(old) as T) : record
}

function fromFirst(old: Fields): Fields {
  const { worktree, gitDir, adopted, ...withoutLocal } = old
  const { image, uid, gid, sudo, stack, portsMoved, ready, caches, editors, imageCache, ...common } = withoutLocal
  const optional = { stack, portsMoved, ready, caches, imageCache }
  const docker = { image, uid, gid, sudo, ...defined(optional), editors: editors === true }
  return {
    // an absent git mode, network or limit was what all had before there was a choice
    gitMode: 'shared',
    network: 'open',
    pids: 4096,
    ...common,
    schema: 2,
    // an older one had a boolean alone, and `true` meant `proxy`
    agentMode: old.forwardAgent === true ? (old.agentMode ?? 'proxy') : 'off',
    address: hasAddress(old) ? THIS_MACHINE : null,
    // only a delete that was to leave somebody else's folder alone knew a git dir and no worktree; its branch stays then, too
    local: worktree === null ? null : { worktree, gitDir, adopted: adopted === true },
    ...(old.backend === 'docker' ? { docker } : {}),
  }
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** All but a mock whose code and ports are elsewhere. */
function hasAddress({ backend, worktree, ports }: Fields): boolean {
  const isHere = (port: Fields | null) => typeof port?.host === 'number'
  return backend !== 'mock' || worktree !== null || (Array.isArray(ports) && ports.some(isHere))
}
