/**
 * Mends a workspace after its places were changed by hand: follows a repository or worktree that was moved, links a worktree
 * that git forgot, takes the branch that is checked out. It looks at what is there and makes the record and git agree with it;
 * a second time it finds nothing to do. Files of the worktree are not touched.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { workspacePaths } from '../../core/paths.ts'
import { shellWord } from '../../core/shell.ts'
import type { LocalPart, WorkspaceRecord } from '../../core/workspace.ts'
import { readIfPresent, removeTree, writeFileAtomic } from '../../system/store.ts'
import { findAdminDir, isLinked, linkOf, type Repository, readBranch } from '../../tools/repository.ts'
import type { App } from '../app.ts'
import { type Drift, findDrift, findOwnAdmin, isEmpty, isReplaced, requirePlaces } from '../drift.ts'
import { lastCommit } from '../git/last-commit.ts'
import { markWorktree } from '../git/marker.ts'
import { relinkNested } from '../git/nested-worktrees.ts'
import * as ownGit from '../git/own-git.ts'
import { relinkSubmodules } from '../git/submodules.ts'
import { exclusively, withRepository } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import { claimName, requireFreeName } from './naming.ts'
import { renewFiles } from './renew.ts'

export interface RepairRequest {
  /** Where its repository is now; undefined for where it was. */
  readonly repo: Repository | undefined
  /** Where its worktree is now, absolute; undefined for where it was, or where git says. */
  readonly worktree: string | undefined
  readonly dryRun: boolean
}

export interface Repaired {
  /** As it is now; in a dry run as it would be. */
  readonly record: WorkspaceRecord
  /** What was (or would be) done; empty when nothing was wrong. */
  readonly done: readonly string[]
  /** What only a start can mend, or nobody; undefined when all is well. */
  readonly left?: Drift | undefined
}

export async function repairWorkspace(app: App, found: WorkspaceRecord, request: RepairRequest): Promise<Repaired> {
  const body = async (there: WorkspaceRecord | undefined): Promise<Repaired> => {
    const record = requireThere(there, found)
    if (record.local === null) return { record, done: [] }
    const { local: was } = record
    const placed = findPlaces({ ...record, local: was }, request)
    const { local: is } = placed
    const done = placed.repo === record.repo ? [] : [`the repository is ${placed.repo} now, not ${record.repo}`]
    if (is.worktree !== was.worktree) done.push(`the worktree is ${is.worktree} now, not ${was.worktree}`)
    await link(app, placed, request.dryRun, done)
    const now = await followBranch(app, placed, request.dryRun, done)
    const filed = hasFiles(app, record)
    if (!filed) done.push('generated files are written again')
    const left = done.length === 0 ? whatIsLeft(now) : undefined
    if (request.dryRun || done.length === 0) return { record: now, done, left }
    const moved = is.worktree !== was.worktree || is.gitDir !== was.gitDir
    const kept = await keep(app, record, now, moved, done)
    if (!filed && !moved) await renewFiles(app, kept)
    return { record: kept, done }
  }
  return exclusively(app, found.id, body, { dryRun: request.dryRun })
}

function whatIsLeft(record: WorkspaceRecord): Drift | undefined {
  const drift = findDrift(record)
  if (drift?.kind !== 'branch-gone') return drift
  const command = `git -C ${shellWord(record.repo)} branch ${shellWord(record.branch)} <commit>`
  return { ...drift, text: `${drift.text}, and git knows none of its commits any more`, command }
}

/** A workspace that was started once has them. */
function hasFiles(app: App, { id, hostKeyFingerprint }: WorkspaceRecord): boolean {
  const { composeFile, sshConfig } = workspacePaths(app.home, id)
  return hostKeyFingerprint === null || (existsSync(composeFile) && existsSync(sshConfig))
}

type Placed = WorkspaceRecord & { readonly local: LocalPart }

/** @throws {NexusError} INVALID_ARGUMENT for a repository or folder that is not the workspace's; REPOSITORY_NOT_FOUND */
function findPlaces(record: Placed, request: RepairRequest): Placed {
  const { worktree, gitDir } = record.local
  const repo = request.repo ?? { root: record.repo, gitDir }
  if (!existsSync(repo.gitDir)) {
    throw new NexusError('REPOSITORY_NOT_FOUND', `The repository ${record.repo} of ${record.name} is gone.`, {
      hint: `To tell where it is now, run \`nexus repair ${record.name} --repo <path>\``,
    })
  }
  const admin = findOwnAdmin(record, repo.gitDir)
  if (repo.gitDir !== gitDir && admin === undefined) {
    throw new NexusError('INVALID_ARGUMENT', `${repo.root} has no worktree of workspace ${record.name}.`, {
      hint: `To see its worktrees, run \`git -C ${shellWord(repo.root)} worktree list\``,
    })
  }
  const inside = worktree.startsWith(`${record.repo}/`)
  const along = inside ? join(repo.root, worktree.slice(record.repo.length)) : worktree
  const candidates = [along, ...(admin === undefined ? [] : [admin.worktree])]
  const there = request.worktree ?? candidates.find((path) => !isEmpty(path)) ?? along
  if (request.worktree !== undefined) requireOwnFolder(record, request.worktree, admin?.path)
  return { ...record, repo: repo.root, local: { ...record.local, gitDir: repo.gitDir, worktree: there } }
}

