/**
 * The files and addresses that an unresolved compose file names: what compose or a build reads. Texts are not
 * interpolated yet. Shapes that compose itself would refuse name nothing. Pure.
 */
import type { ParsedYamlMap } from '../config/compose-yaml.ts'

export type Reference =
  /** A file that is read or given to containers; `resolved`: what it says becomes part of the resolved model. */
  | {
      readonly kind: 'file'
      readonly at: string
      readonly text: string
      readonly verb: string
      readonly resolved: boolean
    }
  | { readonly kind: 'build'; readonly at: string; readonly build: BuildReference }
  | { readonly kind: 'extends'; readonly at: string; readonly text: string }
  | { readonly kind: 'include'; readonly at: string; readonly include: IncludeReference }
  /** Beyond the ordinary, whatever it says. */
  | { readonly kind: 'never'; readonly at: string; readonly value: string; readonly why: string }

export interface BuildReference {
  readonly context: string
  readonly dockerfile: string | undefined
  readonly additional: readonly (readonly [name: string, context: string])[]
  readonly ssh: readonly string[]
}

export interface IncludeReference {
  readonly paths: readonly string[]
  readonly projectDirectory: string | undefined
  readonly envFiles: readonly string[]
}

export function listReferences(document: unknown): readonly Reference[] {
  const model = mapOf(document)
  return [
    ...listOf(model.get('include')).map(
      (one): Reference => ({ kind: 'include', at: 'include', include: includeOf(one) }),
    ),
    ...[...mapOf(model.get('services'))].flatMap(([name, one]) => ofService(`services.${name}`, mapOf(one))),
    ...['secrets', 'configs'].flatMap((section) =>
      [...mapOf(model.get(section))].flatMap(([name, one]) =>
        files(`${section}.${name}.file`, mapOf(one).get('file'), 'gives containers'),
      ),
    ),
  ]
}

function includeOf(one: unknown): IncludeReference {
  if (typeof one === 'string') return { paths: [one], projectDirectory: undefined, envFiles: [] }
  const include = mapOf(one)
  return {
    paths: texts(include.get('path')),
    projectDirectory: texts(include.get('project_directory'))[0],
    envFiles: texts(include.get('env_file')),
  }
}

function ofService(at: string, service: ParsedYamlMap): readonly Reference[] {
  const base = service.get('extends')
  return [
    ...files(`${at}.env_file`, service.get('env_file'), 'gives containers', true),
    ...files(`${at}.label_file`, service.get('label_file'), 'gives containers', true),
    ...files(`${at}.credential_spec.file`, mapOf(service.get('credential_spec')).get('file'), 'gives containers'),
    ...texts(mapOf(base).get('file')).map((text): Reference => ({ kind: 'extends', at: `${at}.extends`, text })),
    ...ofBuild(`${at}.build`, service.get('build')),
    ...ofProvider(`${at}.provider`, service.get('provider')),
  ]
}

/** Build arguments with the value of a variable of their name; compose's model has only those that are set. */
export function openArguments(document: unknown): readonly string[] {
  const builds = [...mapOf(mapOf(document).get('services')).values()].map((one) => mapOf(mapOf(one).get('build')))
  return builds.flatMap((build) => {
    const args = build.get('args')
    if (args instanceof Map) return [...args].flatMap(([name, value]) => (value === null ? [String(name)] : []))
    return texts(args).filter((text) => !text.includes('='))
  })
}

/** Secrets of a build are those of the top, which are looked at there. */
function ofBuild(at: string, value: unknown): readonly Reference[] {
  if (value === undefined || value === null) return []
  const build = mapOf(value)
  const context = typeof value === 'string' ? value : (texts(build.get('context'))[0] ?? '.')
  const additional = pairs(build.get('additional_contexts'))
  const ssh = pairs(build.get('ssh')).map(([name, one]) => (one === '' ? name : `${name}=${one}`))
  const [dockerfile] = texts(build.get('dockerfile'))
  return [{ kind: 'build', at, build: { context, dockerfile, additional, ssh } }]
}

function ofProvider(at: string, value: unknown): readonly Reference[] {
  if (value === undefined || value === null) return []
  const type = texts(mapOf(value).get('type'))[0] ?? ''
  return [{ kind: 'never', at, value: type, why: 'runs a program of this machine' }]
}

/** A path, a list of paths, or `{path: ...}` in place of each. */
function files(at: string, value: unknown, verb: string, resolved = false): readonly Reference[] {
  return listOf(value)
    .flatMap((one) => texts(one instanceof Map ? one.get('path') : one))
    .map((text) => ({ kind: 'file', at, text, verb, resolved }))
}

/** Entries of a map, or of a list of `name=value`. */
function pairs(value: unknown): readonly (readonly [string, string])[] {
  if (value instanceof Map) return [...value].map(([name, one]) => [String(name), texts(one)[0] ?? ''])
  return texts(value).map((text) => {
    const sign = text.indexOf('=')
    return sign === -1 ? [text, ''] : [text.slice(0, sign), text.slice(sign + 1)]
  })
}

function texts(value: unknown): readonly string[] {
  return listOf(value).filter((one): one is string => typeof one === 'string')
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
}

function mapOf(value: unknown): ParsedYamlMap {
  return value instanceof Map ? value : new Map()
}
