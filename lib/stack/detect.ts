/**
 * What a repository brings to run: its compose files, a Dockerfile, or nothing, in this order, unless the configuration says
 * it. The names and their order are Docker's own (compose-spec, `COMPOSE_FILE`). Pure: the caller says which files there are.
 */
import { NexusError } from '../core/errors.ts'
import type { MainBase } from '../core/workspace.ts'
import { parseDotenv } from './dotenv.ts'

const COMPOSE_NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
const OVERRIDE_NAMES = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
]
/** Files at the top that decide what a workspace runs. */
export const COMPOSE_CANDIDATES: readonly string[] = [...COMPOSE_NAMES, ...OVERRIDE_NAMES]
const SIDE_CAR = 'workspace'
const SIDE_CAR_ELSE = 'nexus-workspace'

export interface DetectFacts {
  /** Names at the top of the worktree. */
  readonly names: readonly string[]
  /** Text of the repository's `.env`. */
  readonly dotenv: string | undefined
  readonly compose: { readonly files: readonly string[] | undefined; readonly profiles: readonly string[] }
  readonly workspace: {
    readonly image: string | undefined
    readonly dockerfile: string | undefined
    readonly service: string | undefined
  }
}

export interface Detected {
  /** Compose files from the top of the worktree. */
  readonly files: readonly string[]
  readonly profiles: readonly string[]
  readonly base: MainBase
  /** Service to work in, when the configuration names one. */
  readonly service: string | undefined
  /** One line for the user: `compose.yaml`, `Dockerfile`, `the base image`. */
  readonly found: string
}

/** @throws {NexusError} CONFIG_INVALID where settings exclude each other or a path leads out of the repository */
export function detectStack(facts: DetectFacts): Detected {
  const variables = parseDotenv(facts.dotenv ?? '')
  const { files, cause } = composeFiles(facts, variables)
  const base = mainBase(facts, files)
  const profiles = [...facts.compose.profiles, ...splitList(variables.get('COMPOSE_PROFILES'), ',')]
  const parts = [
    ...(files.length === 0 ? [] : [`${files.join(' + ')}${cause}`]),
    ...(base.kind === 'image' ? [`the image ${base.image}`] : []),
    ...(base.kind === 'dockerfile' ? [base.file] : []),
    ...(base.kind === 'service' ? [`working in its service ${facts.workspace.service}`] : []),
  ]
  return {
    files,
    profiles: [...new Set(profiles)],
    base,
    service: facts.workspace.service,
    found: parts.length === 0 ? 'the base image' : parts.join(', '),
  }
}

/** The name of a container beside the project's services. */
export function sideCarName(services: readonly string[]): string {
  return services.includes(SIDE_CAR) ? SIDE_CAR_ELSE : SIDE_CAR
}

/** The one that Docker would take of the names in a folder. */
export function findComposeFile(names: readonly string[]): string | undefined {
  return COMPOSE_NAMES.find((name) => names.includes(name))
}

function composeFiles(facts: DetectFacts, variables: ReadonlyMap<string, string>) {
  if (facts.compose.files !== undefined) {
    return { files: facts.compose.files.map((file) => requireInside(file, 'compose.files')), cause: '' }
  }
  const named = splitList(variables.get('COMPOSE_FILE'), variables.get('COMPOSE_PATH_SEPARATOR') ?? ':')
  if (named.length > 0) {
    return { files: named.map((file) => requireInside(file, 'COMPOSE_FILE in .env')), cause: ' (COMPOSE_FILE in .env)' }
  }
  const first = findComposeFile(facts.names)
  const over = first === undefined ? undefined : OVERRIDE_NAMES.find((name) => facts.names.includes(name))
  return { files: [first, over].filter((name) => name !== undefined), cause: '' }
}

function mainBase({ names, workspace }: DetectFacts, files: readonly string[]): MainBase {
  const given = (['image', 'dockerfile', 'service'] as const).filter((key) => workspace[key] !== undefined)
  if (given.length > 1) {
    const keys = given.map((key) => `workspace.${key}`).join(' and ')
    throw invalid(`${keys} exclude each other: a workspace is made from one of them.`)
  }
  if (workspace.service !== undefined) {
    if (files.length > 0) return { kind: 'service' }
    throw invalid(`workspace.service names ${JSON.stringify(workspace.service)}, and there is no compose file.`)
  }
  if (workspace.image !== undefined) return { kind: 'image', image: workspace.image }
  if (workspace.dockerfile !== undefined) {
    return { kind: 'dockerfile', file: requireInside(workspace.dockerfile, 'workspace.dockerfile') }
  }
  return files.length === 0 && names.includes('Dockerfile')
    ? { kind: 'dockerfile', file: 'Dockerfile' }
    : { kind: 'default' }
}

function requireInside(path: string, where: string): string {
  const clean = path.replace(/^(\.\/)+/, '')
  const isPlain = clean !== '' && !clean.startsWith('/') && !/\p{Cc}/u.test(clean)
  if (isPlain && !clean.split('/').includes('..')) return clean
  throw invalid(`${where} names ${JSON.stringify(path)}, which is not a path inside the repository.`)
}

function invalid(message: string): NexusError {
  return new NexusError('CONFIG_INVALID', message, {
    hint: 'To see where each value comes from, run `nexus config show --origin`',
  })
}

function splitList(text: string | undefined, separator: string): readonly string[] {
  return (text ?? '')
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
