/** The variables that everything of a workspace finds in its environment. Pure. */
import { hasUrl } from '../core/urls.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'

/** What every service of the workspace finds in its environment; `NEXUS_WS_*` is never configuration. */
export function nexusVariables(record: WorkspaceRecord): Readonly<Record<string, string>> {
  const env: Record<string, string> = {
    NEXUS_WS_ID: record.id,
    NEXUS_WS_NAME: record.name,
    NEXUS_WS_BRANCH: record.branch,
    NEXUS_WS_REPO: record.repo,
    NEXUS_WS_WORKTREE: record.worktree ?? '',
  }
  for (const port of record.ports) {
    if (port.host === null) continue
    const word = port.name.toUpperCase().replaceAll('-', '_')
    env[`NEXUS_WS_PORT_${word}`] = String(port.host)
    if (hasUrl(port)) env[`NEXUS_WS_URL_${word}`] = `http://localhost:${port.host}`
  }
  const database = record.stack?.shared?.database
  return database === undefined ? env : { ...env, NEXUS_WS_DB: database.name }
}
