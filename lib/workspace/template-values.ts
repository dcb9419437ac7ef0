/** What templates of ignored files may name. Pure. */

import { hasUrl } from '../core/urls.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { databaseName } from '../stack/shared.ts'

export function templateValues(record: WorkspaceRecord): Readonly<Record<string, string>> {
  const values: Record<string, string> = {
    name: record.name,
    id: record.id,
    slug: record.name.replaceAll('-', '_'),
    branch: record.branch,
    'db.name': record.stack?.shared?.database?.name ?? databaseName(record.name, record.id),
  }
  for (const port of record.ports) {
    values[`ports.${port.name}`] = String(port.host ?? 0)
    if (hasUrl(port)) values[`urls.${port.name}`] = `http://localhost:${port.host ?? 0}`
  }
  return values
}
