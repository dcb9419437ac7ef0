/**
 * forward, exec --all, run, tmux and current without an engine: what words mean, whose lines are whose, whose leases are whose, and which
 * workspace a folder belongs to.
 */
import { existsSync } from 'node:fs'
import { mkdir, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { Interrupted } from '../../../../lib/core/errors.ts'
import { createInterruption } from '../../../../lib/core/interruption.ts'
import { newWorkspaceId } from '../../../../lib/core/names.ts'
import { createLeases, isHeld } from '../../../../lib/ports/leases.ts'
import { createPrefixer, prefixesOf } from '../../../../lib/report/prefixed.ts'
import { ownIdentity } from '../../../../lib/system/process.ts'
import { requireRepository } from '../../../../lib/tools/repository.ts'
import { parseForward } from '../../../../lib/workspace/exec/forward.ts'
import { runOnce } from '../../../../lib/workspace/exec/run.ts'
import { requireSessionName } from '../../../../lib/workspace/exec/tmux.ts'
import { findCurrent, requireCurrent } from '../../../../lib/workspace/names/current.ts'
import { findWorkspace, requireWorkspace } from '../../../../lib/workspace/names/find.ts'
import { openApp } from '../../../../lib/workspace/open-app.ts'
import { appWorld } from '../../../support/app.ts'
import { anyText, FUZZ, FUZZ_LIMIT_MS, refusedOr } from '../../../support/fuzz.ts'
import { openLocalApp } from '../../../support/local-app.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'
import { tempDir } from '../../../support/temp.ts'

suite('forward', (test) => {
  test('a port alone, with another one here, of a service, or both', () => {
    assert.equal(parseForward('3000'), { local: null, host: 'localhost', port: 3000 })
    assert.equal(parseForward('8080:3000'), { local: 8080, host: 'localhost', port: 3000 })
    assert.equal(parseForward('db:5432'), { local: null, host: 'db', port: 5432 })
    assert.equal(parseForward('15432:my_db-2.x:5432'), { local: 15432, host: 'my_db-2.x', port: 5432 })
    assert.equal(parseForward('80'), { local: null, host: 'localhost', port: 80 })
  })

  test('what is no port is refused with its name', async () => {
    for (const text of [
      '',
      '0',
      '65536',
      'abc',
      '3000:',
      ':3000',
      'a:b',
      '-1',
      '3000:-x:1',
      '1.2',
      '3 000',
      '80:80',
      '*:80',
    ])
      assert.match((await rejects(() => parseForward(text), 'INVALID_ARGUMENT')).message, /port|Port/)
  })

  test(
    'whatever is typed is refused or can be given to ssh as it is',
    () => {
      fc.assert(
        fc.property(
          fc.oneof(
            anyText,
            fc.tuple(anyText, fc.nat(70_000)).map(([a, b]) => `${a}:${b}`),
          ),
          (text) => {
            const found = refusedOr(() => parseForward(text))
            if (found !== undefined)
              assert.match(`${found.local}:${found.host}:${found.port}`, /^(null|\d+):\w[\w.-]*:\d+$/)
          },
        ),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )

  test('a block that a process had for itself is free again once it is gone, and not before', async () => {
    await using dir = await tempDir()
    const warn = (text: string) => assert.unreachable(text)
    const leases = createLeases({ file: join(dir.path, 'ports.json'), rebuild: async () => [], warn })
    const range = { start: 42_000, end: 42_009 }
    const asked = { name: 'demo', repo: '/r', range, offsets: [0], holder: ownIdentity() }
    const [mine] = await leases.acquire({ ...asked, workspace: newWorkspaceId() })
    const second = { ...asked, workspace: newWorkspaceId() }
    const [other] = await leases.acquire({ ...second, holder: { ...ownIdentity(), pidStart: '1' } })
    assert.not.equal(mine, other)
    assert.equal((await leases.list()).map(isHeld), [true, false])
    const third = newWorkspaceId()
    const bases = await leases.acquire({
      ...asked,
      workspace: third,
      range: { start: other ?? 0, end: (other ?? 0) + 9 },
    })
    assert.equal(bases, [other])
    assert.equal(
      (await leases.list()).filter((lease) => !isHeld(lease)),
      [],
    )
    await leases.release(third)
    assert.is((await leases.list()).length, 1)
  })
})

suite('prefixed lines', (test) => {
  test('names are aligned, coloured only where asked', () => {
    assert.equal(prefixesOf(['a', 'long'], false), ['a    | ', 'long | '])
    assert.match(prefixesOf(['a'], true)[0] ?? '', /^\u001b\[36ma \|\u001b\[39m $/)
  })

  test('every byte arrives in its line, whatever the pieces; a last line without an end gets one', () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((all) => all.map((byte) => (byte % 7 === 0 ? 10 : byte)))
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 50 }), (given, size) => {
        const all = Buffer.from(given)
        const prefixer = createPrefixer('x| ')
        const out: Buffer[] = []
        for (let at = 0; at < all.length; at += size) out.push(prefixer.add(all.subarray(at, at + size)))
        out.push(prefixer.rest())
        const text = all.toString('latin1')
        const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n')
        assert.is(Buffer.concat(out).toString('latin1'), lines.map((line) => `x| ${line}\n`).join(''))
      }),
      FUZZ,
    )
  })

  test('a line that never ends is not kept for ever', () => {
    const prefixer = createPrefixer('')
    let shown = 0
    for (let i = 0; i < 100; i++) shown += prefixer.add(Buffer.alloc(10_000, 65)).length
    assert.ok(shown > 900_000)
  })
})

