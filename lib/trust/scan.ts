/**
 * Reads a project's compose files before `docker compose config` runs, because resolving already opens the files that
 * they name (env files, includes, extended files). Follows `include` and `extends`, reads only within the worktree,
 * starts no process. A path outside, a remote address and a text that cannot be foreseen are findings.
 *
 * Paths and variables are understood as compose does (compose-go's loader); where its versions differ, more is
 * reported.
 */
import { posix } from 'node:path'
import { readComposeYaml } from '../config/compose-yaml.ts'
import { readDotenv } from '../config/read.ts'
import { NexusError } from '../core/errors.ts'
import { parsePlainEnv } from '../stack/dotenv.ts'
import type { Finding } from '../stack/model.ts'
import { createPlaces, isRemote, type Places } from '../stack/places.ts'
import { directsHost } from '../stack/variables.ts'
import { requireReadable } from '../system/read.ts'
import { realPathOf } from '../system/real-path.ts'
import { build as buildRule } from './build-rules.ts'
import { makeModelFinding, sortFindings, withDigest } from './findings.ts'
import { interpolate, type Lookup } from './interpolate.ts'
import {
  type BuildReference,
  type IncludeReference,
  listReferences,
  openArguments,
  type Reference,
} from './references.ts'
import { listUnset, type PlacedUse } from './unset.ts'

export interface ScanRequest {
  /** Absolute path of the workspace's worktree. */
  readonly worktree: string
  /** Absolute path of the main worktree; it counts as outside. */
  readonly repo: string
  /** Absolute paths of the project's compose files, in their order. */
  readonly files: readonly string[]
  /** The variables that compose will see: its environment and the project's `.env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What compose gets as `--project-directory`; default: the folder of the first file, as compose has it. */
  readonly projectDirectory?: string
  /** Called with each file within the worktree, there or not, that the resolved model is made from: absolute paths. */
  readonly onInput?: (file: string) => void
  /** Called with each text that uses a variable which is not set. */
  readonly onUnset?: (use: PlacedUse) => void
  /** Called with each variable that a build argument without a value of its own is. */
  readonly onArgument?: (name: string) => void
}

const FILES_MAX = 100
const DEPTH_MAX = 20
const REFERENCES_MAX = 20_000
const ENV_FILE_MAX_BYTES = 16 * 1024 * 1024
const BUILD_FILE_MAX_BYTES = 4 * 1024 * 1024

/** One file on the way, with what its texts mean. */
interface Source {
  readonly file: string
  /** Where its relative paths begin. */
  readonly base: string
  readonly lookup: Lookup
  /** The env files behind `lookup`: the same file with others may name something else. */
  readonly envNames: readonly string[]
  readonly depth: number
}

interface Scan {
  readonly places: Places
  readonly home: string | undefined
  readonly seen: Set<string>
  readonly queue: Source[]
  references: number
  /** Compose starts git, or asks a registry. */
  fetches: boolean
  input(file: string): void
  argument(name: string): void
  unset(use: PlacedUse): void
  report(at: string, value: unknown, why: string): void
}

/**
 * Sorted by path; empty when `docker compose config` may run without being asked about.
 * @throws {NexusError} CONFIG_INVALID with file, line and column for broken YAML; with the file for one that is too large or
 *   that leads to too many
 */
export async function scanProjectFiles(request: ScanRequest): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const home = request.env.HOME
  const scan: Scan = {
    places: createPlaces({ ...request, home, realpath: realPathOf }),
    home,
    seen: new Set(),
    queue: [],
    references: 0,
    fetches: false,
    input: (file) => request.onInput?.(file),
    argument: (name) => request.onArgument?.(name),
    unset: (use) => request.onUnset?.(use),
    report: (at, value, why) => findings.push(makeModelFinding(at, value, why)),
  }
  const base = request.projectDirectory ?? posix.dirname(request.files[0] ?? `${request.worktree}/compose.yaml`)
  const envFiles = [...new Set([base, request.worktree])].map((folder) => `${folder}/.env`)
  for (const file of envFiles) await scanEnvFile(file, scan)
  const lookup = lookupIn(request.env)
  for (const file of request.files) enqueue({ file, base, lookup, envNames: [], depth: 0 }, 'compose file', scan)
  for (let source = scan.queue.shift(); source !== undefined; source = scan.queue.shift()) await scanFile(source, scan)
  if (scan.fetches) await scanFetchingEnv(`${base}/.env`, scan)
  return sortFindings(findings)
}

