/**
 * State files that are damaged, empty, cut off, of a newer Nexus or another user's: no port that is used is given out, nothing is
 * deleted, and what was there is kept. On the mock backend with real worktrees and leases.
 */
import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { writeFiles } from '../support/temp.ts'
import { openScene, type Scene } from './scene.ts'
import { makeUser } from './users.ts'

const env = { NEXUS_BACKEND: 'mock', NEXUS_MOCK_WITH: 'worktree,local-ports' }

const DAMAGES: Readonly<Record<string, (text: string) => string>> = {
  empty: () => '',
  'cut off': (text) => text.slice(0, Math.floor(text.length / 2)),
  'no JSON': () => '\0\0\0\0',
  'of another shape': () => '{"schema": 1}',
  'of a newer Nexus': () => '{"schema": 99, "leases": []}',
}

const portsOf = async (scene: Scene) =>
  (await scene.list()).flatMap(({ name, ports }) => ports.map(({ host }) => `${name} ${host}`))

/** The workspace `one` with uncommitted work in it. */
async function openWorked(): Promise<Scene> {
  const scene = await openScene({ env })
  await scene.ok(['up', 'one'])
  await writeFiles(join(scene.repo.path, '.worktree', 'one'), { 'work.txt': 'of days\n' })
  return scene
}

async function requireUntouched(scene: Scene): Promise<void> {
  assert.is(await readFile(join(scene.repo.path, '.worktree', 'one', 'work.txt'), 'utf8'), 'of days\n')
  assert.match(await scene.repo.git('for-each-ref', 'refs/heads'), 'nexus/one')
}

