/**
 * The private git dir of a workspace (git mode `private`). It borrows the objects of the repository, which are mounted
 * read-only beside it, and begins with the repository's refs and the harmless part of its configuration; from then on
 * the inside writes it. git on this machine never runs on it: `private-refs.ts` reads it as plain text, and commits are
 * brought back through a git that runs inside.
 */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { shellWord } from '../core/shell.ts'
import { printable } from '../core/visible.ts'
import type { Runner } from '../system/exec.ts'
import { copyTree, makeFolder, moveTree, removeTree, writeGenerated } from '../system/store.ts'
import { readWithin } from '../system/within.ts'
import type { Git } from './git.ts'
import type { Whose } from './git-programs.ts'
import type { AnyRef } from './git-refs.ts'
import { formatSettings, type GitPair, isFormatKey, isTreeKey, isWorkKey, readSettings } from './git-settings.ts'
import { readPrivateBranches, readPrivateHead } from './private-refs.ts'
import { alternateLines, findAdminDir, listAlternates } from './repository.ts'

/** Where the repository's objects and large files are found inside. */
export const BORROWED_OBJECTS = '/nexus/objects'
export const BORROWED_LFS = '/nexus/lfs'

const TEXT_MAX_BYTES = 64 * 1024 * 1024
const BORROWED_REFS = ['refs/heads', 'refs/remotes', 'refs/tags', 'refs/notes', 'refs/replace']
const KNOWN_EXTENSIONS =
  /^extensions\.(objectformat|partialclone|preciousobjects|noop|noop-v1|worktreeconfig|relativeworktrees)$/
/** As `git lfs install` writes it. */
const LFS: readonly GitPair[] = [
  ['filter.lfs.clean', 'git-lfs clean -- %f'],
  ['filter.lfs.smudge', 'git-lfs smudge -- %f'],
  ['filter.lfs.process', 'git-lfs filter-process'],
  ['filter.lfs.required', 'true'],
]

interface Local {
  readonly repo: string
  readonly gitDir: string
}

export function createPrivateGit(runner: Runner, git: Git) {
  /**
   * Refuses, before anything is changed, a repository that a private git dir cannot represent.
   * @param whose whose content the commit is, and who works on it: only to the user's own the repository itself is offered
   * @throws {NexusError} UNSUPPORTED
   */
  async function requireBorrowable({ repo, gitDir }: Local, commit: string, whose: Whose): Promise<void> {
    const [settings, filters] = await Promise.all([
      readSettings(runner, join(gitDir, 'config')),
      git.listFilterUses(repo, commit),
    ])
    const refused = (why: string, mild: string): NexusError =>
      new NexusError('UNSUPPORTED', `A git dir of the workspace's own cannot be had here: ${why}.`, {
        hint: whose === 'own' ? 'To share the repository itself with the workspace, use `--git-mode shared`' : mild,
      })
    const clone = `To have a repository that can lend its objects, run \`git clone ${shellWord(repo)} <folder>\``
    const unknown = settings.find(([key]) => key.startsWith('extensions.') && !KNOWN_EXTENSIONS.test(key))
    if (unknown !== undefined) throw refused(`the repository uses ${unknown[0]}`, clone)
    const relative = [join(gitDir, 'objects'), ...listAlternates(gitDir)]
      .flatMap(alternateLines)
      .find((line) => !line.startsWith('/'))
    if (relative !== undefined) throw refused(`it borrows objects by a relative path, ${relative}`, clone)
    // inside, the program behind it is not there: what it hides or converts would be committed as it lies in the files
    const other = filters.find(({ filter }) => filter !== 'lfs')
    if (other === undefined) return
    const { filter, place } = other
    const file = shellWord(`${commit.slice(0, 12)}:${place.slice(0, place.lastIndexOf(':'))}`)
    throw refused(
      `.gitattributes sends files through the filter ${printable(filter)}`,
      `To see line ${place.slice(place.lastIndexOf(':') + 1)}, run \`git -C ${shellWord(repo)} show ${file}\`; a commit without it can be used`,
    )
  }

  /** Names of the filters that attributes of the commit, given by its id, have for files. */
  async function listFilters(repo: string, commit: string): Promise<readonly string[]> {
    return [...new Set((await git.listFilterUses(repo, commit)).map(({ filter }) => filter))]
  }

  /**
   * Makes it. Afterwards the refs at `keep` hold what it borrows, so that no `git gc` of the repository takes that
   * away.
   */
  async function make(local: Local, path: string, commit: string, keep: string): Promise<void> {
    const { repo, gitDir } = local
    const [settings, refs, filters] = await Promise.all([
      readSettings(runner, join(gitDir, 'config')),
      git.listAllRefs(repo, BORROWED_REFS),
      listFilters(repo, commit),
    ])
    await Promise.all(
      ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info'].map((name) =>
        makeFolder(join(path, name), 0o755),
      ),
    )
    const write = (name: string, text: string) => writeGenerated(join(path, name), text, 0o644)
    const alternates = [BORROWED_OBJECTS, ...listAlternates(gitDir)]
    await write('objects/info/alternates', alternates.map((line) => `${line}\n`).join(''))
    await write('config', formatSettings(ownSettings(settings, filters.includes('lfs'))))
    await write('packed-refs', formatPackedRefs(refs))
    for (const { name, target } of refs.filter((ref) => ref.target !== '')) await write(name, `ref: ${target}\n`)
    for (const name of ['info/exclude', 'info/attributes', 'shallow']) {
      const text = readWithin(gitDir, name, TEXT_MAX_BYTES)?.toString()
      if (text !== undefined) await write(name, text)
    }
    await keepRefs(repo, refs, commit, keep)
    // last: it says that all the rest is there
    await write('HEAD', readWithin(gitDir, 'HEAD')?.toString() ?? '')
  }

  async function keepRefs(repo: string, refs: readonly AnyRef[], commit: string, keep: string): Promise<void> {
    const ids = new Set([commit, ...refs.map(({ id }) => id)])
    const changes = [...ids].map((id, i) => ({ name: `${keep}/${i}`, to: id, from: '' }))
    await git.updateRefs(repo, changes, 'nexus: borrowed by a workspace')
  }

  /** Gives it the worktree that git has registered and filled: HEAD, index, submodules. */
  async function adopt(local: Local, path: string, worktree: string, branch: string): Promise<void> {
    const from = findAdminDir(local.gitDir, worktree)?.path
    if (from === undefined) throw new Error(`${worktree} is not registered`)
    const to = await ownFolder(path, basename(from))
    await makeFolder(join(to, 'info'), 0o755)
    const write = (file: string, text: string) => writeGenerated(join(to, file), text, 0o644)
    await write('HEAD', `ref: refs/heads/${branch}\n`)
    await write('commondir', '../..\n')
    await write('gitdir', `${worktree}/.git\n`)
    const shared = readdirSync(from).filter((file) => file.startsWith('sharedindex.'))
    // the work in submodules that are there already stays
    const modules = existsSync(join(to, 'modules')) ? [] : ['modules']
    for (const file of ['index', 'info/sparse-checkout', ...modules, ...shared]) {
      if (existsSync(join(from, file))) await copyTree(join(from, file), join(to, file))
    }
    const settings = join(from, 'config.worktree')
    const sparse = existsSync(settings) ? (await readSettings(runner, settings)).filter(([key]) => isTreeKey(key)) : []
    if (sparse.length === 0) return
    const config = readWithin(path, 'config')?.toString() ?? ''
    const more = formatSettings(sparse)
    if (config.includes(more)) return
    await replaceFile(join(path, 'config'), `${config}${more}`)
  }

  /** Tells it where the worktree lies now, as the repository knows it. */
  async function follow({ gitDir }: Local, path: string, worktree: string): Promise<void> {
    const name = basename(findAdminDir(gitDir, worktree)?.path ?? '')
    const folder = join(path, 'worktrees', name)
    if (name === '' || ![dirname(folder), folder].every(isRealFolder)) return
    await replaceFile(join(folder, 'gitdir'), `${worktree}/.git\n`)
  }

  /** Links a restored one to its worktree (`admin` before) and its branch, which may have another name. */
  async function takeBack(
    local: Local,
    path: string,
    worktree: string,
    { admin, branches }: { admin: string; branches: { from: string; to: string } },
  ): Promise<void> {
    const name = basename(findAdminDir(local.gitDir, worktree)?.path ?? '')
    const all = join(path, 'worktrees')
    if (name !== admin && [all, join(all, admin)].every(isRealFolder)) {
      await removeTree(join(all, name))
      await moveTree(join(all, admin), join(all, name))
    }
    await follow(local, path, worktree)
    const { from, to } = branches
    const commit = readPrivateBranches(path).get(from)
    if (from === to || commit === undefined || readPrivateHead(path, name)?.branch !== from) return
    const branch = ['refs', 'heads', ...to.split('/')]
    await requireFolders(path, branch.slice(0, -1))
    await replaceFile(join(path, ...branch), `${commit}\n`)
    await replaceFile(join(all, name, 'HEAD'), `ref: refs/heads/${to}\n`)
  }

  return { requireBorrowable, make, adopt, follow, takeBack }
}

