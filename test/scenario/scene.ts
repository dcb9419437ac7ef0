/**
 * What a scenario plays in: a home, a repository and the built nexus as a process. Closing a scene deletes what Nexus
 * made through Nexus itself, removes its images, and fails when anything of its instance is left on the engine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { ErrorBody } from '../../lib/core/errors.ts'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { runNexus } from '../support/cli.ts'
import { type ProcessOptions, type ProcessResult, runProcess } from '../support/process.ts'
import { assert } from '../support/suite.ts'
import { type Files, tempDir, writeFiles } from '../support/temp.ts'

/** One scenario may build an image from the cache, create, and delete. */
export const LIMIT_MS = 120_000

export interface Repo {
  readonly path: string
  /** stdout without the final line break. @throws {Error} with git's words */
  git(...args: string[]): Promise<string>
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<ProcessResult>
  /** What it has said until now. */
  stdout(): string
  stderr(): string
}

export interface Scene extends AsyncDisposable {
  /** Holds `home` and, unless one was given, the repository. */
  readonly root: string
  readonly home: string
  readonly repo: Repo
  run(args: readonly string[], options?: ProcessOptions): Promise<ProcessResult>
  /** stdout. @throws {Error} when the exit code is not 0 */
  ok(args: readonly string[], options?: ProcessOptions): Promise<string>
  /** The answer of `up --json`. */
  up(name: string, ...args: string[]): Promise<WorkspaceResource>
  list(...args: string[]): Promise<readonly WorkspaceResource[]>
  /** The stdout of a command inside. */
  inside(name: string, ...argv: string[]): Promise<string>
  /** Asserts this exit code and error code, one sentence and a hint. */
  refused(args: readonly string[], exit: number, code: string, options?: ProcessOptions): Promise<ErrorBody['error']>
  /** nexus in the background. */
  start(args: readonly string[]): Running
  /** All that a create makes, to be compared: records, leases, worktrees, branches, Docker objects. */
  made(): Promise<Made>
}

export interface Made {
  readonly records: readonly string[]
  readonly leases: number
  readonly worktrees: string
  readonly folders: readonly string[]
  readonly branches: string
  readonly docker: readonly string[]
}

export interface SceneOptions {
  readonly files?: Files
  /** Folder name of the repository. */
  readonly folder?: string
  readonly repo?: Repo
  /** Default: a fresh folder in TMPDIR. */
  readonly parent?: string
  /** Plays as this user, in a folder of the user's own. */
  readonly user?: ScenePlayer
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface ScenePlayer {
  readonly folder: string
  readonly program: readonly string[]
  own(path: string): Promise<void>
}

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const { user } = options
  const dir = await tempDir(options.parent ?? user?.folder)
  const home = join(dir.path, 'home')
  await mkdir(home, { mode: 0o700 })
  const repo = options.repo ?? (await makeRepo(join(dir.path, options.folder ?? 'repo'), options.files))
  await user?.own(dir.path)
  const environment = (extra: ProcessOptions) => ({
    ...(user === undefined ? {} : { TMPDIR: user.folder }),
    ...options.env,
    ...extra.env,
  })

  function run(args: readonly string[], extra: ProcessOptions = {}): Promise<ProcessResult> {
    const all = { cwd: repo.path, timeoutMs: LIMIT_MS, ...extra, env: environment(extra) }
    if (user === undefined) return runNexus(args, { home, ...all })
    const env = { HOME: home, NEXUS_HOME: join(home, '.nexus'), ...all.env }
    return runProcess([...user.program, ...args], { ...all, env })
  }

  async function ok(args: readonly string[], extra: ProcessOptions = {}): Promise<string> {
    const result = await run(args, extra)
    assert.is(result.code, 0, `nexus ${args.join(' ')} ended with ${result.code}\n${result.stdout}${result.stderr}`)
    return result.stdout
  }

  async function refused(args: readonly string[], exit: number, code: string, extra: ProcessOptions = {}) {
    const [word = '', ...others] = args
    const result = await run([word, '--json', ...others], extra)
    const said = `nexus ${args.join(' ')}: ${result.stdout}${result.stderr}`
    assert.is(result.code, exit, said)
    const { error } = JSON.parse(result.stdout) as ErrorBody
    assert.is(error.code, code, said)
    assert.match(error.message, /^[^\n]+\.$/, said)
    assert.ok((error.hint ?? '').length > 0, `no hint: ${said}`)
    return error
  }

  function start(args: readonly string[]): Running {
    const program = user?.program ?? [process.execPath, join(process.cwd(), 'dist', 'nexus.js')]
    const env = { ...process.env, HOME: home, NEXUS_HOME: join(home, '.nexus'), ...options.env }
    return startProcess([...program, ...args], { cwd: repo.path, env })
  }

