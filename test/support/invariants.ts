/**
 * What holds whenever no Nexus runs: the whole state of one home and one repository is looked at from outside, by reading files
 * and asking git and docker, not by asking Nexus. `checkInvariants` names everything that is wrong at once.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { worktreeOf } from '../../lib/core/record-parts.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { TEMPORARY_SUFFIX } from '../../lib/system/temporary.ts'
import { runProcess } from './process.ts'

export interface World {
  /** NEXUS_HOME. */
  readonly home: string
  /** Main worktree. */
  readonly repo: string
  readonly backend: 'docker' | 'mock'
}

const LABELS = ['dev.nexus.workspace', 'dev.nexus.instance', 'dev.nexus.cache'].map((name) => `{{.Label "${name}"}}`)

/**
 * @param asWanted false after a command that failed and said so: then a workspace need not be in the state that was wanted of it
 * @throws {Error} with a line for each invariant that is broken
 */
export async function checkInvariants(world: World, userFiles?: string, asWanted = true): Promise<void> {
  const records = readRecords(world)
  const problems = [
    ...checkFiles(world),
    ...records.flatMap((record) => checkRecord(record)),
    ...checkLeases(world, records),
    ...(await checkGit(world, records)),
    ...(world.backend === 'docker' ? await checkDocker(world, records, asWanted) : checkMock(world, records, asWanted)),
  ]
  if (userFiles !== undefined && (await readUserFiles(world)) !== userFiles)
    problems.push("a file of the user's changed")
  if (problems.length > 0) throw new Error(`broken invariants:\n  ${problems.join('\n  ')}`)
}

/** All state, to be compared: what a second repair must not change. */
export async function takeSnapshot(world: World): Promise<string> {
  const state = ['ports.json', 'subnets.json', 'mock.json'].map((name) => readText(join(world.home, 'state', name)))
  const parts = world.backend === 'docker' ? await listParts(world) : []
  const git = await Promise.all([readGit(world, 'worktree', 'list', '--porcelain'), readGit(world, 'for-each-ref')])
  return JSON.stringify([readRecords(world), state, parts, git], null, 1)
}

/** The main worktree as its owner left it: content, index, stash, configuration. */
export async function readUserFiles(world: World): Promise<string> {
  const git = await Promise.all(
    [
      ['status', '--porcelain', '--ignored'],
      ['stash', 'list'],
      ['rev-parse', 'HEAD'],
      ['ls-files', '--stage'],
    ].map((args) => readGit(world, ...args)),
  )
  const names = readdirSync(world.repo, { withFileTypes: true }).filter((entry) => entry.isFile())
  const texts = names.map(({ name }) => `${name}\0${readText(join(world.repo, name))}`).sort()
  const own = git.map((text) => text.replace(/^!! \.worktree\/\n?/m, ''))
  return digest([...own, ...texts, readText(join(world.repo, '.git', 'config'))].join('\0'))
}

export function readRecords({ home }: World): readonly WorkspaceRecord[] {
  return listFolder(join(home, 'workspaces')).flatMap((id) => {
    const text = readText(join(home, 'workspaces', id, 'workspace.json'))
    return text === '' ? [] : [JSON.parse(text) as WorkspaceRecord]
  })
}

function checkFiles({ home, repo }: World): readonly string[] {
  const files = [...listTree(home), ...listTree(join(repo, '.worktree'))]
  const temporary = files.filter((file) => TEMPORARY_SUFFIX.test(file)).map((file) => `temporary file ${file}`)
  const invalid = files
    .filter((file) => file.startsWith(home) && file.endsWith('.json') && !isJson(readText(file)))
    .map((file) => `no JSON: ${file}`)
  const damaged = files.filter((file) => /\.damaged-\d+$/.test(file)).map((file) => `was damaged: ${file}`)
  const folders = listFolder(join(home, 'workspaces'))
  const bare = folders.filter((id) => !existsSync(join(home, 'workspaces', id, 'workspace.json')))
  const locks = listFolder(join(repo, '.git')).filter((name) => name.endsWith('.lock'))
  return [
    ...temporary,
    ...invalid,
    ...damaged,
    ...bare.map((id) => `workspaces/${id} has no record`),
    ...locks.map((name) => `.git/${name} is left`),
  ]
}