/**
 * The worktree's part of a private git dir, with nothing in it but submodules. The inside may have left links in its
 * place, through which we would write elsewhere; the workspace is stopped now.
 */
async function ownFolder(path: string, name: string): Promise<string> {
  const folder = await requireFolders(path, ['worktrees', name])
  for (const entry of readdirSync(folder)) if (entry !== 'modules') await removeTree(join(folder, entry))
  return folder
}

/** Makes nested folders, in place of anything else at these paths. */
async function requireFolders(path: string, names: readonly string[]): Promise<string> {
  const folder = join(path, ...names)
  for (const [i] of names.entries()) {
    const one = join(path, ...names.slice(0, i + 1))
    if (!isRealFolder(one)) await removeTree(one)
    await makeFolder(one, 0o755)
  }
  return folder
}

/** A link to a folder is none. */
function isRealFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** In place of whatever the inside has left there, such as a folder or a link. */
async function replaceFile(path: string, text: string): Promise<void> {
  await removeTree(path)
  await writeGenerated(path, text, 0o644)
}

function ownSettings(settings: readonly GitPair[], lfs: boolean): readonly GitPair[] {
  const kept = settings.filter(([key]) => isTreeKey(key) || isWorkKey(key)).map(withoutPassword)
  const format = settings.filter(([key]) => isFormatKey(key))
  const version = [...format, ...kept].some(([key]) => key.startsWith('extensions.')) ? '1' : '0'
  return [
    ['core.repositoryformatversion', version],
    ['core.bare', 'false'],
    ['core.logallrefupdates', 'true'],
    ...format,
    ...kept,
    ...(lfs ? LFS : []),
  ]
}

/** A password or token in an address stays with the user. */
function withoutPassword([key, value]: GitPair): GitPair {
  return /\.(url|pushurl)$/.test(key) ? [key, value.replace(/^(https?:\/\/)[^/@]*@/i, '$1')] : [key, value]
}

function formatPackedRefs(refs: readonly AnyRef[]): string {
  const lines = refs
    .filter(({ target }) => target === '')
    .map(({ name, id, peeled }) => `${id} ${name}\n${peeled === '' ? '' : `^${peeled}\n`}`)
  return `# pack-refs with: peeled fully-peeled sorted \n${lines.join('')}`
}
