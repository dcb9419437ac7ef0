/**
 * What people do by hand to repositories, worktrees and branches, on the real git without an engine: the state names it with
 * the command that helps, a start does no harm, `repair` mends it and finds nothing to do the second time.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Backend } from '../../lib/backends/backend.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import type { Scan } from '../../lib/doctor/scan.ts'
import { checkWorktrees } from '../../lib/doctor/worktrees.ts'
import { cameFromElsewhere } from '../../lib/tools/branch-log.ts'
import { findAdminDir, MARKER, requireRepository } from '../../lib/tools/repository.ts'
import { findDrift, listMoved } from '../../lib/workspace/drift.ts'
import { lastCommit } from '../../lib/workspace/git/last-commit.ts'
import { adopt } from '../../lib/workspace/lifecycle/adopt.ts'
import { renameWorkspace } from '../../lib/workspace/lifecycle/rename.ts'
import { type RepairRequest, repairWorkspace } from '../../lib/workspace/lifecycle/repair.ts'
import { restart } from '../../lib/workspace/lifecycle/stop-pause.ts'
import { start } from '../../lib/workspace/lifecycle/up.ts'
import { findWorkspace } from '../../lib/workspace/names/find.ts'
import { observeOne } from '../../lib/workspace/observe.ts'
import { beginOperation } from '../../lib/workspace/operation/walk.ts'
import { describeWorkspace } from '../../lib/workspace/status/list.ts'
import { deleteWorkspace } from '../../lib/workspace/trash/delete.ts'
import { type LocalApp, openLocalApp } from '../support/local-app.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

const QUIET = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }

async function git(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProcess(['git', ...args], { cwd, env: QUIET })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout.trimEnd()
}

interface Demo extends LocalApp {
  readonly demo: WorkspaceRecord
  readonly worktree: string
  now(): Promise<WorkspaceRecord>
  /** `error: what is wrong`. */
  state(): Promise<string>
  repair(request?: Partial<RepairRequest>): ReturnType<typeof repairWorkspace>
}

/** With a change that is not committed, which nothing here may touch. */
async function openDemo(): Promise<Demo> {
  const local = await openLocalApp({ files: { 'a.txt': 'a\n' } })
  const demo = await local.up('demo')
  const worktree = demo.local?.worktree ?? ''
  await writeFile(join(worktree, 'a.txt'), 'changed\n')
  const now = async () => (await local.app.records.load(demo.id)) ?? demo
  return {
    ...local,
    demo,
    worktree,
    now,
    state: async () => {
      const { state, reason } = await observeOne(local.app, await now())
      return reason === '' ? state : `${state}: ${reason}`
    },
    repair: async (request = {}) =>
      repairWorkspace(local.app, await now(), { repo: undefined, worktree: undefined, dryRun: false, ...request }),
  }
}

const changes = (worktree: string) => git(worktree, 'status', '--porcelain')

/** All is well, the change is there, and a second repair does nothing. */
async function isWhole(demo: Demo, worktree: string): Promise<void> {
  assert.is(await changes(worktree), ' M a.txt')
  assert.not.match(await demo.state(), /error/)
  assert.equal((await demo.repair()).done, [])
  const { repo, local } = await demo.now()
  const { gitDir = '' } = local ?? {}
  assert.is(gitDir, join(repo, '.git'))
  assert.is(findAdminDir(gitDir, worktree)?.marker, demo.demo.id)
  await git(repo, 'worktree', 'prune')
  assert.is(await changes(worktree), ' M a.txt')
}

