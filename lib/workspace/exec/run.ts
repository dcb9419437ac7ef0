/**
 * A throw-away workspace for one command: created, used, removed, whatever happens in between. A guard process removes it when
 * ours is killed. Commits that the command made are never lost silently: they are named, with the command that keeps them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { isAbsolute, join, normalize, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { isWithin } from '../../stack/places.ts'
import { realPathOf } from '../../system/real-path.ts'
import { copyTree, makeFolder } from '../../system/store.ts'
import { isMarked } from '../../tools/git-marked.ts'
import type { Repository } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { repositoryOf } from '../current-branch.ts'
import { bringUp } from '../lifecycle/up.ts'
import { deleteWorkspace } from '../trash/delete.ts'
import { exec } from './inside.ts'

export interface RunRequest {
  readonly repo: Repository
  readonly argv: readonly string[]
  /** Default: `run-` and eight letters. */
  readonly name: string | undefined
  readonly from: string | undefined
  readonly env: readonly string[]
  readonly keepOnFailure: boolean
  /** Paths in the worktree that are copied to `folder` afterwards. */
  readonly artifacts: readonly string[]
  readonly folder: string
  /** Folder or registry that keeps images and built layers from one machine to the next. */
  readonly imageCache: string | undefined
  /** How this very program is started, for the guard. */
  readonly self: readonly string[]
}

export interface RunOutcome {
  /** The command's own exit code. */
  readonly exitCode: number
  /** The workspace, when it was kept. */
  readonly kept: WorkspaceRecord | null
}

/** @throws {NexusError} as `up` and `delete` do; INVALID_ARGUMENT for an artifact outside the worktree */
export async function runOnce(app: App, request: RunRequest): Promise<RunOutcome> {
  const artifacts = request.artifacts.map(requireInside)
  await tellUncommitted(app, request.repo)
  const name =
    request.name ?? `run-${[...randomBytes(8)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('')}`
  await makeFolder(app.home.logs)
  const removal = ['delete', name, '--repo', request.repo.root, '--force', '--no-trash', '--delete-branch', '--quiet']
  if (app.noHooks === true) removal.push('--no-hooks')
  const guard = app.runner.guard([...request.self, ...removal], join(app.home.logs, 'run.log'))
  try {
    return await runIn(app, name, request, artifacts)
  } finally {
    guard.dismiss()
  }
}

async function runIn(app: App, name: string, request: RunRequest, artifacts: readonly string[]): Promise<RunOutcome> {
  const began = performance.now()
  const { record } = await bringUp(app, {
    given: name,
    repo: request.repo,
    existing: undefined,
    from: request.from,
    env: request.env,
    imageCache: request.imageCache === undefined ? undefined : cachePlace(request.imageCache, request.folder),
    start: true,
    dryRun: false,
  })
  app.emit({ type: 'notice', text: `${name} runs after ${seconds(began)} s: ${request.argv.join(' ')}` })
  let interrupted: Error | undefined
  let exitCode: number | undefined
  try {
    const onInterrupt = (reason: Error) => {
      interrupted = reason
    }
    const wish = { argv: request.argv, cwd: null, env: {}, tty: false }
    // what goes then is the workspace
    exitCode = await app.interruption.undoable(async () => {
      const code = await exec(app, record, wish, (command) => app.interruption.delegate(onInterrupt, command))
      await copyArtifacts(app, record, artifacts, request.folder)
      return code
    })
  } finally {
    if (app.interruption.signal.aborted) {
      interrupted = app.interruption.signal.reason
      app.interruption.reset()
    }
    const failed = exitCode !== 0 && interrupted === undefined
    if (failed && request.keepOnFailure) tellKept(app, record)
    else await removeAll(app, record)
  }
  if (interrupted !== undefined) throw interrupted
  const kept = exitCode !== 0 && request.keepOnFailure ? record : null
  app.emit({ type: 'notice', text: `${name} ended with code ${exitCode} after ${seconds(began)} s` })
  return { exitCode, kept }
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1)
}

