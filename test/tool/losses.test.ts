/**
 * Random worktrees, made from the table of what a delete would lose (each kind there or not): whatever a delete without `--force`
 * removed is found in a branch, in the main worktree or in the trash. And what a merge would replace in the main worktree.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { workspacePaths } from '../../lib/core/paths.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { mountsBelow } from '../../lib/system/mounts.ts'
import { refuseMounts } from '../../lib/workspace/foreign-files.ts'
import type { LOSSES } from '../../lib/workspace/git/losses.ts'
import { type MergeRequest, mergeWorkspace } from '../../lib/workspace/git/merge.ts'
import { listWorkspaces } from '../../lib/workspace/status/list.ts'
import { type DeleteRequest, deleteWorkspace } from '../../lib/workspace/trash/delete.ts'
import { listTrash } from '../../lib/workspace/trash/trash.ts'
import { type LocalApp, openLocalApp, privateGitArgv } from '../support/local-app.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { writeFiles } from '../support/temp.ts'

const LIMIT_MS = 180_000

const PLAIN: DeleteRequest = { force: false, deleteBranch: false, dryRun: false, trash: true }
const MERGE: MergeRequest = { squash: false, into: undefined, dryRun: false }
const FILES = {
  '.gitignore': 'ignored/\n*.cfg\n',
  'a.txt': 'a\n',
  'b.txt': 'b\n',
  'c.txt': 'c\n',
  'd.txt': 'd\n',
  'e.txt': 'e\n',
}

async function git(cwd: string, ...args: string[]): Promise<string> {
  const allowed = ['-c', 'protocol.file.allow=always', '-c', 'user.name=T', '-c', 'user.email=t@example.invalid']
  const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  const { code, stdout, stderr } = await runProcess(['git', ...allowed, ...args], { cwd, env })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout.trimEnd()
}

/** A path in bytes: names need not be UTF-8. */
const bytes = (...words: readonly string[]) => Buffer.from(join(...words), 'latin1')

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

/** Makes one thing that says `text` somewhere; where it says it, below the worktree, or undefined for a commit. */
type Make = (worktree: string, text: string) => Promise<string | undefined>

async function commitIn(folder: string, text: string): Promise<void> {
  await git(folder, 'commit', '--quiet', '--allow-empty', '-m', text)
}

async function addSub(worktree: string, path = 'sub', from?: string): Promise<string> {
  const sub = join(worktree, path)
  if (existsSync(sub)) return sub
  const source = from ?? dirname(await git(worktree, 'rev-parse', '--path-format=absolute', '--git-common-dir'))
  await git(worktree, 'submodule', '--quiet', 'add', source, path)
  await git(worktree, 'commit', '--quiet', '-m', 'sub', '--', path, '.gitmodules')
  return sub
}

/** Where submodules of what is made below have their git dirs. */
const MODULES = ['sub', 'rest/deinit', 'rest/removed', 'rest/stash', 'rest/outer/modules/inner', 'rest/linked']

async function mark(worktree: string, path: string, text: string, ...marks: string[]): Promise<string> {
  for (const one of marks) await git(worktree, 'update-index', one, path)
  await writeFile(join(worktree, path), text)
  return path
}

