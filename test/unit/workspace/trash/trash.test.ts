/** gc, prune, list --size and the budget, on real git and the mock backend. */

import { existsSync } from 'node:fs'
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { worktreeOf } from '../../../../lib/core/record-parts.ts'
import type { WorkspaceRecord } from '../../../../lib/core/workspace.ts'
import { collectGarbage } from '../../../../lib/doctor/gc.ts'
import { connectedPorts, orderByIdleness } from '../../../../lib/record/last-use.ts'
import { ownIdentity } from '../../../../lib/system/process.ts'
import { requireRepository } from '../../../../lib/tools/repository.ts'
import { judgeBudget } from '../../../../lib/workspace/lifecycle/budget.ts'
import { bringUp } from '../../../../lib/workspace/lifecycle/up.ts'
import { listWorkspaces } from '../../../../lib/workspace/status/list.ts'
import { pruneMerged } from '../../../../lib/workspace/trash/prune.ts'
import { listTrash, saveEntry } from '../../../../lib/workspace/trash/trash.ts'
import { type AppWorld, appWorld, localIn, makeRecord } from '../../../support/app.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'

const DAY_MS = 24 * 3_600_000

async function up(world: AppWorld, name: string, dryRun = false): Promise<WorkspaceRecord> {
  const repo = requireRepository(world.repo.path)
  const existing = (await world.app.records.list()).find((record) => record.name === name)
  return (await bringUp(world.app, { given: name, repo, existing, start: true, dryRun })).record
}

suite('gc', (test) => {
  test('lists with sizes, then removes parts, old logs and build folders, and nothing that is needed', async () => {
    await using world = await appWorld()
    const [kept, gone] = [await up(world, 'kept'), await up(world, 'gone')]
    await world.app.records.remove(gone.id)
    const { home } = world.app
    const files = [
      [join(home.logs, 'crash-2026-01-01.log'), true],
      [join(home.logs, 'run.log'), false],
      [join(home.logs, `${gone.id}.hooks.log`), false],
      [join(home.logs, `${kept.id}.hooks.log`), false],
      [join(home.cache, 'image', 'abc-1', 'Dockerfile'), true],
      [join(home.cache, 'image', 'abc-2', 'Dockerfile'), false],
    ] as const
    const before = new Date(Date.now() - 40 * DAY_MS)
    for (const [path, old] of files) {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, 'text')
      if (old) await utimes(path, before, before)
      if (old && path.endsWith('Dockerfile')) await utimes(join(path, '..'), before, before)
    }
    const entry = (key: string, deletedAt: string) => {
      const files = join(home.trash, key, 'files')
      return { schema: 2, key, deletedAt, record: gone, files, branch: null, head: null, lost: [] } as const
    }
    await saveEntry(world.app, entry('old', '2026-01-01T00:00:00Z'))
    await saveEntry(world.app, entry('new', new Date().toISOString()))
    const expected = [
      `workspace ${gone.id}: workspace ${gone.id} is gone`,
      `log ${join(home.logs, 'crash-2026-01-01.log')}: not written to for 30 days`,
      `log ${join(home.logs, `${gone.id}.hooks.log`)}: workspace ${gone.id} is gone`,
      `build folder ${join(home.cache, 'image', 'abc-1')}: a build that never ended`,
      'trash old: gone, whose time is up',
    ]
    const told = async (dryRun: boolean) => {
      const { items, kept: left } = await collectGarbage(world.app, { all: false, dryRun })
      assert.equal(left, [])
      for (const { bytes } of items) assert.type(bytes, 'number')
      return items.map(({ kind, name, cause }) => `${kind} ${name}: ${cause}`)
    }
    assert.equal(await told(true), expected)
    assert.ok(
      files.every(([path]) => existsSync(path)),
      'a dry run removes nothing',
    )
    assert.equal(await told(false), expected)
    assert.equal(await told(true), [])
    assert.equal(
      (await listTrash(world.app)).map(({ key }) => key),
      ['new'],
    )
    assert.equal(
      files.map(([path]) => existsSync(path)),
      [false, true, false, true, false, true],
    )
    assert.equal([...(await (await world.app.backend('mock')).lifecycle.observe()).keys()], [kept.id])
  })
})