function requireInside(path: string): string {
  const clean = normalize(path).replace(/\/+$/, '')
  if (!isAbsolute(path) && clean !== '' && clean !== '..' && !clean.startsWith('../') && clean !== '.git') return clean
  throw new NexusError('INVALID_ARGUMENT', `--artifact ${JSON.stringify(path)} is not a path inside the worktree.`, {
    hint: 'To keep a report, use `--artifact build/report.xml`',
  })
}

/** What is not committed is not part of a throw-away workspace. */
async function tellUncommitted(app: App, repo: Repository): Promise<void> {
  const changes = (await app.inertGit.listChanges(repo)).filter((line) => !isMarked(line))
  if (changes.length === 0) return
  const what = changes.length === 1 ? 'a change' : `${changes.length} changes`
  app.emit({ type: 'notice', text: `${what} in ${repo.worktree} that is not committed takes no part` })
}

async function copyArtifacts(
  app: App,
  record: WorkspaceRecord,
  paths: readonly string[],
  folder: string,
): Promise<void> {
  for (const path of paths) {
    const top = record.local?.worktree ?? ''
    const from = join(top, path)
    const real = realPathOf(from)
    if (!existsSync(from)) app.emit({ type: 'warning', text: `the artifact ${path} is not there` })
    // the command may have left a link to a file of this machine
    else if (real === undefined || !isWithin(real, realPathOf(top) ?? top)) {
      app.emit({ type: 'warning', text: `the artifact ${path} leads out of the worktree and is not copied` })
    } else await copyTree(from, join(folder, path))
  }
}

/**
 * As Docker tells them apart: what begins with a host (it has a dot or a port, or is localhost) is a registry's repository,
 * unless it is a path by its looks or a folder that is there.
 * @throws {NexusError} INVALID_ARGUMENT for a repository that no registry takes
 */
export function cachePlace(given: string, cwd: string): string {
  const [host = '', ...path] = given.replace(/\/+$/, '').split('/')
  const folder = resolve(cwd, given)
  if (/^[./~]/.test(given) || existsSync(folder) || !/[.:]|^localhost$/.test(host)) return folder
  if (path.length > 0 && path.every((part) => /^[a-z0-9]+([._-]+[a-z0-9]+)*$/.test(part)))
    return [host, ...path].join('/')
  throw new NexusError(
    'INVALID_ARGUMENT',
    `--image-cache ${JSON.stringify(given)} is neither a folder nor a repository of a registry, such as ${host}/team/nexus.`,
    { hint: `To use a folder of that name, run \`nexus run --image-cache ./${given} -- <command>\`` },
  )
}

function tellKept(app: App, { name }: WorkspaceRecord): void {
  const hint = `To look around, run \`nexus ssh ${name}\`; to remove it, \`nexus delete ${name} --force\``
  app.emit({ type: 'warning', text: `workspace ${name} is kept, as its command failed`, hint })
}

async function removeAll(app: App, record: WorkspaceRecord): Promise<void> {
  await tellCommits(app, record)
  await deleteWorkspace(app, record, { force: true, locked: true, deleteBranch: true, dryRun: false, trash: false })
}

/** The objects stay in the repository until git collects them. */
async function tellCommits(app: App, record: WorkspaceRecord): Promise<void> {
  const { repo, base, name } = record
  const repository = repositoryOf(record)
  if (repository === undefined || base === null || !existsSync(repository.worktree)) return
  const commits = await app.inertGit.listCommits(repository, base, 'HEAD')
  const last = commits.at(-1)?.split(' ')[0]
  if (last === undefined) return
  const text = `the command made ${commits.length === 1 ? 'a commit' : `${commits.length} commits`}, now on no branch: ${commits.join(', ')}`
  app.emit({ type: 'warning', text, hint: `To keep them, run \`git -C ${repo} branch ${name} ${last}\`` })
}
