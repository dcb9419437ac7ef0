/**
 * The worktree of a new workspace, and what comes into it after git has registered it: the commit's files, submodules, ignored
 * files of the main worktree, and what templates make of the workspace's ports.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../../config/load.ts'
import { lastLines, NexusError } from '../../core/errors.ts'
import { dockerOf, localOf, worktreeOf } from '../../core/record-parts.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { renderTemplates } from '../../project/env-template.ts'
import { createIgnoredFiles, type IgnoredRequest, INCLUDE_FILE } from '../../project/ignored-files.ts'
import { letGroupIn } from '../../system/modes.ts'
import { appendLineOnce, readIfPresent } from '../../system/store.ts'
import type { CheckedOut } from '../../tools/git-checkout.ts'
import { filtersIn, type Whose } from '../../tools/git-programs.ts'
import type { Submodule } from '../../tools/git-submodules.ts'
import type { App } from '../app.ts'
import { markWorktree } from '../git/marker.ts'
import * as ownGit from '../git/own-git.ts'
import { refuseForeign } from '../git/worktree-owner.ts'
import type { Progress } from '../operation/apply.ts'
import { withRepository } from '../operation/operate.ts'
import { templateValues } from '../stack/template-values.ts'
import type { Chosen } from '../trust/choice.ts'
import { STAND_IN } from '../trust/isolation.ts'
import type { Draft } from './draft.ts'
import { refuseRelativePrograms, whoseIs } from './origin.ts'
import type { Scene, Takes, UpCarried } from './up-context.ts'

/** A tree of a million files. */
const GIVE_TIMEOUT_MS = 10 * 60_000
/** Of what a hook says, the end. */
const HOOK_LINES = 3

/** The step `worktree`; with `again`, what an interrupted or deleted worktree of this workspace left at the path goes first. */
export async function makeWorktree(
  { app, draft, seen }: Scene,
  { record }: Takes<'record'>,
  progress: Progress<UpCarried>,
): Promise<void> {
  const { gitDir } = localOf(record)
  const again = seen !== undefined
  const whose = draft.branch.taken === undefined ? whoseIs(record) : 'other'
  if (again) await ownGit.rescueCommits(app, record)
  if (again) await (await import('../git/losses.ts')).keepDetached(app, record)
  if (again) await refuseChanged(app, record, draft)
  await withRepository(app, gitDir, async () => {
    try {
      await addWorktree(app, record, draft, again, whose)
    } catch (error) {
      // git takes back what it did when it fails, but not when it is ended
      progress.add({ isWorktreeAdded: app.interruption.signal.aborted })
      throw error
    }
    progress.add({ isWorktreeAdded: true })
    await markWorktree(record)
  })
  await ownGit.makeBeside(app, record, fillWorktree(app, record, whose))
  await bringIgnored(app, record, draft.chosen)
  await ownGit.adoptOwnGit(app, record)
  await giveToInside(app, record)
}

/** Takes back only what this very operation added: at the same path another home may have been quicker. */
export async function unmakeWorktree(
  { app, draft, seen }: Scene,
  { record, isWorktreeAdded }: Takes<'record' | 'isWorktreeAdded'>,
): Promise<void> {
  const { worktree, gitDir } = localOf(record)
  await withRepository(app, gitDir, async () => {
    if (isWorktreeAdded) await app.git.removeWorktree(record.repo, worktree)
    if (seen === undefined) await ownGit.forget(app, record)
    await takeBackBranch(app, record, draft)
  })
}

/** The branch may have moved since the workspace was made. */
async function refuseChanged(app: App, record: WorkspaceRecord, draft: Draft): Promise<void> {
  const { repo: root, branch } = record
  const commit = (await app.git.findCommit(root, `refs/heads/${branch}`)) ?? draft.branch.commit
  if (commit === '') return
  await refuseRelativePrograms(app, { root, gitDir: localOf(record).gitDir }, { branch, commit })
}

async function addWorktree(app: App, record: WorkspaceRecord, { branch }: Draft, again: boolean, whose: Whose) {
  const { worktree, gitDir } = localOf(record)
  if (worktree.startsWith(`${record.repo}/.worktree/`)) await appendLineOnce(`${gitDir}/info/exclude`, '/.worktree/')
  if (again) refuseForeign(record)
  await app.git.addWorktree(record.repo, worktree, { ...branch, name: branch.branch, again }, whose)
}