/** For every kind of the table what makes it; a new kind has to have something here. */
const MAKERS: Readonly<Record<Exclude<keyof typeof LOSSES, 'stashes'>, Readonly<Record<string, Make>>>> = {
  files: {
    changed: (worktree, text) => mark(worktree, 'a.txt', text),
    untracked: async (worktree, text) => {
      await put(join(worktree, 'new', 'file'), text)
      return 'new/file'
    },
    'skip-worktree': (worktree, text) => mark(worktree, 'b.txt', text, '--skip-worktree'),
    'assume-unchanged': (worktree, text) => mark(worktree, 'c.txt', text, '--assume-unchanged'),
    'both marks': (worktree, text) => mark(worktree, 'd.txt', text, '--assume-unchanged', '--skip-worktree'),
    'staged, then marked': async (worktree, text) => {
      await writeFile(join(worktree, 'e.txt'), 'staged')
      await git(worktree, 'add', 'e.txt')
      return mark(worktree, 'e.txt', text, '--assume-unchanged')
    },
    'intent-to-add': async (worktree, text) => {
      await put(join(worktree, 'later'), text)
      await git(worktree, 'add', '-N', 'later')
      return 'later'
    },
  },
  unfinished: {
    bisect: async (worktree) => {
      await git(worktree, 'bisect', 'start')
      return undefined
    },
  },
  submodules: {
    'of a tag': async (worktree, text) => {
      await addSub(worktree)
      await git(
        join(worktree, 'sub'),
        'tag',
        'v9',
        await git(join(worktree, 'sub'), 'commit-tree', '-m', text, 'HEAD^{tree}'),
      )
      return undefined
    },
    unpushed: async (worktree, text) => {
      await addSub(worktree)
      await commitIn(join(worktree, 'sub'), text)
      await git(worktree, 'commit', '--quiet', '-m', 'sub', '--', 'sub', '.gitmodules')
      return undefined
    },
    'of one that is no longer checked out': async (worktree, text) => {
      await commitIn(await addSub(worktree, 'rest/deinit'), text)
      await git(worktree, 'commit', '--quiet', '-m', 'moved', '--', 'rest/deinit')
      await git(worktree, 'submodule', '--quiet', 'deinit', '--force', 'rest/deinit')
      return undefined
    },
    'of one that was removed': async (worktree, text) => {
      const sub = await addSub(worktree, 'rest/removed')
      await commitIn(sub, text)
      // the work is on a branch, and HEAD where it was
      await git(sub, 'checkout', '--quiet', '--detach', 'HEAD~1')
      await git(worktree, 'rm', '--quiet', 'rest/removed')
      await git(worktree, 'commit', '--quiet', '-m', 'removed', '--', 'rest/removed', '.gitmodules')
      return undefined
    },
    'a stash of one that was removed': async (worktree, text) => {
      const sub = await addSub(worktree, 'rest/stash')
      await writeFile(join(sub, 'a.txt'), 'stashed')
      await git(sub, 'stash', 'push', '--quiet', '--message', text)
      await git(worktree, 'rm', '--quiet', 'rest/stash')
      await git(worktree, 'commit', '--quiet', '-m', 'removed', '--', 'rest/stash', '.gitmodules')
      return undefined
    },
    'of one in one that was removed': async (worktree, text) => {
      const outer = await addSub(worktree, 'rest/outer')
      await commitIn(await addSub(outer, 'inner', worktree), text)
      // pushed, as far as the outer one can tell
      await git(outer, 'update-ref', 'refs/remotes/origin/inner', 'HEAD')
      await git(worktree, 'rm', '--quiet', '--force', '--cached', 'rest/outer')
      await rm(outer, { recursive: true })
      await git(worktree, 'commit', '--quiet', '-m', 'removed', '--', 'rest/outer')
      return undefined
    },
    'of a linked worktree of one': async (worktree, text) => {
      const sub = await addSub(worktree, 'rest/linked')
      await git(sub, 'worktree', 'add', '--quiet', '--detach', join(worktree, '..', 'of-sub'))
      await commitIn(join(worktree, '..', 'of-sub'), text)
      await rm(join(worktree, '..', 'of-sub'), { recursive: true })
      return undefined
    },
  },
  commits: {
    'of a ref of the worktree': async (worktree, text) => {
      const commit = await git(worktree, 'commit-tree', '-m', text, 'HEAD^{tree}')
      await git(worktree, 'update-ref', 'refs/worktree/keep', commit)
      return undefined
    },
    detached: async (worktree, text) => {
      await git(worktree, 'checkout', '--quiet', '--detach')
      await commitIn(worktree, text)
      return undefined
    },
    'on the branch': async (worktree, text) => {
      await commitIn(worktree, text)
      return undefined
    },
  },
  repositories: {
    ignored: async (worktree, text) => {
      const folder = join(worktree, 'ignored', 'deep', 'own')
      await mkdir(folder, { recursive: true })
      await git(folder, 'init', '--quiet')
      await put(join(folder, 'work'), text)
      return 'ignored/deep/own/work'
    },
    'below a name that is no UTF-8': async (worktree, text) => {
      const folder = bytes(worktree, 'ignored', 'node_modules', '\xff')
      await mkdir(folder, { recursive: true })
      const { code } = await runProcess(
        ['bash', '-c', 'cd ignored/node_modules/$\'\\xff\' && git init -q own && echo "$0" > own/work', text],
        { cwd: worktree },
      )
      assert.is(code, 0)
      return undefined
    },
    bare: async (worktree, text) => {
      const folder = join(worktree, 'ignored', 'bare.git')
      await git(worktree, 'init', '--quiet', '--bare', folder)
      await put(join(folder, 'description'), text)
      return 'ignored/bare.git/description'
    },
    'linked worktree': async (worktree, text) => {
      await git(worktree, 'worktree', 'add', '--quiet', '--detach', 'ignored/linked')
      await commitIn(join(worktree, 'ignored', 'linked'), text)
      return undefined
    },
  },
}