  async function made(): Promise<Made> {
    const state = join(home, '.nexus', 'state', 'ports.json')
    const file = existsSync(state)
      ? (JSON.parse(await readFile(state, 'utf8')) as { leases: readonly unknown[] })
      : null
    const folder = join(repo.path, '.worktree')
    return {
      records: await listFolder(join(home, '.nexus', 'workspaces')),
      leases: file?.leases.length ?? 0,
      worktrees: await repo.git('worktree', 'list', '--porcelain').catch(() => ''),
      folders: await listFolder(folder),
      // what deletes with --force left in the trash is meant to stay
      branches: await repo.git('for-each-ref', 'refs/heads', 'refs/nexus').then(withoutTrash, () => ''),
      docker: await listParts(home),
    }
  }

  async function list(...args: string[]): Promise<readonly WorkspaceResource[]> {
    return (JSON.parse(await ok(['list', '--json', ...args])) as { workspaces: WorkspaceResource[] }).workspaces
  }

  async function close(): Promise<void> {
    const problems: string[] = []
    try {
      for (const { id } of await list('--all')) await ok(['delete', id, '--force', '--delete-branch', '--no-trash'])
      if ((await listFolder(join(home, '.nexus', 'trash'))).length > 0) await ok(['trash', 'empty'])
    } catch (error) {
      problems.push(String(error))
    }
    problems.push(...(await cleanEngine(home)))
    await dir[Symbol.asyncDispose]()
    if (problems.length > 0) throw new Error(`the scene did not end clean:\n${problems.join('\n')}`)
  }

  return {
    root: dir.path,
    home,
    repo,
    run,
    ok,
    refused,
    start,
    made,
    list,
    up: async (name, ...args) => JSON.parse(await ok(['up', name, '--json', ...args])) as WorkspaceResource,
    inside: (name, ...argv) => ok(['exec', name, '--', ...argv]),
    [Symbol.asyncDispose]: close,
  }
}

/** What deletes with --force left in the trash is meant to stay, with the refs that hold what a git dir there borrows. */
function withoutTrash(refs: string): string {
  const trashed = [...refs.matchAll(/refs\/nexus\/trash\/(ws-\w+)-/g)].map(([, id]) => id)
  const isKept = (line: string) =>
    trashed.some((id) => new RegExp(`refs/nexus/${id}/(base/\\d+|host|synced)$`).test(line))
  return refs
    .split('\n')
    .filter((line) => !line.includes('refs/nexus/trash/') && !isKept(line))
    .join('\n')
}

async function listFolder(path: string): Promise<readonly string[]> {
  return existsSync(path) ? (await readdir(path)).sort() : []
}