suite('prune --merged', (test) => {
  /** A workspace whose branch has a commit of its own. */
  async function branchOff(world: AppWorld, name: string, file = name): Promise<WorkspaceRecord> {
    const { path, git } = world.repo
    const worktree = join(path, '.worktree', name)
    await git('worktree', 'add', '--quiet', '-b', `nexus/${name}`, worktree)
    const base = await git('rev-parse', 'HEAD')
    await writeFile(join(worktree, file), name)
    await git('-C', worktree, 'add', '--all')
    await git('-C', worktree, 'commit', '--quiet', '--message', name)
    return world.record(name, { local: localIn(path, worktree), base })
  }

  async function verdicts(world: AppWorld, dryRun: boolean, olderThanMs?: number, now = Date.now() + 2 * DAY_MS) {
    const all = await pruneMerged(world.app, { repo: world.repo.path, olderThanMs, dryRun, now })
    return Object.fromEntries(
      all.map(({ record, prune, reason }) => [record.name, `${prune ? 'goes' : 'stays'}: ${reason}`]),
    )
  }

  test('says what of it goes to the trash, before and after', async () => {
    await using world = await appWorld()
    const { git, path } = world.repo
    const worktree = worktreeOf(await branchOff(world, 'merged'))
    await git('merge', '--quiet', '--no-edit', 'nexus/merged')
    await writeFile(join(path, '.git', 'info', 'exclude'), '/.worktree/\n*.notes\n')
    await writeFile(join(worktree ?? '', 'my.notes'), 'work')
    assert.equal(await verdicts(world, true), { merged: 'goes: merged into main; to the trash: my.notes (4 B)' })
    assert.equal(await verdicts(world, false), { merged: 'goes: merged into main; in the trash: my.notes (4 B)' })
    const [entry] = await listTrash(world.app)
    assert.is(await readFile(join(entry?.files ?? '', 'my.notes'), 'utf8'), 'work')
  })

  test('deletes what has arrived in the default branch; what holds changes, is not merged or has not begun stays', async () => {
    await using world = await appWorld()
    const { git, path } = world.repo
    const merged = await branchOff(world, 'merged')
    await branchOff(world, 'dirty')
    await branchOff(world, 'open')
    const away = await branchOff(world, 'away')
    await git('merge', '--quiet', '--no-edit', 'nexus/merged', 'nexus/dirty', 'nexus/away')
    await writeFile(join(path, '.worktree', 'dirty', 'more'), 'of days')
    await git('-C', away.local?.worktree ?? '', 'switch', '--quiet', '--detach')
    const fresh = join(path, '.worktree', 'fresh')
    await git('worktree', 'add', '--quiet', '-b', 'nexus/fresh', fresh)
    await world.record('fresh', {
      local: localIn(path, fresh),
      base: await git('rev-parse', 'HEAD'),
    })
    await world.record('lost')
    const expected = {
      merged: 'goes: merged into main',
      dirty: 'stays: merged into main, but Workspace dirty holds a change that would be lost',
      open: 'stays: not merged',
      away: 'stays: it is on a detached HEAD',
      fresh: 'stays: no commits yet',
      lost: 'stays: branch nexus/lost is gone',
    }
    assert.equal(await verdicts(world, true), expected)
    assert.ok(existsSync(merged.local?.worktree ?? ''), 'a dry run deletes nothing')
    assert.equal(await verdicts(world, true, DAY_MS), {
      ...expected,
      merged: 'stays: merged into main, but too new',
      dirty: 'stays: merged into main, but too new',
    })
    assert.equal(await verdicts(world, false), expected)
    const { merged: _, ...left } = expected
    assert.equal(await verdicts(world, false), left)
    assert.not.ok(existsSync(merged.local?.worktree ?? ''))
    assert.is(await git('branch', '--list', 'nexus/merged'), '')
    assert.ok(existsSync(join(path, '.worktree', 'dirty', 'more')))
  })

  test('keeps what was made, written or committed to in the last day, started or not', async () => {
    await using world = await appWorld()
    const made = await branchOff(world, 'merged')
    const { id } = made
    const worktree = worktreeOf(made)
    await world.repo.git('merge', '--quiet', '--no-edit', 'nexus/merged')
    const used = 'stays: merged into main, but it was made or used in the last 24 hours'
    assert.equal(await verdicts(world, true, undefined, Date.now()), { merged: used })
    const soon = Date.now() + DAY_MS + 60_000
    assert.equal(await verdicts(world, true, undefined, soon), { merged: 'goes: merged into main' })
    const admin = join(world.repo.path, '.git', 'worktrees', 'merged')
    const record = join(world.app.home.workspaces, id, 'workspace.json')
    for (const path of [worktree ?? '', join(admin, 'index'), join(admin, 'logs', 'HEAD'), record]) {
      await utimes(path, soon / 1000, soon / 1000)
      assert.equal(await verdicts(world, true, undefined, soon), { merged: used }, path)
      await utimes(path, 0, 0)
    }
  })

  test('sees a squash and a rebase once the host has deleted the branch', async () => {
    await using world = await appWorld()
    await using origin = await appWorld()
    const { git } = world.repo
    await git('remote', 'add', 'origin', origin.repo.path)
    for (const name of ['squashed', 'rebased', 'open']) {
      const worktree = worktreeOf(await branchOff(world, name))
      if (name === 'squashed') {
        await writeFile(join(worktree ?? '', 'squashed'), 'twice\n')
        await git('-C', worktree ?? '', 'commit', '--quiet', '--all', '--message', 'again')
      }
      await git('-C', worktree ?? '', 'push', '--quiet', '-u', 'origin', `nexus/${name}`)
    }
    await git('commit', '--quiet', '--allow-empty', '--message', 'meanwhile')
    await git('cherry-pick', 'nexus/rebased')
    await git('merge', '--quiet', '--squash', 'nexus/squashed')
    await git('commit', '--quiet', '--message', 'all of it')
    const stays = { squashed: 'stays: not merged', rebased: 'stays: not merged', open: 'stays: not merged' }
    assert.equal(await verdicts(world, true), stays)
    for (const name of ['squashed', 'rebased']) await git('push', '--quiet', '--delete', 'origin', `nexus/${name}`)
    const found = await verdicts(world, true)
    assert.is(found.squashed, 'goes: squashed into main, upstream gone')
    assert.is(found.rebased, 'goes: rebased onto main, upstream gone')
    assert.is(found.open, 'stays: not merged')
  })

  test("takes origin's default branch where there is one", async () => {
    await using world = await appWorld()
    const { git } = world.repo
    await branchOff(world, 'a')
    await git('branch', '--quiet', 'trunk', 'nexus/a')
    assert.equal(await verdicts(world, true), { a: 'stays: not merged' })
    await git('update-ref', 'refs/remotes/origin/trunk', 'nexus/a')
    await git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/trunk')
    assert.equal(await verdicts(world, true), { a: 'goes: merged into origin/trunk' })
  })
})