/** What refuses nothing, and goes to the trash or stays with the branch. */
const QUIET: Readonly<Record<string, Make>> = {
  'a folder to which the main worktree has a link': async (worktree, text) => {
    await put(join(worktree, 'ignored', 'data', 'gold'), text)
    const source = dirname(await git(worktree, 'rev-parse', '--path-format=absolute', '--git-common-dir'))
    await mkdir(join(source, 'ignored'), { recursive: true })
    await symlink(join(worktree, 'ignored', 'data'), join(source, 'ignored', 'data'))
    return 'ignored/data/gold'
  },
  'a copy that was edited': async (worktree, text) => {
    await writeFile(join(worktree, 'copied.cfg'), text)
    return 'copied.cfg'
  },
  'an ignored file whose name is no UTF-8': async (worktree, text) => {
    await writeFile(bytes(worktree, '\xff\xfe.cfg'), text)
    return undefined
  },
  'a folder whose name is no UTF-8 in an ignored one': async (worktree, text) => {
    await mkdir(bytes(worktree, 'ignored', 'caf\xe9'), { recursive: true })
    await writeFile(bytes(worktree, 'ignored', 'caf\xe9', 'plan'), text)
    return undefined
  },
  'an ignored folder below one whose name is no UTF-8': async (worktree, text) => {
    await mkdir(bytes(worktree, 'caf\xe9', 'ignored'), { recursive: true })
    await writeFile(bytes(worktree, 'caf\xe9', 'ignored', 'plan'), text)
    return undefined
  },
  'an ignored file': async (worktree, text) => {
    await put(join(worktree, 'own.cfg'), text)
    return 'own.cfg'
  },
  'a folder that a pattern ignores': async (worktree, text) => {
    await put(join(worktree, 'ignored', 'notes', 'target', 'plan'), text)
    return 'ignored/notes/target/plan'
  },
  'an ignored file in a folder that nothing else is in': async (worktree, text) => {
    await put(join(worktree, 'only', 'deep', 'x.cfg'), text)
    return 'only/deep/x.cfg'
  },
  'an ignored file beside what tools make': async (worktree, text) => {
    await put(join(worktree, 'ignored', 'node_modules', 'lib', 'index.js'), 'made again')
    await put(join(worktree, 'ignored', 'by-hand'), text)
    return 'ignored/by-hand'
  },
}

const ALL = [
  ...Object.entries(MAKERS).flatMap(([kind, makers]) =>
    Object.entries(makers).map(([name, make]) => ({ name: `${kind}: ${name}`, make, refuses: true })),
  ),
  ...Object.entries(QUIET).map(([name, make]) => ({ name: `ignored: ${name}`, make, refuses: false })),
].map((one) => (one.name === 'commits: on the branch' ? { ...one, refuses: false } : one))

interface Made {
  readonly name: string
  readonly refuses: boolean
  readonly text: string
  readonly path: string | undefined
}