suite('damaged state', (test) => {
  for (const name of ['ports.json', 'subnets.json']) {
    test(`${name}: built again from the records, so that no lease is lost`, async () => {
      await using scene = await openWorked()
      const file = join(scene.home, '.nexus', 'state', name)
      const before = await portsOf(scene)
      const [kept = ''] = [await readFile(file, 'utf8')]
      for (const [what, damage] of Object.entries(DAMAGES)) {
        const text = damage(kept)
        await writeFile(file, text)
        const newer = what === 'of a newer Nexus'
        const up = await scene.run(['up', 'two', '--quiet'])
        assert.is(up.code, newer ? 2 : 0, `${what}: ${up.stderr}`)
        if (newer) {
          assert.is(await readFile(file, 'utf8'), text, 'a newer file was written over')
          await writeFile(file, kept)
        } else {
          const aside = (await readdir(dirname(file))).filter((one) => one.startsWith(`${name}.damaged-`))
          assert.is(aside.length, 1, what)
          assert.is(await readFile(join(dirname(file), aside[0] ?? ''), 'utf8'), text)
          await rm(join(dirname(file), aside[0] ?? ''))
          const now = await portsOf(scene)
          assert.is(new Set(now.map((one) => one.split(' ')[1])).size, now.length, `a port twice: ${now}`)
          assert.equal(
            now.filter((one) => one.startsWith('one ')),
            before,
            what,
          )
          await scene.ok(['delete', 'two', '--quiet'])
        }
        await requireUntouched(scene)
      }
    }, 60_000)
  }

  test("a record: it is kept, its lease stays, and its files are in nobody's way", async () => {
    await using scene = await openWorked()
    const [id = ''] = await readdir(join(scene.home, '.nexus', 'workspaces'))
    const file = join(scene.home, '.nexus', 'workspaces', id, 'workspace.json')
    const kept = await readFile(file, 'utf8')
    const used = await portsOf(scene)
    for (const [what, damage] of Object.entries(DAMAGES)) {
      await writeFile(file, damage(kept))
      if (what === 'of a newer Nexus') {
        for (const args of [['up', 'two'], ['delete', 'one', '--force'], ['list']])
          await scene.refused(args, 2, 'UNSUPPORTED')
        assert.is(await readFile(file, 'utf8'), damage(kept))
      } else {
        assert.equal(await portsOf(scene), [], what)
        await scene.refused(['delete', 'one', '--force'], 3, 'WORKSPACE_NOT_FOUND')
        await scene.refused(['up', 'one'], 4, 'BRANCH_IN_USE')
        await scene.ok(['up', 'two', '--quiet'])
        const now = await portsOf(scene)
        assert.equal(
          now.filter((one) => used.some((old) => old.split(' ')[1] === one.split(' ')[1])),
          [],
          what,
        )
        await scene.ok(['delete', 'two', '--quiet'])
        const aside = (await readdir(dirname(file))).filter((one) => one.startsWith(`${basename(file)}.damaged-`))
        assert.is(aside.length, 1, what)
        await rm(join(dirname(file), aside[0] ?? ''))
      }
      await requireUntouched(scene)
    }
    await writeFile(file, kept)
    await scene.ok(['exec', 'one', '--', 'true'])
  }, 60_000)

  test('a record that a power cut tore in an operation is taken from before it', async () => {
    await using scene = await openWorked()
    const [id = ''] = await readdir(join(scene.home, '.nexus', 'workspaces'))
    const file = join(scene.home, '.nexus', 'workspaces', id, 'workspace.json')
    const failed = await scene.run(['stop', 'one'], { env: { NEXUS_FAILPOINT: 'stop.stop:kill' } })
    assert.is(failed.code, 137, failed.stderr)
    assert.ok(existsSync(`${file}.before`))
    await writeFile(file, '')
    const { code, stderr } = await scene.run(['exec', 'one', '--', 'true'])
    assert.is(code, 0, stderr)
    assert.match(stderr, 'what it was before the last operation is used')
    await scene.ok(['stop', 'one'])
    assert.not(existsSync(`${file}.before`))
    const aside = (await readdir(dirname(file))).filter((one) => one.includes('.damaged-'))
    assert.is(aside.length, 1)
  }, 60_000)

  test('the instance: never another one while a workspace is there', async () => {
    await using scene = await openWorked()
    const file = join(scene.home, '.nexus', 'state', 'instance')
    const kept = await readFile(file, 'utf8')
    for (const text of ['', 'half', '\0']) {
      await writeFile(file, text)
      const error = await scene.refused(['up', 'two'], 2, 'CONFIG_INVALID')
      assert.match(error.message, 'is damaged')
      assert.is(await readFile(file, 'utf8'), text)
    }
    // a generated compose file tells what it was
    const [id = ''] = await readdir(join(scene.home, '.nexus', 'workspaces'))
    const compose = join(scene.home, '.nexus', 'workspaces', id, 'docker-compose.yml')
    await writeFile(compose, `services:\n  workspace:\n    labels:\n      dev.nexus.instance: "${kept.trim()}"\n`)
    for (const lose of [() => writeFile(file, ''), () => rm(file)]) {
      await lose()
      await scene.ok(['exec', 'one', '--', 'true'])
      assert.is(await readFile(file, 'utf8'), kept)
    }
    await requireUntouched(scene)
  }, 60_000)

  test('approvals: whatever is in the file, nothing is approved by it', async () => {
    const files = { '.nexus/config.yaml': 'hooks: {post-start: {run: touch ran, on: host}}\n' }
    await using scene = await openScene({ env, files })
    const error = await scene.refused(['up', 'one'], 4, 'APPROVAL_REQUIRED')
    await scene.ok(['trust', 'approve', String(error.details.hash)])
    const file = join(scene.home, '.nexus', 'state', 'approvals.json')
    const kept = await readFile(file, 'utf8')
    for (const [what, damage] of Object.entries(DAMAGES)) {
      await writeFile(file, damage(kept))
      const newer = what === 'of a newer Nexus'
      await scene.refused(['up', 'one'], newer ? 2 : 4, newer ? 'UNSUPPORTED' : 'APPROVAL_REQUIRED')
    }
    await writeFile(file, kept)
    await scene.ok(['up', 'one'])
  }, 60_000)

  test("another user's: refused by name, and left as it is", async () => {
    await using user = await makeUser({ inDockerGroup: false })
    await using scene = await openScene({ user, env })
    await scene.ok(['up', 'one'])
    const [id = ''] = await readdir(join(scene.home, '.nexus', 'workspaces'))
    const state = ['ports.json', 'subnets.json', 'instance'].map((name) => join(scene.home, '.nexus', 'state', name))
    for (const file of [...state, join(scene.home, '.nexus', 'workspaces', id, 'workspace.json')]) {
      const text = await readFile(file, 'utf8')
      await rm(file)
      await writeFile(file, text) // root's now
      await chmod(file, 0o600)
      const { message } = await scene.refused(['up', 'two'], 1, 'PERMISSION_DENIED')
      assert.match(message, file)
      assert.is(await readFile(file, 'utf8'), text)
      await user.own(file)
      // where its leases could not be given back, the create is noted still, and goes with the next command
      await scene.run(['delete', 'two'])
      assert.is((await scene.list()).length, 1, file)
    }
  }, 60_000)
})
