/**
 * How secrets reach services: as files in memory under /run/secrets, and as variables where that is asked for. The files lie on
 * a memory file system of this machine, filled by Nexus before a start; the generated compose file names them, so that raw
 * compose stops with the path of what is missing. Pure.
 */
import type { SecretRecord, WorkspaceRecord } from '../core/workspace.ts'
import { Interpolated, type Yaml, type YamlMap } from '../system/render.ts'

/** The variable that carries a secret's value to compose. */
export function secretVariable(name: string): string {
  return `NEXUS_SECRET_${name.toUpperCase().replaceAll('-', '_')}`
}

/** The secrets that a service gets. */
export function secretsOf(record: WorkspaceRecord, service: string): readonly SecretRecord[] {
  const main = record.stack?.main ?? 'workspace'
  return (record.secrets ?? []).filter(({ services }) => (services ?? [main]).includes(service))
}

/** What a service's definition gets for its secrets. @param folder where the files lie on this machine */
export function withSecrets(service: YamlMap, secrets: readonly SecretRecord[], folder: string): YamlMap {
  if (secrets.length === 0) return service
  const variables = secrets.flatMap(({ name, variable, from }) =>
    variable === undefined
      ? []
      : [
          [
            variable,
            new Interpolated(
              `\${${secretVariable(name)}:?secret ${name} comes from ${plain(from)}, start with nexus up}`,
            ),
          ] as const,
        ],
  )
  const mounts = secrets.map(
    ({ name }): Yaml => ({
      type: 'bind',
      source: `${folder}/${name}`,
      target: `/run/secrets/${name}`,
      read_only: true,
      bind: { create_host_path: false },
    }),
  )
  return {
    ...service,
    ...(variables.length === 0
      ? {}
      : { environment: { ...(service.environment as YamlMap), ...Object.fromEntries(variables) } }),
    volumes: [...((service.volumes as readonly Yaml[] | undefined) ?? []), ...mounts],
  }
}

/** As the text of an error in an interpolation, where braces and dollars would be read. */
function plain(text: string): string {
  return text.replace(/[^\w./:~-]+/g, ' ')
}