/** Where the text is after a delete: files, and commits of the repository and of submodules in the trash. */
async function isFound({ app, repo }: LocalApp, text: string): Promise<boolean> {
  const { stdout } = await runProcess(['grep', '-rlF', text, app.home.trash, repo.path])
  if (stdout !== '' || (await git(repo.path, 'log', '--all', '--format=%B')).includes(text)) return true
  for (const { key } of await listTrash(app)) {
    for (const module of MODULES) {
      const dir = join(app.home.trash, key, 'git', 'modules', module)
      const log = ['--git-dir=.', '--work-tree=.', 'log', '--all', '--format=%B', 'HEAD', '--']
      if (existsSync(dir) && (await git(dir, ...log)).includes(text)) return true
    }
  }
  return false
}

async function tryDelete(chosen: readonly (typeof ALL)[number][]): Promise<void> {
  await using local = await openLocalApp({ files: FILES, env: { GIT_ALLOW_PROTOCOL: 'file' } })
  await put(join(local.repo.path, 'copied.cfg'), 'theirs')
  const demo = await local.up('demo')
  const worktree = demo.local?.worktree ?? ''
  await put(join(worktree, 'copied.cfg'), 'theirs')
  local.volumes.set('data', { id: demo.id, bytes: 5 })
  const made: Made[] = []
  for (const { name, make, refuses } of chosen) {
    const text = `work of ${name} ${made.length}`
    made.push({ name, refuses, text, path: await make(worktree, text) })
  }
  const told = made.map(({ name }) => name).join(', ')
  const lost = made.filter(({ refuses }) => refuses)
  if (lost.length > 0) {
    const error = await rejects(() => deleteWorkspace(local.app, demo, PLAIN), 'WORKSPACE_DIRTY')
    for (const { path, text } of made) {
      if (path !== undefined) assert.is(await readFile(join(worktree, path), 'utf8'), text, told)
    }
    assert.ok(((error.details?.lost ?? []) as readonly string[]).length >= 1, told)
    await deleteWorkspace(local.app, demo, { ...PLAIN, force: true })
  } else await deleteWorkspace(local.app, demo, PLAIN)
  assert.not.ok(existsSync(worktree))
  assert.ok(local.volumes.has('data'), 'the data of services is kept')
  for (const { name, text } of made) {
    if (!name.startsWith('unfinished'))
      assert.ok(await isFound(local, text), `${name} is found after a delete of ${told}`)
  }
}