async function fillWorktree(app: App, record: WorkspaceRecord, whose: Whose): Promise<void> {
  const { worktree } = localOf(record)
  const onLine = (text: string) => app.emit({ type: 'progress', text })
  await refuseConditional(app, record, worktree)
  tellCheckedOut(app, record, await app.git.checkOut(worktree, onLine, whose))
  await tellPointers(app, record, worktree, whose)
  if (!existsSync(`${worktree}/.gitmodules`)) return
  try {
    tellLeftOut(app, record, await app.git.initSubmodules(worktree, onLine, whose))
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const hint = 'To fetch them later, run `git submodule update --init --recursive` in the worktree'
    app.emit({ type: 'warning', text: `the submodules could not be fetched: ${error.message}`, hint })
  }
}

/** What failed while the files came, and kept none of them from being there. */
function tellCheckedOut(app: App, record: WorkspaceRecord, { hook, unfiltered }: CheckedOut): void {
  const { repo, branch } = record
  if (hook !== undefined) {
    const said = lastLines(hook.said, HOOK_LINES)
    app.emit({
      type: 'warning',
      text: `the hook ${hook.name} (${hook.path}) ended with code ${hook.code}${said === '' ? '' : `: ${said}`}; all files are there`,
      hint: `To run it again, run \`git -C ${shellWord(localOf(record).worktree)} checkout\``,
    })
  }
  for (const { filter, path, said } of unfiltered) {
    const text = `files of the filter ${filter} stay as the repository stores them, as it failed${said === '' ? '' : `: ${said}`}`
    const alone = `git -C ${shellWord(repo)} cat-file --filters ${shellWord(`${branch}:${path}`)}`
    app.emit({ type: 'warning', text, hint: `To see it alone, run \`${alone}\`` })
  }
}

/** Conditions of the configuration can be judged only where the worktree is: they may name its branch or its git dir. */
async function refuseConditional(app: App, record: WorkspaceRecord, worktree: string): Promise<void> {
  const { repo: root, branch } = record
  const [main, here] = await Promise.all([app.git.settings(root), app.git.settingsIn(root, worktree)])
  if (here === main) return
  const commit = await app.git.findCommit(root, `refs/heads/${branch}`)
  if (commit === undefined) return
  await refuseRelativePrograms(app, { root, gitDir: localOf(record).gitDir }, { branch, commit }, undefined, here)
}

/** A stranger's branch would have this machine ask any server, with the user's credentials. An agent's fetches are its own. */
function tellLeftOut(app: App, record: WorkspaceRecord, leftOut: readonly Submodule[]): void {
  const at =
    record.gitMode === 'private' ? `nexus exec ${record.name} -- git` : `git -C ${shellWord(localOf(record).worktree)}`
  for (const { name, path, url } of leftOut) {
    const inner = path.endsWith('/*')
    const what = inner ? `those in submodule ${name}` : `submodule ${name}${url === '' ? '' : ` (${url})`}`
    const words = inner ? `--recursive -- ${shellWord(name)}` : `-- ${shellWord(path)}`
    app.emit({
      type: 'warning',
      text: `not fetched: ${what}, as only the branch names it and your own commits do not`,
      hint: `To fetch it, run \`${at} submodule update --init ${words}\``,
    })
  }
}

/** Without its filter, git checks out pointers and says nothing. */
async function tellPointers(app: App, { repo, name }: WorkspaceRecord, worktree: string, whose: Whose): Promise<void> {
  const attributes = (await readIfPresent(`${worktree}/.gitattributes`)) ?? ''
  await tellEncrypted(app, { repo, name }, attributes)
  if (!/\bfilter=lfs\b/.test(attributes)) return
  if (!(await app.git.hasLfs(repo))) {
    const hint =
      'To get them, run `sudo apt-get install git-lfs && git lfs install`, then `git lfs pull` in the worktree'
    app.emit({ type: 'warning', text: 'files in Git LFS are pointers, as git-lfs is not set up here', hint })
  } else if (whose === 'other' && (await app.git.leadsLfsElsewhere(repo, worktree))) {
    const text =
      'files in Git LFS are pointers, as .lfsconfig of the branch names a server that your own commits do not'
    app.emit({ type: 'warning', text, hint: `To get them, run \`git -C ${shellWord(worktree)} lfs pull\`` })
  }
}

/** The same with git-crypt, whose files lie encrypted in the repository. */
async function tellEncrypted(app: App, { repo, name }: Pick<WorkspaceRecord, 'repo' | 'name'>, attributes: string) {
  const used = attributes.split('\n').flatMap(filtersIn)
  const filter = used.find((one) => one.startsWith('git-crypt'))
  if (filter === undefined || (await app.git.settings(repo)).some(({ key }) => key.startsWith(`filter.${filter}.`)))
    return
  const text = `files of the filter ${filter} stay encrypted, as it is not set up in ${repo}`
  const again = `nexus delete ${name} && nexus up ${name}`
  app.emit({ type: 'warning', text, hint: `To have them decrypted, run \`git-crypt unlock\` there, then \`${again}\`` })
}