suite('run', (test) => {
  test('interrupted before its command begins, it begins none and removes everything', async () => {
    await using world = await appWorld()
    const interruption = createInterruption()
    const app = openApp({
      cwd: world.repo.path,
      env: world.app.env,
      emit: (event) => {
        if (event.type === 'notice' && / runs after /.test(event.text)) interruption.abort(new Interrupted('SIGTERM'))
      },
      interruption,
    })
    const begun = join(world.folder, 'begun')
    const request = {
      argv: ['touch', begun],
      repo: await requireRepository(world.repo.path),
      name: 'ci',
      from: undefined,
      env: [],
      keepOnFailure: true,
      artifacts: [],
      folder: world.folder,
      imageCache: undefined,
      self: ['true'],
    }
    const error = await runOnce(app, request).catch((thrown: unknown) => thrown)
    assert.instance(error, Interrupted)
    assert.not.ok(existsSync(begun))
    assert.equal(await app.records.list(), [])
  })
})

suite('tmux', (test) => {
  test('a name that tmux would change or take for something else is refused', async () => {
    for (const name of ['nexus', 'build_2', 'größe', 'a-b']) assert.is(requireSessionName(name), name)
    for (const name of ['', 'a:b', 'a.b', '-x', 'a b', '=x', '$(id)', 'x'.repeat(65)])
      await rejects(() => requireSessionName(name), 'INVALID_ARGUMENT')
  })
})

suite('current', (test) => {
  test('the innermost worktree around a folder, through links, below and in repositories inside', async () => {
    await using local = await openLocalApp()
    const { app, repo } = local
    const demo = await local.up('demo')
    const worktree = demo.local?.worktree ?? ''
    const at = async (folder: string) => (await findCurrent({ ...app, cwd: folder }))?.name
    await mkdir(join(worktree, 'a', 'b'), { recursive: true })
    await symlink(join(worktree, 'a'), join(repo.path, 'link'))
    await repo.git('init', '--quiet', join(worktree, 'inner'))
    for (const folder of [worktree, join(worktree, 'a', 'b'), join(repo.path, 'link', 'b'), join(worktree, 'inner')])
      assert.is(await at(folder), 'demo', folder)
    for (const folder of [repo.path, join(repo.path, '.worktree'), '/', `${worktree}-x`])
      assert.is(await at(folder), undefined)
    const error = await rejects(() => requireCurrent(app), 'WORKSPACE_NOT_FOUND')
    assert.is(error.exitCode, 3)
    assert.is((await requireWorkspace({ ...app, cwd: worktree }, 'current')).id, demo.id)
    await rejects(() => findWorkspace(app, 'current', requireRepository(repo.path)), 'INVALID_ARGUMENT')
  })

  test('a worktree that was moved by hand is still known', async () => {
    await using local = await openLocalApp()
    const demo = await local.up('demo')
    const moved = join(local.repo.path, 'elsewhere')
    await rename(demo.local?.worktree ?? '', moved)
    await mkdir(join(moved, 'sub'))
    assert.is((await findCurrent({ ...local.app, cwd: join(moved, 'sub') }))?.id, demo.id)
  })
})