suite('what a delete would lose', (test) => {
  test(
    'each kind alone is refused and is in the trash after --force, or is in the trash at once',
    async () => {
      for (const one of ALL) await tryDelete([one])
    },
    LIMIT_MS,
  )

  test(
    'whatever a delete removed is found in a branch, the main worktree or the trash',
    async () => {
      const some = fc.subarray([...ALL], { minLength: 0 })
      await fc.assert(fc.asyncProperty(some, tryDelete), { numRuns: 4, seed: 15 })
      const quiet = fc.subarray(
        ALL.filter(({ refuses }) => !refuses),
        { minLength: 2 },
      )
      await fc.assert(fc.asyncProperty(quiet, tryDelete), { numRuns: 3, seed: 15 })
    },
    LIMIT_MS,
  )

  test('a lock wants a word of its own, also with --force and where the folder is away', async () => {
    await using local = await openLocalApp({ files: FILES })
    const demo = await local.up('demo')
    const worktree = demo.local?.worktree ?? ''
    await git(worktree, 'worktree', 'lock', '--reason', 'on a stick', worktree)
    const error = await rejects(() => deleteWorkspace(local.app, demo, PLAIN), 'WORKSPACE_DIRTY')
    assert.match(String(error.output), /locked: on a stick/)
    assert.match(error.hint ?? '', /--force --locked`$/)
    const force = { ...PLAIN, force: true }
    await rejects(() => deleteWorkspace(local.app, demo, force), 'WORKSPACE_DIRTY')
    const away = `${worktree}.away`
    await rename(worktree, away)
    await rejects(() => deleteWorkspace(local.app, demo, force), 'WORKSPACE_DIRTY')
    await rename(away, worktree)
    await deleteWorkspace(local.app, demo, { ...PLAIN, locked: true })
    assert.not.ok(existsSync(worktree))
  })

  test('a marked file that is as it was, or is left out by a sparse checkout, is no loss', async () => {
    await using local = await openLocalApp({ files: { ...FILES, 'in/x': 'x\n', 'out/y': 'y\n' } })
    const demo = await local.up('demo')
    const worktree = demo.local?.worktree ?? ''
    await git(worktree, 'update-index', '--assume-unchanged', 'a.txt')
    await git(worktree, 'update-index', '--skip-worktree', 'b.txt')
    await rm(join(worktree, 'b.txt'))
    await git(worktree, 'sparse-checkout', 'set', 'in')
    assert.is((await listWorkspaces(local.app, { repo: undefined, dirty: true, size: false }))[0]?.dirty, false)
    await deleteWorkspace(local.app, demo, PLAIN)
  })
})

suite('a branch that goes with its workspace', (test) => {
  const commits = async ({ repo }: LocalApp) => git(repo.path, 'log', '--branches', '--format=%s')

  test('stays when what it was made from is gone, also when both go at once', async () => {
    await using local = await openLocalApp({ files: FILES })
    for (const atOnce of [false, true]) {
      const a = await local.up('a')
      await commitIn(a.local?.worktree ?? '', `work ${atOnce}`)
      const b = await local.up('b', { from: 'nexus/a' })
      const both = [a, b].map((one) => () => deleteWorkspace(local.app, one, PLAIN))
      if (atOnce) await Promise.all(both.map((remove) => remove()))
      else for (const remove of both) await remove()
      assert.match(await commits(local), new RegExp(`^work ${atOnce}$`, 'm'))
      await git(local.repo.path, 'checkout', '--quiet', '--detach')
      const left = await git(local.repo.path, 'for-each-ref', '--format=%(refname:short)', 'refs/heads/nexus')
      await git(local.repo.path, 'branch', '--quiet', '-D', ...left.split('\n'))
    }
  })

  for (const [what, place] of [
    ['a stash', ['update-ref', '--create-reflog', 'refs/stash']],
    ['what the main worktree has checked out without a branch', ['checkout', '--quiet', '--detach']],
    ['what a rewrite of history left', ['update-ref', 'refs/original/refs/heads/x']],
  ] as const) {
    test(`stays when only ${what} has its commits`, async () => {
      await using local = await openLocalApp({ files: FILES })
      const demo = await local.up('demo')
      await commitIn(demo.local?.worktree ?? '', 'work')
      await git(local.repo.path, ...place, await git(local.repo.path, 'rev-parse', 'nexus/demo'))
      const { keptBranch } = await deleteWorkspace(local.app, demo, PLAIN)
      assert.equal(keptBranch, { name: 'nexus/demo', uniqueCommits: 1 })
      assert.match(await commits(local), /^work$/m)
    })
  }

  test('stays when a service commits in its last moment', async () => {
    await using local = await openLocalApp({ files: FILES })
    const demo = await local.up('demo')
    local.lastActs.set(demo.id, () => commitIn(demo.local?.worktree ?? '', 'last'))
    await deleteWorkspace(local.app, demo, PLAIN)
    assert.match(await commits(local), /^last$/m)
    assert.match(JSON.stringify(local.events), /branch nexus\/demo stays/)
  })
})

suite('files that are written after the look', (test) => {
  for (const [what, path] of [
    ['an untracked file', 'dump.sql'],
    ['a tracked file', 'a.txt'],
    ['an ignored file', 'ignored/final.rdb'],
  ] as const) {
    test(`${what} of a service's last moment is in the trash, or keeps the workspace where there is none`, async () => {
      await using local = await openLocalApp({ files: FILES })
      const demo = await local.up('demo')
      local.lastActs.set(demo.id, () => put(join(demo.local?.worktree ?? '', path), 'its last words'))
      await rejects(() => deleteWorkspace(local.app, demo, { ...PLAIN, trash: false }), 'WORKSPACE_DIRTY')
      assert.is(await readFile(join(demo.local?.worktree ?? '', path), 'utf8'), 'its last words')
      await rm(join(demo.local?.worktree ?? '', path))
      await git(demo.local?.worktree ?? '', 'checkout', '--quiet', '--', '.')
      const { trash } = await deleteWorkspace(local.app, demo, PLAIN)
      assert.is(await readFile(join(trash?.files ?? '', path), 'utf8'), 'its last words')
      assert.match(
        JSON.stringify(local.events),
        new RegExp(`in the trash, as it was written .*: .*${path.split('/')[0]}`),
      )
    })
  }
})