function checkRecord({ name, operation, local, ports, backend }: WorkspaceRecord): readonly string[] {
  const worktree = local?.worktree
  const problems: string[] = []
  if (operation !== null) problems.push(`${name}: ${operation.kind} is not finished (${operation.step})`)
  if (worktree !== undefined && !existsSync(join(worktree, '.git'))) problems.push(`${name}: no worktree ${worktree}`)
  if (backend === 'docker' && ports.some(({ host }) => host === null)) problems.push(`${name}: a port without a lease`)
  return problems
}

interface LeaseState {
  readonly leases: readonly { readonly workspace: string; readonly base?: number; readonly cidr?: string }[]
}

function checkLeases({ home }: World, records: readonly WorkspaceRecord[]): readonly string[] {
  return ['ports.json', 'subnets.json'].flatMap((file) => {
    const text = readText(join(home, 'state', file))
    const { leases } = text === '' ? { leases: [] } : (JSON.parse(text) as LeaseState)
    const keys = leases.map(({ base, cidr }) => String(base ?? cidr))
    const twice = keys.filter((key, i) => keys.indexOf(key) !== i)
    const loose = leases.filter(({ workspace }) => records.every(({ id }) => id !== workspace))
    const missing = records.flatMap(({ id, name, ports, subnets = [] }) => {
      const own = leases.filter(({ workspace }) => workspace === id)
      const hosts = ports.flatMap(({ host }) => (host === null ? [] : [host]))
      const uncovered = hosts.filter((host) => !own.some(({ base = 0 }) => host >= base && host < base + 10))
      const unleased = subnets.filter((cidr) => !own.some((lease) => lease.cidr === cidr))
      return file === 'ports.json'
        ? uncovered.map((host) => `${name}: port ${host} is not leased`)
        : unleased.map((cidr) => `${name}: subnet ${cidr} is not leased`)
    })
    return [
      ...twice.map((key) => `${file}: ${key} is leased twice`),
      ...loose.map(({ workspace }) => `${file}: a lease of ${workspace}, which is no workspace`),
      ...missing,
    ]
  })
}