/** A folder that was moved by hand still names the workspace's part of the git dir. */
function requireOwnFolder({ name }: WorkspaceRecord, folder: string, admin: string | undefined): void {
  const base = admin?.split('/').at(-1)
  const named = linkOf(folder)?.split('/').at(-1)
  if (base !== undefined && named === base) return
  throw new NexusError('INVALID_ARGUMENT', `${folder} is not the worktree of workspace ${name}.`, {
    hint: `To see what it is, run \`cat ${shellWord(join(folder, '.git'))}\``,
  })
}

/** Git and the worktree lead to each other again. A worktree that is not there is made again by the next start. */
async function link(app: App, placed: Placed, dryRun: boolean, done: string[]): Promise<void> {
  const { worktree, gitDir } = placed.local
  const isWhole = () => isLinked(gitDir, worktree) && findAdminDir(gitDir, worktree) !== undefined
  if (isWhole() || isEmpty(worktree)) return
  // it would be registered where it does not belong
  if (isReplaced(placed)) requirePlaces(app, placed)
  if (existsSync(join(worktree, '.git', 'HEAD'))) {
    throw new NexusError('GIT_ERROR', `${worktree} is a repository of its own now, no worktree of ${placed.repo}.`, {
      hint: `To keep its files and be rid of the workspace, run \`nexus delete ${placed.name} --force\``,
    })
  }
  done.push(`git and the worktree ${worktree} lead to each other again`)
  if (dryRun) return
  await withRepository(app, gitDir, async () => {
    await app.git.repairWorktree(placed.repo, worktree)
    if (!isWhole()) await register(app, placed)
  })
}

/** Git forgot the worktree: it gets a new part of the git dir, and an index of what HEAD says. */
async function register(app: App, { repo, local: { worktree }, branch, base }: Placed): Promise<void> {
  const beside = `${worktree}.nexus-repair`
  const there = await app.git.findCommit(repo, `refs/heads/${branch}`)
  const target = { name: branch, create: there === undefined && base !== null, commit: base ?? '', again: true }
  await app.git.addWorktree(repo, beside, target, 'other')
  const text = (await readIfPresent(join(beside, '.git'))) ?? ''
  await writeFileAtomic(join(worktree, '.git'), text, 0o644)
  await removeTree(beside)
  await app.git.repairWorktree(repo, worktree)
  await app.git.readHead(worktree)
}

/** The branch that is checked out is the workspace's; one of its own that was deleted is made again where it was. */
async function followBranch(app: App, placed: Placed, dryRun: boolean, done: string[]): Promise<Placed> {
  const { repo, branch, local } = placed
  const now = readBranch(local.worktree)
  if (now === undefined || now === null) return placed
  if (now !== branch) {
    done.push(`it works on branch ${now} now, not on ${branch}`)
    return { ...placed, branch: now, branchCreated: false, base: null }
  }
  if (!existsSync(local.gitDir) || (await app.git.findCommit(repo, `refs/heads/${branch}`)) !== undefined) return placed
  const commit = await lastCommit(app, placed)
  if (commit === undefined) return placed
  done.push(`branch ${branch} was deleted and is made again at ${commit.slice(0, 10)}`)
  // its log, which told whose it was, is gone with it
  const why = 'nexus: taken from its last commit'
  if (!dryRun) await withRepository(app, local.gitDir, () => app.git.makeBranch(repo, branch, commit, why))
  return placed
}

/** Saved last, so that what is cut short is seen, and done again. */
async function keep(app: App, was: WorkspaceRecord, now: Placed, moved: boolean, done: string[]) {
  await markWorktree(now)
  if (!moved) return claimName(app, now)
  await requireFreeName(app, now)
  const { gitDir, worktree } = now.local
  const admin = findAdminDir(gitDir, worktree)
  if (admin !== undefined) await relinkSubmodules(app, admin.path, worktree)
  const before = was.local === null ? [] : [was.local.worktree]
  await withRepository(app, gitDir, () => relinkNested(app, { root: now.repo, gitDir }, before, worktree))
  const backend = await app.backend(was.backend)
  // what runs has the old places mounted
  if (await backend.lifecycle.dismantle(was)) {
    done.push('its containers are made anew by the next start; its volumes stay')
  }
  const saved = await claimName(app, { ...now, desired: 'stopped' })
  await ownGit.follow(app, saved)
  await renewFiles(app, saved)
  return saved
}