suite('a worktree that was deleted by hand', (test) => {
  const detached = async (local: LocalApp) => {
    const demo = await local.up('demo')
    const worktree = demo.local?.worktree ?? ''
    await git(worktree, 'checkout', '--quiet', '--detach')
    await commitIn(worktree, 'work')
    await rm(worktree, { recursive: true })
    return demo
  }

  test('with commits on no branch is refused, and --force keeps them in the trash', async () => {
    await using local = await openLocalApp({ files: FILES })
    const demo = await detached(local)
    const error = await rejects(() => deleteWorkspace(local.app, demo, PLAIN), 'WORKSPACE_DIRTY')
    assert.match(String(error.output), /1 commits on a detached HEAD/)
    await deleteWorkspace(local.app, demo, { ...PLAIN, force: true })
    assert.match(await git(local.repo.path, 'log', '--all', '--format=%s'), /^work$/m)
  })

  test('gives its commits a branch when the next up makes it again', async () => {
    await using local = await openLocalApp({ files: FILES })
    await detached(local)
    await local.up('demo')
    assert.match(await git(local.repo.path, 'log', '--branches=nexus/demo-detached-*', '--format=%s'), /^work$/m)
  })
})

suite('what is mounted in a folder', (test) => {
  test('is seen, and keeps the folder from being removed', () => {
    assert.ok(mountsBelow('/').includes('/proc'))
    assert.equal(mountsBelow('/proc/self/fd'), [])
    assert.throws(() => refuseMounts('/'), /Something is mounted at/)
  })
})

suite('what a delete would lose of a private git dir', (test) => {
  test(
    'commits and unfinished work that linked worktrees alone have',
    async () => {
      await using local = await openLocalApp({ files: FILES, env: { GIT_ALLOW_PROTOCOL: 'ext' } })
      await writeFiles(local.app.home.home, { 'config.yaml': 'git: {mode: private}\n' })
      const demo = await local.up('demo')
      const own = workspacePaths(local.app.home, demo.id).privateGit
      const run = async (...args: string[]) => {
        const { code, stdout, stderr } = await runProcess([...privateGitArgv(local.app.home, demo, args)])
        assert.is(code, 0, stderr)
        return stdout.trimEnd()
      }
      const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid']
      const make = async (name: string) => {
        const path = join(local.app.home.home, name)
        await run(`--git-dir=${own}`, 'worktree', 'add', '--quiet', '--detach', path, 'nexus/demo')
        return async (...args: string[]) => run('-C', path, ...identity, ...args)
      }
      const lost = async () => {
        const { details } = await rejects(() => deleteWorkspace(local.app, demo, PLAIN), 'WORKSPACE_DIRTY')
        return details?.lost
      }
      const wt = await make('wt')
      await make('idle')
      await wt('commit', '--quiet', '--allow-empty', '-m', 'loose')
      const loose = await wt('rev-parse', 'HEAD')
      assert.equal(await lost(), ['commits on a detached HEAD of the linked worktree wt'])
      // brought back with a branch, then amended: the repository has the commit, and no ref has it
      await wt('branch', 'side')
      await wt('bisect', 'start')
      assert.equal(await lost(), ['an unfinished bisect in the linked worktree wt'])
      await wt('bisect', 'reset')
      await wt('update-ref', 'refs/worktree/keep', loose)
      await wt('checkout', '--quiet', 'side')
      await wt('commit', '--quiet', '--allow-empty', '--amend', '-m', 'other')
      assert.equal(await lost(), ['commits of refs/worktree/keep of the linked worktree wt'])
      // as its files lie in the container, the worktree itself may be gone
      await rm(join(local.app.home.home, 'wt'), { recursive: true })
      assert.equal(await lost(), ['commits of refs/worktree/keep of the linked worktree wt'])
      const { trash } = await deleteWorkspace(local.app, demo, { ...PLAIN, force: true })
      assert.not(existsSync(own))
      const kept = join(local.app.home.trash, trash?.key ?? '', 'own-git')
      assert.match(await git(kept, '--git-dir=.', 'cat-file', 'commit', loose), /loose$/)
    },
    LIMIT_MS,
  )

  test('what came back or is pushed is no loss', async () => {
    await using local = await openLocalApp({ files: FILES, env: { GIT_ALLOW_PROTOCOL: 'ext' } })
    await writeFiles(local.app.home.home, { 'config.yaml': 'git: {mode: private}\n' })
    const demo = await local.up('demo')
    const path = join(local.app.home.home, 'wt')
    const add = ['worktree', 'add', '--quiet', '--detach', path, 'nexus/demo']
    const gitDir = `--git-dir=${workspacePaths(local.app.home, demo.id).privateGit}`
    assert.is((await runProcess([...privateGitArgv(local.app.home, demo, [gitDir, ...add])])).code, 0)
    // what a `git submodule deinit` inside leaves
    const rest = join(workspacePaths(local.app.home, demo.id).privateGit, 'worktrees', 'demo', 'modules', 'deep', 'sub')
    await git(local.repo.path, 'clone', '--quiet', '--bare', '.', rest)
    const { details } = await rejects(() => deleteWorkspace(local.app, demo, PLAIN), 'WORKSPACE_DIRTY')
    assert.equal(details?.lost, ['commits of submodule deep/sub that are not pushed'])
    await git(rest, '--git-dir=.', 'update-ref', 'refs/remotes/origin/main', 'HEAD')
    await deleteWorkspace(local.app, demo, PLAIN)
  })
})

