/** What templates of ignored files may name; ports that are not leased yet stand as 0. */
import type { Backend } from '../../backends/backend.ts'
import { urlOf } from '../../core/reach.ts'
import { hasUrl } from '../../core/urls.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { databaseName } from '../../stack/database.ts'

export async function templateValues(
  { endpoints }: Pick<Backend, 'endpoints'>,
  record: WorkspaceRecord,
): Promise<Readonly<Record<string, string>>> {
  const { readyOf } = await import('../../stack/ready.ts')
  const values: Record<string, string> = {
    name: record.name,
    id: record.id,
    slug: record.name.replaceAll('-', '_'),
    branch: record.branch,
    'db.name': record.docker?.stack?.shared?.database?.name ?? databaseName(record),
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
    const reach = endpoints.reach(record, { ...port, host: port.host ?? 0 })
    values[`ports.${port.name}`] = String(reach?.port ?? 0)
    if (hasUrl(port)) values[`urls.${port.name}`] = urlOf(reach) ?? ''
  }
  return values
}