suite('a worktree', (test) => {
  test('removed with rm -rf, also where an empty folder is left: named, and made again by a start', async () => {
    await using demo = await openDemo()
    for (const leave of [false, true]) {
      await rm(demo.worktree, { recursive: true })
      if (leave) await mkdir(demo.worktree)
      assert.is(await demo.state(), `error: the worktree ${demo.worktree} is missing; \`nexus up demo\` mends it`)
      const { done, left } = await demo.repair()
      assert.equal([done, left?.kind], [[], 'worktree-gone'])
      await demo.up('demo')
      assert.is(await demo.state(), 'running')
      assert.is(await readFile(join(demo.worktree, 'a.txt'), 'utf8'), 'a\n')
    }
  })

  test('removed by git, and pruned', async () => {
    await using demo = await openDemo()
    await demo.repo.git('worktree', 'remove', '--force', demo.worktree)
    assert.match(await demo.state(), /is missing/)
    await demo.up('demo')
    await rm(demo.worktree, { recursive: true })
    await demo.repo.git('worktree', 'prune')
    await demo.up('demo')
    assert.is(await demo.state(), 'running')
    assert.is(await git(demo.worktree, 'branch', '--show-current'), 'nexus/demo')
  })

  test('moved by git: a start is refused, repair follows it, and what has it mounted goes', async () => {
    await using demo = await openDemo()
    await using elsewhere = await tempDir()
    const place = join(elsewhere.path, 'my place')
    await demo.repo.git('worktree', 'move', demo.worktree, place)
    assert.is(await demo.state(), `error: the worktree was moved to ${place}; \`nexus repair demo\` mends it`)
    const error = await rejects(
      async () => start(demo.app, await demo.now(), { dryRun: false, start: true }),
      'GIT_ERROR',
    )
    assert.match(error.hint ?? '', /`nexus repair demo`$/)
    assert.not(existsSync(demo.worktree))
    assert.is((await demo.repair({ dryRun: true })).done.length, 1)
    assert.is((await demo.now()).local?.worktree, demo.worktree)
    await demo.repair()
    assert.is((await demo.now()).local?.worktree, place)
    assert.not(demo.running.has(demo.demo.id))
    await isWhole(demo, place)
  })

  test('moved with mv: repair takes its word for where it is, and no other folder', async () => {
    await using demo = await openDemo()
    const other = await demo.up('other')
    await git(demo.worktree, 'worktree', 'add', '--quiet', '-b', 'inner', 'inner')
    await writeFile(join(demo.repo.path, '.git', 'info', 'exclude'), '/inner\n/.worktree\n')
    const place = join(dirname(demo.worktree), 'moved')
    await rename(demo.worktree, place)
    assert.match(await demo.state(), /is missing/)
    const within = { ...demo.app, cwd: join(place, 'sub') }
    await mkdir(within.cwd)
    const { reason } = await observeOne(within, await demo.now())
    const mends = `nexus repair demo --worktree ${place}`
    assert.is(reason, `the worktree was moved to ${place}; \`${mends}\` mends it`)
    const error = await rejects(() => start(within, demo.demo, { dryRun: false, start: true }), 'GIT_ERROR')
    assert.is(error.hint, `To mend it, run \`${mends}\``)
    for (const wrong of [other.local?.worktree ?? '', demo.repo.path]) {
      await rejects(() => demo.repair({ worktree: wrong }), 'INVALID_ARGUMENT')
    }
    await demo.repair({ worktree: place })
    await isWhole(demo, place)
    assert.is(await git(join(place, 'inner'), 'branch', '--show-current'), 'inner')
  })

  for (const [what, forget] of [
    ['its .git file', ({ worktree }: Demo) => rm(join(worktree, '.git'))],
    [
      'its folder in the git dir',
      ({ repo }: Demo) => rm(join(repo.path, '.git', 'worktrees', 'demo'), { recursive: true }),
    ],
  ] as const) {
    test(`without ${what}: no start overwrites it, no delete loses it, repair links it again`, async () => {
      await using demo = await openDemo()
      await forget(demo)
      assert.is(
        await demo.state(),
        `error: git knows nothing of the worktree ${demo.worktree} any more; \`nexus repair demo\` mends it`,
      )
      await rejects(() => start(demo.app, demo.demo, { dryRun: false, start: true }), 'GIT_ERROR')
      const request = { force: false, deleteBranch: false, dryRun: false, trash: true }
      await rejects(() => deleteWorkspace(demo.app, demo.demo, request), 'WORKSPACE_DIRTY')
      await demo.repair()
      assert.ok(demo.running.has(demo.demo.id), 'what runs goes on')
      await isWhole(demo, demo.worktree)
    })
  }

  test('with a repository of its own in it is left alone', async () => {
    await using demo = await openDemo()
    await rm(join(demo.worktree, '.git'))
    await git(demo.worktree, 'init', '--quiet')
    const error = await rejects(() => demo.repair(), 'GIT_ERROR')
    assert.match(error.message, /a repository of its own/)
  })
})