/** What stands in the way in the main worktree, and what the branch brings. */
const IN_THE_WAY: Readonly<
  Record<
    string,
    { readonly make: (top: string) => Promise<string>; readonly bring: (worktree: string) => Promise<void> }
  >
> = {
  'an ignored file': {
    make: async (top) => {
      await put(join(top, 'local.cfg'), 'mine')
      return 'local.cfg'
    },
    bring: async (worktree) => {
      await put(join(worktree, 'local.cfg'), 'theirs')
      await git(worktree, 'add', '-f', 'local.cfg')
    },
  },
  'an untracked file': {
    make: async (top) => {
      await put(join(top, 'new'), 'mine')
      return 'new'
    },
    bring: async (worktree) => {
      await put(join(worktree, 'new'), 'theirs')
      await git(worktree, 'add', 'new')
    },
  },
  'an ignored folder where a file comes': {
    make: async (top) => {
      await put(join(top, 'ignored', 'deep', 'file'), 'mine')
      return 'ignored/deep/file'
    },
    bring: async (worktree) => {
      await put(join(worktree, 'ignored'), 'theirs')
      await git(worktree, 'add', '-f', 'ignored')
    },
  },
  'an ignored file where a folder comes': {
    make: async (top) => {
      await put(join(top, 'local.cfg'), 'mine')
      return 'local.cfg'
    },
    bring: async (worktree) => {
      await put(join(worktree, 'local.cfg', 'deep', 'x'), 'theirs')
      await git(worktree, 'add', '-f', 'local.cfg')
    },
  },
  'an ignored link where a folder comes': {
    make: async (top) => {
      await symlink('b.txt', join(top, 'local.cfg'))
      return 'local.cfg'
    },
    bring: async (worktree) => {
      await put(join(worktree, 'local.cfg', 'x'), 'theirs')
      await git(worktree, 'add', '-f', 'local.cfg')
    },
  },
  'a marked file with edits': {
    make: (top) => mark(top, 'a.txt', 'mine', '--skip-worktree'),
    bring: async (worktree) => {
      await put(join(worktree, 'a.txt'), 'theirs')
      await git(worktree, 'add', 'a.txt')
    },
  },
  'a marked file with edits that the branch deletes': {
    make: (top) => mark(top, 'a.txt', 'mine', '--assume-unchanged'),
    bring: async (worktree) => {
      await git(worktree, 'rm', '--quiet', 'a.txt')
    },
  },
  'an ignored file in a tracked folder that becomes a file': {
    make: async (top) => {
      await put(join(top, 'dir', 'x.cfg'), 'mine')
      return 'dir/x.cfg'
    },
    bring: async (worktree) => {
      await git(worktree, 'rm', '--quiet', '-r', 'dir')
      await put(join(worktree, 'dir'), 'theirs')
      await git(worktree, 'add', 'dir')
    },
  },
}

