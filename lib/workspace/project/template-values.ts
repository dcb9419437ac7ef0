/** What templates of ignored files may name. */

import { hasUrl } from '../../core/urls.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { databaseName } from '../../stack/database.ts'

export async function templateValues(record: WorkspaceRecord): Promise<Readonly<Record<string, string>>> {
  const { readyOf } = await import('../../stack/ready.ts')
  const values: Record<string, string> = {
    name: record.name,
    id: record.id,
    slug: record.name.replaceAll('-', '_'),
    branch: record.branch,
    'db.name': record.stack?.shared?.database?.name ?? databaseName(record),
  }
  const variables = readyOf(record, { startInterval: true })?.environment ?? {}
  const known = {
    'db.url': variables.DATABASE_URL,
    'db.host': variables.PGHOST ?? variables.MYSQL_HOST,
    'db.port': variables.PGPORT ?? variables.MYSQL_TCP_PORT,
    'db.user': variables.PGUSER ?? variables.MYSQL_USER,
    'db.password': variables.PGPASSWORD ?? variables.MYSQL_PASSWORD,
  }
  for (const [name, value] of Object.entries(known)) if (value !== undefined) values[name] = value
  for (const port of record.ports) {
    values[`ports.${port.name}`] = String(port.host ?? 0)
    if (hasUrl(port)) values[`urls.${port.name}`] = `http://localhost:${port.host ?? 0}`
  }
  return values
}