async function checkGit(world: World, records: readonly WorkspaceRecord[]): Promise<readonly string[]> {
  const wanted = new Set(records.map(worktreeOf))
  const branches = new Set(records.map(({ branch }) => branch))
  const entries = (await readGit(world, 'worktree', 'list', '--porcelain')).split('\n\n').filter(Boolean)
  const linked = entries.filter((entry) => !entry.startsWith(`worktree ${realpathSync(world.repo)}\n`))
  const stray = linked.filter((entry) => !wanted.has(/^worktree (.*)$/m.exec(entry)?.[1] ?? ''))
  const broken = linked.filter((entry) => /^(locked|prunable)/m.test(entry))
  const unregistered = [...wanted].filter((path) => path !== null && !linked.some((one) => one.includes(`${path}\n`)))
  const names = (await readGit(world, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/nexus')).split('\n')
  const folders = listFolder(join(world.repo, '.worktree')).filter(
    (name) => !wanted.has(join(world.repo, '.worktree', name)),
  )
  const admin = join(world.repo, '.git', 'worktrees')
  const locks = listFolder(admin).filter((name) => existsSync(join(admin, name, 'index.lock')))
  const dirty = await Promise.all(
    records.map(async (record) => {
      const { name } = record
      const worktree = worktreeOf(record)
      if (worktree === null || !existsSync(worktree)) return []
      const status = (await runGit(worktree, ['status', '--porcelain'])).replace(/^\?\? .*\n?/gm, '')
      return status === '' ? [] : [`${name}: its worktree is not as committed: ${status.trim()}`]
    }),
  )
  return [
    ...stray.map((entry) => `git worktree of no workspace: ${entry.split('\n')[0]}`),
    ...broken.map((entry) => `half-made git worktree: ${entry}`),
    ...unregistered.map((path) => `git does not know the worktree ${path}`),
    ...names.filter((name) => name !== '' && !branches.has(name)).map((name) => `branch of no workspace: ${name}`),
    ...folders.map((name) => `folder of no workspace: .worktree/${name}`),
    ...locks.map((name) => `index.lock in worktree ${name}`),
    ...dirty.flat(),
  ]
}

function checkMock({ home }: World, records: readonly WorkspaceRecord[], asWanted: boolean): readonly string[] {
  const text = readText(join(home, 'state', 'mock.json'))
  const { workspaces } = text === '' ? { workspaces: {} } : (JSON.parse(text) as { workspaces: Record<string, string> })
  const loose = Object.keys(workspaces).filter((id) => records.every((record) => record.id !== id))
  const folders = listFolder(join(home, 'cache', 'mock')).filter((id) => records.every((record) => record.id !== id))
  const wrong = records.filter(({ id, desired }) => asWanted && (workspaces[id] ?? 'stopped') !== desired)
  return [
    ...loose.map((id) => `mock: ${id} is no workspace`),
    ...folders.map((id) => `mock: folder of ${id}, which is no workspace`),
    ...wrong.map(({ id, name, desired }) => `${name} is ${workspaces[id]}, not ${desired}`),
  ]
}

const DOCKER_STATES: Readonly<Record<string, readonly string[]>> = {
  running: ['running'],
  paused: ['paused'],
  stopped: ['exited', 'created'],
}

async function checkDocker(
  world: World,
  records: readonly WorkspaceRecord[],
  asWanted: boolean,
): Promise<readonly string[]> {
  const parts = (await listParts(world)).map((line) => line.split('\t'))
  const trash = listFolder(join(world.home, 'trash'))
  const isKept = (kind = '', id = '') => kind === 'volume' && trash.some((key) => key.startsWith(`${id}-`))
  const loose = parts
    .filter(([, , id, , cache]) => cache === '' && records.every((record) => record.id !== id))
    .filter(([kind, , id]) => !isKept(kind, id))
  const wrong = records.flatMap(({ id, name, desired }) => {
    const states = parts.flatMap(([kind, , owner, , , state = '']) =>
      kind === 'container' && owner === id ? [state] : [],
    )
    const missing = desired !== 'stopped' && states.length === 0 ? [`${name} has no container`] : []
    const others = states.filter((state) => !DOCKER_STATES[desired]?.includes(state))
    return [...missing, ...others.map((state) => `${name}: a container is ${state}, not ${desired}`)]
  })
  return [
    ...loose.map(([kind, name, id]) => `${kind} ${name} of ${id}, which is no workspace`),
    ...(asWanted ? wrong : []),
  ]
}

/** `kind, name, workspace, instance, cache, state` with tabs between; networks and volumes have no state. */
async function listParts({ home }: World): Promise<readonly string[]> {
  const instance = readText(join(home, 'state', 'instance')).trim()
  if (instance === '') return []
  const list = async (kind: string, words: readonly string[], name: string, state: string) => {
    const format = [name, ...LABELS, state].join('\t')
    const filter = `label=dev.nexus.instance=${instance}`
    const { stdout } = await runProcess(['docker', ...words, '--filter', filter, '--format', format])
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [`${kind}\t${line}`]))
  }
  const found = await Promise.all([
    list('container', ['ps', '--all', '--no-trunc'], '{{.Names}}', '{{.State}}'),
    list('network', ['network', 'ls'], '{{.Name}}', ''),
    list('volume', ['volume', 'ls'], '{{.Name}}', ''),
  ])
  return found.flat().sort()
}

function readGit({ repo }: World, ...args: readonly string[]): Promise<string> {
  return runGit(repo, args)
}

async function runGit(folder: string, args: readonly string[]): Promise<string> {
  const env = { GIT_OPTIONAL_LOCKS: '0', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  const { code, stdout, stderr } = await runProcess(['git', '-c', 'safe.directory=*', '-C', folder, ...args], { env })
  if (code !== 0) throw new Error(`git ${args.join(' ')} in ${folder}: ${stderr}`)
  return stdout
}

function listTree(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : []
}

function listFolder(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

function readText(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