suite('what a merge would replace in the main worktree', (test) => {
  for (const [what, { make, bring }] of Object.entries(IN_THE_WAY)) {
    test(
      `${what} is named and stays, in all forms of a merge`,
      async () => {
        await using local = await openLocalApp({ files: { ...FILES, 'dir/tracked': 'x\n' } })
        const demo = (await local.up('demo')) as WorkspaceRecord
        const top = local.repo.path
        await bring(demo.local?.worktree ?? '')
        await commitIn(demo.local?.worktree ?? '', 'work')
        const path = await make(top)
        const refuses = async (request: Partial<MergeRequest>) => {
          const error = await rejects(() => mergeWorkspace(local.app, demo, { ...MERGE, ...request }), 'SYNC_CONFLICT')
          assert.equal(error.details?.files, [path])
          assert.is(existsSync(join(top, path)), true)
        }
        for (const request of [{ dryRun: true }, {}, { squash: true }]) await refuses(request)
        await commitIn(top, 'main goes on')
        for (const request of [{}, { squash: true }]) await refuses(request)
        assert.is((await git(top, 'log', '-1', '--format=%s')).trim(), 'main goes on')
        // the way that the hint names
        const error = await rejects(() => mergeWorkspace(local.app, demo, MERGE), 'SYNC_CONFLICT')
        const [, command = ''] = /run `(mv .+) && nexus merge demo`$/.exec(error.hint ?? '') ?? []
        assert.is((await runProcess(['sh', '-c', command])).code, 0, error.hint)
        await mergeWorkspace(local.app, demo, MERGE)
      },
      LIMIT_MS,
    )
  }

  test('an ignored file whose name is no UTF-8 stays too', async () => {
    await using local = await openLocalApp({ files: FILES })
    const demo = (await local.up('demo')) as WorkspaceRecord
    const name = 'caf\xe9.cfg'
    await writeFile(bytes(demo.local?.worktree ?? '', name), 'theirs')
    await git(demo.local?.worktree ?? '', 'add', '-f', '.')
    await commitIn(demo.local?.worktree ?? '', 'work')
    await commitIn(local.repo.path, 'main goes on')
    await writeFile(bytes(local.repo.path, name), 'mine')
    await rejects(() => mergeWorkspace(local.app, demo, MERGE), 'SYNC_CONFLICT')
    assert.is(await readFile(bytes(local.repo.path, name), 'utf8'), 'mine')
    await rm(bytes(local.repo.path, name))
    await mergeWorkspace(local.app, demo, MERGE)
    assert.is(await readFile(bytes(local.repo.path, name), 'utf8'), 'theirs')
  })

  test("a marked file that the branch leaves alone is in no merge's way", async () => {
    await using local = await openLocalApp({ files: FILES })
    const demo = (await local.up('demo')) as WorkspaceRecord
    await put(join(demo.local?.worktree ?? '', 'b.txt'), 'theirs')
    await git(demo.local?.worktree ?? '', 'commit', '--quiet', '-am', 'work')
    await mark(local.repo.path, 'a.txt', 'mine', '--skip-worktree')
    await put(join(local.repo.path, 'ignored', 'x'), 'mine')
    await mergeWorkspace(local.app, demo, MERGE)
    assert.is(await readFile(join(local.repo.path, 'a.txt'), 'utf8'), 'mine')
  })
})