/** The caller of compose sets the project's name. */
function lookupIn(env: ScanRequest['env']): Lookup {
  return (name) =>
    (Object.hasOwn(env, name) ? env[name] : undefined) ?? (name === 'COMPOSE_PROJECT_NAME' ? null : undefined)
}

async function scanFile(source: Source, scan: Scan): Promise<void> {
  for (const document of (await readComposeYaml(source.file)) ?? []) {
    for (const name of openArguments(document)) scan.argument(name)
    for (const use of listUnset(document, source.lookup))
      scan.unset({ ...use, shown: scan.places.name(absolute(use.plain, source.base, scan)) })
    for (const reference of listReferences(document)) {
      scan.references++
      if (scan.references > REFERENCES_MAX) throw tooMuch(source.file, `names more than ${REFERENCES_MAX} files`)
      await scanReference(reference, source, scan)
    }
  }
}

async function scanReference(reference: Reference, source: Source, scan: Scan): Promise<void> {
  const { at } = reference
  switch (reference.kind) {
    case 'file': {
      const found = scanPath(reference.text, at, reference.verb, source, scan)
      if (!reference.resolved || found?.inside !== true) return
      // compose reads it itself, and would wait for a pipe
      requireReadable(found.path, ENV_FILE_MAX_BYTES)
      scan.input(found.path)
      return
    }
    case 'build':
      scanBuild(reference.build, at, source, scan)
      return
    case 'extends': {
      const file = scanLocal(reference.text, at, source, scan)
      if (file !== undefined) enqueue({ ...source, file, base: posix.dirname(file), depth: source.depth + 1 }, at, scan)
      return
    }
    case 'include':
      await scanInclude(reference.include, at, source, scan)
      return
    case 'never':
      scan.report(at, reference.value, reference.why)
      return
  }
}

/** With its variables; undefined, and a finding, where that cannot be told. */
function readable(text: string, at: string, { lookup }: Source, { report }: Scan): string | undefined {
  const plain = interpolate(text, lookup)
  if (plain === undefined) report(at, text, 'names a file by variables in a way that cannot be foreseen')
  return plain
}

interface Found {
  /** Absolute. */
  readonly path: string
  readonly inside: boolean
}

/** What a text names, with a finding when that lies outside; undefined, with a finding too, where it cannot be told. */
function scanPath(text: string, at: string, verb: string, source: Source, scan: Scan): Found | undefined {
  const plain = readable(text, at, source, scan)
  if (plain === undefined) return undefined
  const path = absolute(plain, source.base, scan)
  const place = scan.places.outside(path)
  if (place !== undefined) scan.report(at, place.value, `${verb} ${place.what}`)
  return { path: posix.normalize(path), inside: place === undefined }
}

/** A compose file to follow: one within the worktree. */
function scanLocal(text: string, at: string, source: Source, scan: Scan): string | undefined {
  const plain = interpolate(text, source.lookup)
  if (plain !== undefined && isRemote(plain)) {
    scan.report(at, plain, 'runs what is fetched from elsewhere')
    scan.fetches = true
    return undefined
  }
  const found = scanPath(text, at, 'reads', source, scan)
  return found?.inside === true ? found.path : undefined
}

/** Compose puts the home folder in place of any `~` that begins a path. */
function absolute(path: string, base: string, { home = '/' }: Scan): string {
  if (path.startsWith('~')) return `${home}/${path.slice(1)}`
  return path.startsWith('/') ? path : `${base}/${path}`
}