suite('a branch', (test) => {
  test('deleted with its worktree, in the repository that it was in, is made anew by a start', async () => {
    await using demo = await openDemo()
    await demo.repo.git('worktree', 'remove', '--force', demo.worktree)
    await demo.repo.git('branch', '--quiet', '-D', 'nexus/demo')
    assert.is(await demo.state(), `error: the worktree ${demo.worktree} is missing; \`nexus up demo\` mends it`)
    await demo.up('demo')
    assert.is(await demo.state(), 'running')
  })

  test('switched or renamed inside is shown, and taken over', async () => {
    await using demo = await openDemo()
    await git(demo.worktree, 'switch', '--quiet', '--create', 'other')
    assert.is(await demo.state(), 'running')
    const { drift, branch } = await describeWorkspace(demo.app, await demo.now())
    assert.is(branch, 'other')
    assert.is(drift, 'its worktree is on branch other, not on nexus/demo; `nexus repair demo` takes it over')
    await demo.repair()
    const record = await demo.now()
    assert.equal([record.branch, record.branchCreated, record.base], ['other', false, null])
    await isWhole(demo, demo.worktree)
    await demo.repo.git('branch', '--move', 'other', 'renamed')
    await demo.repair()
    assert.is((await demo.now()).branch, 'renamed')
    assert.is((await describeWorkspace(demo.app, await demo.now())).drift, undefined)
  })

  test('deleted under the worktree is made again where it was', async () => {
    await using demo = await openDemo()
    const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid']
    await git(demo.worktree, ...identity, 'commit', '--quiet', '--allow-empty', '--message', 'mine')
    const tip = await git(demo.worktree, 'rev-parse', 'HEAD')
    await demo.repo.git('update-ref', '-d', 'refs/heads/nexus/demo')
    const { done } = await demo.repair()
    assert.match(done.join(), /branch nexus\/demo was deleted/)
    assert.is(await git(demo.worktree, 'rev-parse', 'HEAD'), tip)
    await isWhole(demo, demo.worktree)
  })

  const lose = async (demo: Demo): Promise<string> => {
    const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid']
    await git(demo.worktree, ...identity, 'commit', '--quiet', '--allow-empty', '--message', 'mine')
    const tip = await git(demo.worktree, 'rev-parse', 'HEAD')
    // from within, git writes into the log that HEAD is nowhere
    await git(demo.worktree, 'update-ref', '-d', 'refs/heads/nexus/demo')
    return tip
  }

  test('deleted from within is told by list, status and doctor, and made again, packed or not', async () => {
    await using demo = await openDemo()
    const told = 'running: its branch nexus/demo was deleted; `nexus repair demo` makes it again'
    const doctor = () => checkWorktrees({ app: demo.app, records: [demo.demo], settings: undefined } as unknown as Scan)
    await demo.repo.git('pack-refs', '--all')
    assert.is(await demo.state(), 'running')
    const tip = await lose(demo)
    assert.is(await demo.state(), told)
    const [finding] = await doctor()
    assert.is(finding?.message, 'Workspace demo: its branch nexus/demo was deleted.')
    await finding?.fix?.()
    assert.is(await git(demo.worktree, 'rev-parse', 'nexus/demo'), tip)
    assert.is(await demo.state(), 'running')
    // nobody knows any more whose its commits were
    assert.ok(cameFromElsewhere(join(demo.repo.path, '.git'), 'nexus/demo'))
    await isWhole(demo, demo.worktree)
  })

  test('deleted, and its worktree too: a start makes both again at the last commit', async () => {
    await using demo = await openDemo()
    const tip = await lose(demo)
    await rm(demo.worktree, { recursive: true })
    await demo.up('demo')
    assert.is(await git(demo.worktree, 'rev-parse', 'nexus/demo'), tip)
  })

  test('deleted without a trace is told, with what could be done', async () => {
    await using demo = await openDemo()
    await lose(demo)
    await rm(join(demo.repo.path, '.git', 'worktrees', 'demo', 'logs'), { recursive: true })
    await demo.app.records.save({ ...(await demo.now()), base: 'a'.repeat(40) })
    const { done, left } = await demo.repair()
    assert.equal(done, [])
    assert.match(left?.text ?? '', /was deleted, and git knows none of its commits any more$/)
  })

  test('of a git dir of its own is made again at what came back from there', async () => {
    await using demo = await openDemo()
    const at = await git(demo.worktree, 'rev-parse', 'HEAD')
    const inside = await git(
      demo.worktree,
      ...['-c', 'user.name=T', '-c', 'user.email=t@example.invalid'],
      'commit-tree',
      '-p',
      'HEAD',
      '-m',
      'inside',
      'HEAD^{tree}',
    )
    await demo.repo.git('update-ref', `refs/nexus/${demo.demo.id}/synced`, at)
    await demo.repo.git('update-ref', `refs/nexus/${demo.demo.id}/heads/nexus/demo`, inside)
    await demo.repo.git('update-ref', '-d', 'refs/heads/nexus/demo')
    assert.is(await lastCommit(demo.app, { ...demo.demo, gitMode: 'private' }), inside)
    assert.is(await lastCommit(demo.app, demo.demo), at)
  })
})

