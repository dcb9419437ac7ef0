/**
 * The variables that every service of a workspace gets, and those in a project's `.env` that would direct programs of
 * this machine. Pure.
 */
import { reachOf, urlOf } from '../core/reach.ts'
import { hasUrl } from '../core/urls.ts'
import type { PortMapping, WorkspaceRecord } from '../core/workspace.ts'

/** The variables of every service of the workspace; `NEXUS_WS_*` is never configuration. */
export function nexusVariables(
  record: WorkspaceRecord,
  reach = (port: PortMapping) => reachOf(record, port),
): Readonly<Record<string, string>> {
  const env: Record<string, string> = {
    NEXUS_WS_ID: record.id,
    NEXUS_WS_NAME: record.name,
    NEXUS_WS_BRANCH: record.branch,
    NEXUS_WS_REPO: record.repo,
    NEXUS_WS_WORKTREE: record.local?.worktree ?? '',
  }
  for (const port of record.ports) {
    const there = reach(port)
    if (there === undefined || there.via !== undefined) continue
    const word = port.name.toUpperCase().replaceAll('-', '_')
    env[`NEXUS_WS_PORT_${word}`] = String(there.port)
    const url = hasUrl(port) ? urlOf(there) : undefined
    if (url !== undefined) env[`NEXUS_WS_URL_${word}`] = url
  }
  const database = record.docker?.stack?.shared?.database
  return database === undefined ? env : { ...env, NEXUS_WS_DB: database.name }
}

/** After `LD_`, what the loader of Linux itself reads: an application's own settings may begin so too. */
const LOADER: readonly string[] = [
  ...['AUDIT', 'PRELOAD', 'LIBRARY_PATH', 'BIND_NOW', 'BIND_NOT', 'DEBUG', 'DEBUG_OUTPUT', 'DYNAMIC_WEAK'],
  ...['HWCAP_MASK', 'ORIGIN_PATH', 'POINTER_GUARD', 'PROFILE', 'PROFILE_OUTPUT', 'SHOW_AUXV', 'TRACE_LOADED_OBJECTS'],
  ...['USE_LOAD_BIAS', 'VERBOSE', 'WARN', 'ASSUME_KERNEL', 'PREFER_MAP_32BIT_EXEC'],
]
const LD: ReadonlySet<string> = new Set(LOADER.map((word) => `LD_${word}`))
/** The same of macOS. */
const DYLD =
  /^DYLD_(INSERT_LIBRARIES|ROOT_PATH|IMAGE_SUFFIX|SHARED_REGION|FORCE_FLAT_NAMESPACE|((FALLBACK|VERSIONED)_)?(LIBRARY|FRAMEWORK)_PATH)$/
const DOCKERS =
  /^(DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS|TLS_VERIFY|CUSTOM_HEADERS)|BUILDKIT_HOST|BUILDX_(BUILDER|CONFIG)|COMPOSE_ENV_FILES)$/
const GITS = /^(GIT_(SSH|SSH_COMMAND|SSH_VARIANT|CONFIG|EXEC_PATH|ASKPASS|PROXY_COMMAND)|SSH_(ASKPASS|AUTH_SOCK))$/
const GIT_CONFIGS = /^GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|PARAMETERS|COUNT|KEY_\d+|VALUE_\d+)$/

/** Variables of a `.env` by which plain compose would go elsewhere. Nexus gives them to the project's files alone. */
export function directsHost(name: string): boolean {
  return LD.has(name) || [DYLD, DOCKERS, GITS, GIT_CONFIGS].some((names) => names.test(name))
}