/**
 * The branch that the create made goes while nobody has it checked out and it is still where it was made; one that was made again for its
 * commits stays.
 */
async function takeBackBranch(app: App, { repo, base }: WorkspaceRecord, { branch }: Draft): Promise<void> {
  if (!branch.create || branch.commit !== base) return
  const name = `refs/heads/${branch.branch}`
  const ref = (await app.git.listRefs(repo, [name])).find((one) => one.name === name)
  if (ref?.commit === branch.commit && ref.worktree === '')
    await app.git.deleteBranch(repo, branch.branch, branch.commit)
}

/** Files that git ignores and the project asks for; an agent gets those that the user's own configuration names. */
async function bringIgnored(app: App, record: WorkspaceRecord, { settings, own }: Chosen): Promise<void> {
  const { worktree } = localOf(record)
  const asked = { main: record.repo, worktree, ...settings.worktree }
  const request = record.isolation === 'agent' ? ofTheUser(app, asked, own) : asked
  const { copied, linked } = await createIgnoredFiles(app.runner, app.emit).bring(request)
  const all = [...copied, ...linked]
  const more = all.length > 5 ? ` and ${all.length - 5} more` : ''
  if (all.length > 0)
    app.emit({ type: 'notice', text: `copied ${all.slice(0, 5).join(', ')}${more} from the main worktree` })
}

/** Nothing is shared by hard links, which would let the agent write into the files of the main worktree. */
function ofTheUser(app: App, asked: IgnoredRequest, own: Settings): IgnoredRequest {
  const { copy, link } = own.worktree
  const wanted = asked.copy.filter((pattern) => !copy.includes(pattern))
  const included = [asked.worktree, asked.main].some((folder) => existsSync(join(folder, INCLUDE_FILE)))
  if (included || wanted.length > 0) {
    const what = [...(included ? [`what ${INCLUDE_FILE} names`] : []), ...wanted].join(', ')
    app.emit({
      type: 'notice',
      text: `not copied to an agent: ${what}; to let it have ignored files, name them in your own worktree.copy`,
    })
  }
  return { ...asked, copy: [...copy, ...link], link: [], include: false }
}

/** Ports that are not leased yet stand as 0. */
export async function makeTemplates(
  app: App,
  record: WorkspaceRecord,
  { backend, chosen }: Pick<Draft, 'backend' | 'chosen'>,
  when: { readonly isNew: boolean; readonly early: boolean },
): Promise<void> {
  const { templates } = chosen.settings.worktree
  if (templates.length === 0 || record.local === null) return
  await renderTemplates(app.git, {
    worktree: record.local.worktree,
    templates,
    values: await templateValues(backend, record),
    ...when,
  })
}

/**
 * Gives root's files in a worktree, and in a git dir of the workspace's own, to the user inside, who cannot touch them otherwise:
 * isolation `agent` lets nobody be root. While nobody is inside. Of a repository of root's the worktree itself and its `.git` stay
 * root's, since git on this machine works in no worktree of somebody else's.
 */
export async function giveToInside(app: App, record: WorkspaceRecord): Promise<void> {
  const worktree = worktreeOf(record)
  if (record.isolation !== 'agent' || worktree === null || process.getuid?.() !== 0 || !existsSync(worktree)) return
  const { uid, gid } = dockerOf(record)
  const run = (...argv: readonly string[]) => app.runner.run(argv, { timeoutMs: GIVE_TIMEOUT_MS })
  const ownGit = join(app.home.workspaces, record.id, 'git')
  const folders = [...(existsSync(ownGit) ? [ownGit] : []), ...(uid === STAND_IN.uid ? [] : [worktree])]
  const giving = folders.length > 0 ? run('chown', '-hR', '--from=0', `${uid}:${gid}`, '--', ...folders) : undefined
  if (uid !== STAND_IN.uid) return void (await giving)
  const kept = ['(', '-path', worktree, '-o', '-path', join(worktree, '.git'), ')']
  const find = ['find', worktree, ...kept, '-o', '-uid', '0', '-exec', 'chown', '-h', `${uid}:${gid}`, '{}', '+']
  await Promise.all([giving, run(...find)])
  await letGroupIn(worktree, gid)
}