suite('a repository that was moved', (test) => {
  const move = async (demo: Demo) => {
    const parent = await tempDir()
    const path = join(parent.path, 'new place')
    await rename(demo.repo.path, path)
    return { path, repo: requireRepository(path), [Symbol.asyncDispose]: parent[Symbol.asyncDispose] }
  }

  test('is named in the old and in the new place, and followed', async () => {
    await using demo = await openDemo()
    await using moved = await move(demo)
    assert.match(await demo.state(), /^error: the repository \S+ is gone; `nexus repair demo --repo <where it is now>`/)
    const error = await rejects(() => findWorkspace(demo.app, 'demo', moved.repo), 'REPOSITORY_NOT_FOUND')
    assert.is(error.hint, `To tell Nexus, run \`nexus repair --all --repo '${moved.path}'\``)
    assert.equal(
      listMoved(await demo.app.records.list(), moved.repo).map(({ id }) => id),
      [demo.demo.id],
    )
    await rejects(() => start(demo.app, demo.demo, { dryRun: false, start: true }), 'REPOSITORY_NOT_FOUND')
    const before = await demo.app.records.load(demo.demo.id)
    await rejects(() => restart(demo.app, demo.demo, false), 'REPOSITORY_NOT_FOUND')
    assert.equal(await demo.app.records.load(demo.demo.id), before)
    await rejects(() => demo.repair(), 'REPOSITORY_NOT_FOUND')
    await demo.repair({ repo: moved.repo })
    const record = await demo.now()
    assert.equal([record.repo, record.local?.worktree], [moved.path, join(moved.path, '.worktree', 'demo')])
    assert.equal([record.desired, demo.running.has(record.id)], ['stopped', false])
    await isWhole(demo, record.local?.worktree ?? '')
    assert.is((await findWorkspace(demo.app, 'demo', moved.repo))?.id, demo.demo.id)
  })

  for (const [what, put] of [
    ['a new repository', (path: string) => git(dirname(path), 'init', '--quiet', path)],
    ['a clone', (path: string, moved: string) => git(dirname(path), 'clone', '--quiet', moved, path)],
  ] as const) {
    test(`and ${what} put in its place is told from it, is left alone, and the moved one followed`, async () => {
      await using demo = await openDemo()
      await using moved = await move(demo)
      await put(demo.repo.path, moved.path)
      const mends = '`nexus repair demo --repo <where it is now>`'
      const said = `the repository ${demo.repo.path} is another one: it has neither the worktree nor branch nexus/demo`
      assert.is(await demo.state(), `error: ${said}; ${mends} mends it`)
      const cut = { ...demo.demo, operation: beginOperation('delete') }
      assert.is(findDrift(cut)?.kind, 'worktree-gone', 'a delete that was cut off has taken branch and worktree away')
      const scan = { app: demo.app, records: [demo.demo], settings: undefined } as unknown as Scan
      assert.not.match((await checkWorktrees(scan)).map(({ why }) => why).join(), /lost/)
      for (const verb of [() => demo.up('demo'), () => restart(demo.app, demo.demo, false)]) {
        const error = await rejects(verb, 'GIT_ERROR')
        assert.is(
          error.hint,
          `To mend it, run ${mends}; to make the workspace anew, run \`nexus delete demo && nexus up demo\``,
        )
      }
      assert.is((await demo.repair()).left?.kind, 'repository-other')
      assert.is(await git(demo.repo.path, 'branch', '--list', 'nexus/*'), '')
      assert.is(listMoved(await demo.app.records.list(), moved.repo)[0]?.id, demo.demo.id)
      await demo.repair({ repo: moved.repo })
      await isWhole(demo, join(moved.path, '.worktree', 'demo'))
    })
  }

  test('also one from before there were markers, and never another repository', async () => {
    await using demo = await openDemo()
    await using other = await openLocalApp()
    await rm(join(demo.repo.path, '.git', 'worktrees', 'demo', MARKER))
    await using moved = await move(demo)
    const error = await rejects(() => demo.repair({ repo: requireRepository(other.repo.path) }), 'INVALID_ARGUMENT')
    assert.match(error.message, /has no worktree of workspace demo/)
    await demo.repair({ repo: moved.repo })
    await isWhole(demo, join(moved.path, '.worktree', 'demo'))
  })
})