/** By the same rule as the resolved model, so that the user is not asked twice. */
function scanBuild(build: BuildReference, at: string, source: Source, scan: Scan): void {
  const local = (text: string, where: string) => {
    const plain = readable(text, where, source, scan)
    if (plain === undefined || isRemote(plain)) return plain
    return absolute(plain, source.base, scan)
  }
  const context = local(build.context, `${at}.context`)
  const dockerfile =
    build.dockerfile === undefined ? undefined : readable(build.dockerfile, `${at}.dockerfile`, source, scan)
  const additional = build.additional.map(([name, text]) => [name, local(text, `${at}.additional_contexts.${name}`)])
  const told = {
    ...(context === undefined ? { context: source.base } : { context }),
    ...(dockerfile === undefined || context === undefined ? {} : { dockerfile }),
    additional_contexts: Object.fromEntries(additional.filter(([, text]) => text !== undefined)),
    ssh: build.ssh,
  }
  buildRule(told, at, { places: scan.places, report: scan.report })
  // what the build's client reads itself
  if (context === undefined || isRemote(context)) return
  const file = posix.resolve(context, dockerfile ?? 'Dockerfile')
  const read = [file, `${file}.dockerignore`, posix.join(context, '.dockerignore')]
  for (const path of read) if (scan.places.outside(path) === undefined) requireReadable(path, BUILD_FILE_MAX_BYTES)
}

async function scanInclude(include: IncludeReference, at: string, source: Source, scan: Scan): Promise<void> {
  const files = include.paths.map((text) => scanLocal(text, at, source, scan))
  const given = include.projectDirectory
  const folder =
    given === undefined ? undefined : scanPath(given, `${at}.project_directory`, 'works in', source, scan)?.path
  // also where the folder lies outside: what the files name from there is to be told too
  const base = folder ?? posix.dirname(files[0] ?? `${source.base}/compose.yaml`)
  const named = include.envFiles.filter((text) => text !== '/dev/null')
  const envTexts = include.envFiles.length > 0 ? named : [`${base}/.env`]
  const envFiles = envTexts.map((text) => scanPath(text, `${at}.env_file`, 'reads', source, scan))
  for (const found of envFiles) if (found?.inside === true) scan.input(found.path)
  const lookup = await lookupBehind(source.lookup, envFiles)
  const envNames = [...new Set([...source.envNames, ...envFiles.map((found) => found?.path ?? '?')])]
  for (const file of files) {
    if (file !== undefined) enqueue({ file, base, lookup, envNames, depth: source.depth + 1 }, at, scan)
  }
}

/** Variables of outside come first, then those of the env files; a file that is not plain might set any. */
async function lookupBehind(outer: Lookup, files: readonly (Found | undefined)[]): Promise<Lookup> {
  const inner = new Map<string, string>()
  let foreseen = true
  for (const file of files) {
    const found = file?.inside === true ? parsePlainEnv(readDotenv(file.path) ?? '') : undefined
    foreseen &&= found !== undefined
    for (const [name, value] of found ?? []) inner.set(name, value)
  }
  return (name) => {
    const value = outer(name)
    if (value !== undefined) return value
    return foreseen ? inner.get(name) : null
  }
}

async function scanEnvFile(file: string, scan: Scan): Promise<void> {
  const place = scan.places.outside(file)
  if (place !== undefined) {
    scan.report('.env', place.value, `reads ${place.what}`)
    return
  }
  for (const line of (readDotenv(file) ?? '').split(/\r?\n/)) {
    const name = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:]/.exec(line)?.[1] ?? ''
    // its value may be a password
    if (directsHost(name)) scan.report('.env', name, 'directs Docker and other programs of this machine')
  }
}

/** Any variable may make a program run, so all of them are asked about; values are not shown. */
async function scanFetchingEnv(file: string, scan: Scan): Promise<void> {
  const text = scan.places.outside(file) === undefined ? (readDotenv(file) ?? '') : ''
  if (text === '') return
  scan.report('.env', withDigest('all variables', text), 'directs the git of this machine that fetches compose files')
}

function enqueue(source: Source, at: string, scan: Scan): void {
  const place = scan.places.outside(source.file)
  if (place !== undefined) {
    scan.report(at, place.value, `reads ${place.what}`)
    return
  }
  const key = [source.file, source.base, ...source.envNames].join('\0')
  if (scan.seen.has(key)) return
  scan.seen.add(key)
  if (scan.seen.size > FILES_MAX) throw tooMuch(source.file, `is one of more than ${FILES_MAX} compose files`)
  if (source.depth > DEPTH_MAX) throw tooMuch(source.file, `is included more than ${DEPTH_MAX} levels deep`)
  scan.input(source.file)
  scan.queue.push(source)
}

function tooMuch(file: string, what: string): NexusError {
  return new NexusError('CONFIG_INVALID', `${JSON.stringify(file)} ${what}.`, {
    hint: 'To see how compose resolves them, run `docker compose config --quiet`',
    details: { file },
  })
}
