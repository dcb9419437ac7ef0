/**
 * How secrets reach services: as files in memory under /run/secrets, and as variables where that is asked for. The
 * files lie on a memory file system of this machine, filled by Nexus before a start; the generated compose file names
 * them, so that raw compose stops with the path of what is missing. A record holds references alone; values are handed
 * on and kept nowhere. Pure.
 */
import { NexusError } from '../core/errors.ts'
import type { SecretRecord, WorkspaceRecord } from '../core/workspace.ts'
import { Interpolated, type Yaml, type YamlMap } from '../system/render.ts'

/** The variable that carries a secret's value to compose. */
export function secretVariable(name: string): string {
  return `NEXUS_SECRET_${name.toUpperCase().replaceAll('-', '_')}`
}

/** What compose needs in its environment: values of the secrets that are asked for as variables, and no others. */
export function variablesOf(
  secrets: readonly SecretRecord[],
  values: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const asked = secrets.filter(({ name, variable }) => variable !== undefined && values.has(name))
  return Object.fromEntries(asked.map(({ name }) => [secretVariable(name), values.get(name) ?? '']))
}

/**
 * True where containers made for `present` do not fit `wanted`: they have other secrets, or hold one as a variable,
 * whose value the record does not have (a digest would tell of a short secret).
 */
export function areOutdated(present: readonly SecretRecord[], wanted: readonly SecretRecord[]): boolean {
  const plainly = (secrets: readonly SecretRecord[]) => JSON.stringify(secrets.map(({ from: _, ...rest }) => rest))
  return wanted.some(({ variable }) => variable !== undefined) || plainly(present) !== plainly(wanted)
}

/** @throws {NexusError} CONFIG_INVALID for a service that is not there */
export function requireServices(secrets: readonly SecretRecord[], services: readonly string[]): void {
  for (const { name, services: named = [] } of secrets) {
    const unknown = named.find((service) => !services.includes(service))
    if (unknown === undefined) continue
    throw new NexusError(
      'CONFIG_INVALID',
      `secrets.${name}.services names ${JSON.stringify(unknown)}; there are ${services.join(', ')}.`,
      {
        hint: 'To see where it is set, run `nexus config show --origin`',
        details: { key: `secrets.${name}.services`, value: unknown, known: services },
      },
    )
  }
}

/** The secrets that a service gets. */
export function secretsOf(record: WorkspaceRecord, service: string): readonly SecretRecord[] {
  const main = record.docker?.stack?.main ?? 'workspace'
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