suite('adopt', (test) => {
  test('a worktree made by hand becomes a workspace; a delete leaves it where and as it is', async () => {
    await using local = await openLocalApp()
    await using elsewhere = await tempDir()
    const path = join(elsewhere.path, 'My Worktree')
    await local.repo.git('worktree', 'add', '--quiet', '-b', 'mine', path)
    await writeFile(join(path, 'new'), 'x')
    const request = { given: path, name: undefined, dryRun: false }
    const would = await adopt(local.app, { ...request, name: 'mine', dryRun: true })
    assert.equal(await local.app.records.list(), [])
    assert.equal([would.record.local?.worktree, would.record.branch, would.lost], [path, 'mine', false])
    await rejects(() => adopt(local.app, request), 'INVALID_ARGUMENT')
    const { record } = await adopt(local.app, { ...request, name: 'mine' })
    await rejects(() => adopt(local.app, { ...request, name: 'twice' }), 'WORKSPACE_ALREADY_EXISTS')
    await local.up('mine')
    assert.ok(local.running.has(record.id))
    const done = await deleteWorkspace(local.app, record, {
      force: true,
      deleteBranch: true,
      dryRun: false,
      trash: true,
    })
    assert.equal([done.keptBranch?.name, done.trash], ['mine', null])
    assert.is(await changes(path), '?? new')
    assert.not(existsSync(join(local.repo.path, '.git', 'worktrees', 'My Worktree', MARKER)))
    assert.equal(await local.app.records.list(), [])
  })

  test('a workspace whose record was lost is known by its worktree', async () => {
    await using demo = await openDemo()
    await demo.app.records.remove(demo.demo.id)
    const { record } = await adopt(demo.app, { given: demo.worktree, name: undefined, dryRun: false })
    assert.equal([record.id, record.name, record.local?.adopted], [demo.demo.id, 'demo', false])
    await isWhole(demo, demo.worktree)
  })

  test('a name that is taken is refused before containers of the old one go', async () => {
    await using demo = await openDemo()
    const { id, repo, branch, local } = await demo.up('other')
    await demo.app.records.remove(id)
    const worktree = local?.worktree ?? ''
    const asked = { agent: false, gate: false, ours: true, heldBy: null, password: null, editors: false }
    const lost = {
      id,
      name: 'other',
      project: '',
      repo,
      branch,
      worktree,
      image: '',
      running: true,
      ports: [],
      ...asked,
    }
    const backend = await demo.app.backend('docker')
    const stack = {} as NonNullable<Backend['stack']>
    const lifecycle = { ...backend.lifecycle, findLost: async () => lost }
    const app = { ...demo.app, backend: async () => ({ ...backend, stack, lifecycle }) }
    const request = { given: worktree, name: 'demo', dryRun: false }
    await rejects(() => adopt(app, request), 'WORKSPACE_ALREADY_EXISTS')
    assert.ok(demo.running.has(id))
    await adopt(app, { ...request, name: 'other' })
    assert.not(demo.running.has(id))
  })

  test("what is no linked worktree is refused: the repository's own checkout, a plain folder, nothing, no branch", async () => {
    await using demo = await openDemo()
    await using plain = await tempDir()
    const refused = (given: string, code: 'INVALID_ARGUMENT' | 'REPOSITORY_NOT_FOUND') =>
      rejects(() => adopt(demo.app, { given, name: undefined, dryRun: false }), code)
    assert.match((await refused(demo.repo.path, 'INVALID_ARGUMENT')).message, /own checkout/)
    const [bare, side] = [join(plain.path, 'bare.git'), join(plain.path, 'side')]
    await git(plain.path, 'clone', '--quiet', '--bare', demo.repo.path, bare)
    await git(bare, 'worktree', 'add', '--quiet', '-b', 'side', side)
    const { message, hint } = await refused(side, 'INVALID_ARGUMENT')
    assert.is(message, `${side} counts as a repository of its own: ${bare}, whose worktree it is, has no main one.`)
    assert.match(hint ?? '', new RegExp(`--repo ${side}\`$`))
    await refused(plain.path, 'REPOSITORY_NOT_FOUND')
    await refused('no-such-thing', 'INVALID_ARGUMENT')
    await demo.repo.git('worktree', 'add', '--quiet', '--detach', join(plain.path, 'loose'))
    const error = await refused(join(plain.path, 'loose'), 'INVALID_ARGUMENT')
    assert.match(error.hint ?? '', /switch -c/)
  })
})