/** Runs something in the background; whoever starts it waits for `ended`. */
export function startProcess(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly input?: 'pipe' } = {},
): Running {
  const [program = '', ...args] = argv
  const { input, ...others } = options
  const child = spawn(program, args, { ...others, stdio: [input ?? 'ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  const ended = new Promise<ProcessResult>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) =>
      done({ ...output, code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
    )
  })
  return { child, ended, stdout: () => output.stdout, stderr: () => output.stderr }
}

/** A repository with an identity of its own on branch `main`. */
export async function makeRepo(path: string, files: Files = { 'README.md': '# A project\n' }): Promise<Repo> {
  await mkdir(path, { recursive: true })
  const repo = openRepo(path)
  await repo.git('init', '--quiet', '--initial-branch=main')
  await identify(repo)
  await writeFiles(path, files)
  await repo.git('add', '--all')
  await repo.git('commit', '--quiet', '--allow-empty', '--message', 'first')
  return repo
}

export async function identify(repo: Repo): Promise<void> {
  const settings = {
    'user.name': 'Test',
    'user.email': 'test@example.invalid',
    'gc.auto': '0',
    'maintenance.auto': 'false',
  }
  for (const [key, value] of Object.entries(settings)) await repo.git('config', key, value)
}

export function openRepo(path: string): Repo {
  const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' }
  const git = async (...args: string[]) => {
    const argv = ['git', '-c', 'safe.directory=*', '-c', 'protocol.file.allow=always', ...args]
    return (await must(argv, { cwd: path, env })).replace(/\n$/, '')
  }
  return { path, git }
}

/** stdout of a program that has to succeed. */
export async function must(argv: readonly string[], options: ProcessOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runProcess(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with code ${code}\n${stdout}${stderr}`)
  return stdout
}

async function instanceOf(home: string): Promise<string | undefined> {
  const file = join(home, '.nexus', 'state', 'instance')
  return existsSync(file) ? (await readFile(file, 'utf8')).trim() : undefined
}

const KINDS = { container: ['ps', '-a'], network: ['network', 'ls'], volume: ['volume', 'ls'] } as const

/** Containers, networks and volumes of this home's instance. */
export async function listParts(home: string): Promise<readonly string[]> {
  const instance = await instanceOf(home)
  if (instance === undefined) return []
  const found = await Promise.all(
    Object.entries(KINDS).map(async ([kind, words]) => {
      const ids = await must(['docker', ...words, '-q', '--filter', `label=dev.nexus.instance=${instance}`])
      return ids.split('\n').flatMap((id) => (id === '' ? [] : [`${kind} ${id}`]))
    }),
  )
  // the data that deletes keep in the trash is meant to stay
  const kept = new Set((await listTrash(home)).flatMap(({ data = [] }) => data.map(({ volume }) => `volume ${volume}`)))
  return found
    .flat()
    .filter((part) => !kept.has(part))
    .sort()
}

export interface TrashNote {
  readonly key: string
  readonly files: string | null
  readonly data?: readonly { readonly what: string; readonly bytes: number | null; readonly volume?: string }[]
}

/** The notes of a home's trash. */
export async function listTrash(home: string): Promise<readonly TrashNote[]> {
  const folder = join(home, '.nexus', 'trash')
  const notes = (await listFolder(folder)).map((key) => readFile(join(folder, key, 'entry.json'), 'utf8'))
  return (await Promise.all(notes)).map((text) => JSON.parse(text) as TrashNote)
}

async function listImages(instance: string): Promise<readonly string[]> {
  const ids = await must(['docker', 'image', 'ls', '-q', '--filter', `label=dev.nexus.instance=${instance}`])
  return [...new Set(ids.split('\n').filter(Boolean))]
}

/** Removes the images of a home, and whatever else is left there, which is named: it should not have been there. */
export async function cleanEngine(home: string): Promise<readonly string[]> {
  const instance = await instanceOf(home)
  if (instance === undefined) return []
  const left = await listParts(home)
  for (const part of left) {
    const [kind = '', id = ''] = part.split(' ')
    await runProcess(['docker', kind, 'rm', ...(kind === 'network' ? [] : ['-f']), id])
  }
  const images = await listImages(instance)
  if (images.length > 0) await must(['docker', 'image', 'rm', ...images])
  const still = [...(await listParts(home)), ...(await listImages(instance)).map((id) => `image ${id}`)]
  return [...left.map((part) => `left by delete: ${part}`), ...still.map((part) => `cannot be removed: ${part}`)]
}

/** A scene with the running workspace `demo`; closed again when that fails. */
export async function openDemo(options: SceneOptions & { readonly args?: readonly string[] } = {}): Promise<Scene> {
  const scene = await openScene(options)
  try {
    await scene.up('demo', ...(options.args ?? []))
    return scene
  } catch (error) {
    await scene[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * One scene for tests of a file that do not get into each other's way: to make a workspace costs more than most of what is asked
 * of it. The first one opens it; `close` is the last test, so that what is left is found as ever.
 */
export function shareScene(open: () => Promise<Scene>) {
  let opened: Promise<Scene> | undefined
  return {
    get: (): Promise<Scene> => {
      opened ??= open()
      return opened
    },
    close: async (): Promise<void> => (await opened)?.[Symbol.asyncDispose](),
  }
}

/** A commit of long ago. */
export function commitLongAgo(worktree: string, message: string): Promise<unknown> {
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid']
  const commit = ['commit', '--quiet', '--message', message]
  return must(['env', 'GIT_COMMITTER_DATE=2020-01-01T00:00:00Z', 'git', ...who, '-C', worktree, ...commit])
}

/** As if nobody had touched a workspace since long ago. */
export async function leaveAlone(scene: Scene, id: string, worktree: string): Promise<void> {
  const home = join(scene.home, '.nexus')
  const note = join(home, 'workspaces', id, 'workspace.json')
  const record = JSON.parse(await readFile(note, 'utf8'))
  await writeFile(note, JSON.stringify({ ...record, createdAt: '2020-01-01T00:00:00Z' }))
  const admin = await scene.repo.git('-C', worktree, 'rev-parse', '--absolute-git-dir')
  const files = [note, worktree, join(admin, 'index'), join(admin, 'logs', 'HEAD'), join(home, 'run', 'activity', id)]
  for (const path of files.filter((one) => existsSync(one))) await utimes(path, 0, 0)
}