suite('list --size', (test) => {
  test('measures worktree, state and backend; what cannot be measured is null, and without asking there is no size', async () => {
    await using world = await appWorld()
    const { id } = await up(world, 'a')
    await writeFile(join(world.app.home.cache, 'mock', id, 'big'), Buffer.alloc(300_000))
    const [plain] = await listWorkspaces(world.app, { repo: undefined, dirty: false, size: false })
    assert.not.ok('size' in (plain ?? {}))
    const [measured] = await listWorkspaces(world.app, { repo: undefined, dirty: false, size: true })
    const size = measured?.size
    assert.is(size?.worktree, 0)
    assert.ok((size?.layers ?? 0) >= 300_000 && (size?.state ?? 0) > 0)
    assert.is(size?.total, (size?.layers ?? 0) + (size?.state ?? 0))

    await using without = await appWorld({ PATH: world.folder })
    await without.record('b')
    const [unknown] = await listWorkspaces(without.app, { repo: undefined, dirty: false, size: true })
    assert.equal([unknown?.size?.state, unknown?.size?.total], [null, null])
  })
})

suite('the budget', (test) => {
  const GIB = 1024 ** 3

  test('counts workspaces, and memory by what each may use', () => {
    const of = (...memory: readonly (number | null)[]) => memory.map((one) => ({ memory: one }))
    const judge = (present: ReturnType<typeof of>, running?: number, memory?: number, own: number | null = null) =>
      judgeBudget(present, { memory: own }, { running, memory })
    assert.is(judge(of(null, null)), undefined)
    assert.is(judge(of(null, null), 3), undefined)
    assert.is(judge(of(null, null), 2), '2 workspaces are in memory, and limits.running is 2')
    assert.is(judge(of(null), 1), 'One workspace is in memory, and limits.running is 1')
    assert.is(judge(of(GIB, null), undefined, 3 * GIB), undefined)
    assert.is(
      judge(of(2 * GIB, null), undefined, 3 * GIB, 512 * 1024 ** 2),
      '2 workspaces are in memory and may use 3g, this one another 0.5g, and limits.memory is 3g',
    )
  })

  test('the workspace too many is refused before anything is changed, with those that idle and what stops one', async () => {
    await using world = await appWorld({ NEXUS_LIMITS_RUNNING: '2' })
    const [first] = [await up(world, 'first'), await up(world, 'second')]
    const before = await world.app.records.list()
    const error = await rejects(() => up(world, 'third'), 'RESOURCE_EXHAUSTED')
    assert.match(
      error.message,
      /^2 workspaces are in memory, and limits\.running is 2: (first|second) \(idle \ds\), (first|second) \(idle \ds\)\.$/,
    )
    assert.match(error.hint ?? '', /`nexus stop ws-[a-z2-7]{8}`$/)
    assert.equal(await world.app.records.list(), before)
    await rejects(() => up(world, 'third', true), 'RESOURCE_EXHAUSTED')
    assert.equal((await up(world, 'first')).id, first?.id, 'one that runs already is no other')

    const backend = await world.app.backend('mock')
    if (first === undefined) throw new Error('it is up')
    await backend.pause?.pause(first)
    await rejects(() => up(world, 'third'), 'RESOURCE_EXHAUSTED')
    await backend.lifecycle.stop(first, undefined)
    const third = await up(world, 'third')
    await rejects(() => up(world, 'first'), 'RESOURCE_EXHAUSTED')
    assert.is((await world.app.records.load(first.id))?.operation, null)
    await backend.lifecycle.stop(third, undefined)
    await up(world, 'first')
  })

  test('one that another process is bringing up counts, so that two at once do not both fit', async () => {
    await using world = await appWorld({ NEXUS_LIMITS_RUNNING: '1' })
    const working = {
      kind: 'start',
      done: [],
      step: 'start',
      startedAt: '2026-11-26T12:00:00Z',
      ...ownIdentity(),
    } as const
    const other = await world.record('other', { operation: working })
    await rejects(() => up(world, 'mine'), 'RESOURCE_EXHAUSTED')
    await world.app.records.save({ ...other, operation: { ...working, pid: 4_194_999, pidStart: '1' } })
    await up(world, 'mine')
  })

  test('memory: two that may use 1g each fit into 2g, a third does not', async () => {
    await using world = await appWorld({ NEXUS_LIMITS_MEMORY: '2g' })
    await up(world, 'first')
    await up(world, 'second')
    const error = await rejects(() => up(world, 'third'), 'RESOURCE_EXHAUSTED')
    assert.match(error.message, /limits\.memory is 2g/)
  })

  test('idle is who is not connected and was left alone longest', async () => {
    await using world = await appWorld()
    const make = (name: string, host: number, createdAt: string) => {
      const ports = [{ name: 'ssh', container: 22, host, protocol: 'tcp' }] as const
      return makeRecord(name, world.repo.path, { ports, createdAt })
    }
    const records = [make('young', 1, '2026-11-25T00:00:00Z'), make('old', 2, '2026-11-24T00:00:00Z')]
    assert.equal(
      orderByIdleness(world.app.home, records).map(({ record }) => record.name),
      ['old', 'young'],
    )
    const table = [
      '  sl  local_address rem_address   st tx_queue',
      '   0: 0100007F:8020 00000000:0000 0A 00000000:00000000',
      '   1: 0100007F:8021 0100007F:D431 01 00000000:00000000',
    ].join('\n')
    assert.equal([...connectedPorts(table)], [0x8021, 0xd431])
  })
})