suite('rename', (test) => {
  test('changes the name alone; the old one is free, what was made under it stays', async () => {
    await using demo = await openDemo()
    await demo.up('taken')
    const to = async (name: string, dryRun = false) => renameWorkspace(demo.app, await demo.now(), { to: name, dryRun })
    await rejects(() => to('taken'), 'WORKSPACE_ALREADY_EXISTS')
    await rejects(() => to('taken', true), 'WORKSPACE_ALREADY_EXISTS')
    await rejects(() => to('no good'), 'INVALID_ARGUMENT')
    const places = `{xs: {path: /elsewhere}, own: {path: ${demo.demo.repo}}}`
    await writeFile(demo.app.home.config, `workspaces: ${places}\n`)
    const plain = await rejects(() => to('xs/q'), 'INVALID_ARGUMENT')
    assert.is(plain.hint, 'To rename it where it is, run `nexus rename demo q`')
    assert.is((await to('own/better', true)).record.name, 'better')
    assert.is((await to(`${basename(demo.demo.repo)}/better`, true)).record.name, 'better')
    assert.match((await to('feature/better', true)).record.name, /^feature-better-[a-z2-7]{4}$/)
    assert.is((await to('better', true)).record.name, 'better')
    assert.is((await demo.now()).name, 'demo')
    const { record } = await to('better')
    assert.equal(
      [record.name, record.madeAs, record.id, record.branch, record.local?.worktree],
      ['better', 'demo', demo.demo.id, 'nexus/demo', demo.worktree],
    )
    assert.ok(demo.running.has(record.id))
    assert.is((await to('better')).changed, false)
    assert.is((await to('third')).record.madeAs, 'demo')
    assert.is((await to('demo')).record.madeAs, undefined)
  })
})
