/**
 * Deletes and merges that lost what git's status does not tell, in one scene. Each row was shown to lose it on the old code.
 *
 * | finding | what was lost | where it was | since |
 * |---|---|---|---|
 * | F1 | edits under skip-worktree and assume-unchanged: by delete, `--force`, `prune --merged`, in both git modes | lib/workspace/git/losses.ts | 66faf1f |
 * | F1 | repositories and linked worktrees in ignored folders; locked worktrees | lib/workspace/git/losses.ts | 66faf1f |
 * | F3 | ignored and marked files of the main worktree, by a merge | lib/workspace/git/merge.ts | 0756d64 |
 * | F4 | the trash, by a clock that jumped | lib/workspace/trash/trash.ts | b5a1431 |
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { commitLongAgo, leaveAlone, must, openScene, type Scene } from './scene.ts'

const LIMIT_MS = 180_000
const FILES = { 'a.txt': 'a\n', 'b.txt': 'b\n', '.gitignore': 'ignored/\n*.cfg\n' }
const DAY_MS = 86_400_000

async function mark(worktree: string, path: string, option: string): Promise<void> {
  await must(['git', '-C', worktree, 'update-index', option, path])
  await writeFile(join(worktree, path), 'my own settings\n')
}

async function isDirty(scene: Scene, wanted: string): Promise<boolean | null | undefined> {
  return (await scene.list('--dirty')).find(({ name }) => name === wanted)?.dirty
}

/** What a delete refuses for, a line for each. */
async function lostOf(scene: Scene, name: string): Promise<string> {
  const { details } = await scene.refused(['delete', name], 4, 'WORKSPACE_DIRTY')
  return ((details?.lost ?? []) as readonly string[]).join('\n')
}

/** In a worktree of either git mode. */
async function keepsMarked(scene: Scene, name: string, ...mode: string[]): Promise<void> {
  const worktree = (await scene.up(name, '--no-start', ...mode)).worktree ?? ''
  await mark(worktree, 'a.txt', '--skip-worktree')
  assert.is(await isDirty(scene, name), true)
  assert.match(await lostOf(scene, name), /a\.txt \(skip-worktree\)/)
  await must(['git', '-C', worktree, 'update-index', '--no-skip-worktree', 'a.txt'])
  await must(['git', '-C', worktree, 'checkout', '--quiet', 'a.txt'])
  await mark(worktree, 'b.txt', '--assume-unchanged')
  assert.match(await lostOf(scene, name), /b\.txt \(assume-unchanged\)/)
}

interface Entry {
  readonly key: string
  readonly name: string
  readonly files: string
}

async function listTrash(scene: Scene): Promise<readonly Entry[]> {
  return (JSON.parse(await scene.ok(['trash', 'list', '--json'])) as { trash: Entry[] }).trash
}

async function trashKeeps(scene: Scene, name: string, path: string): Promise<void> {
  const entry = (await listTrash(scene)).find((one) => one.name === name)
  assert.is(await readFile(join(entry?.files ?? '', path), 'utf8'), 'my own settings\n')
}

async function keepsRepositories(scene: Scene, worktree: string): Promise<void> {
  const own = join(worktree, 'ignored', 'deep', 'own')
  await mkdir(own, { recursive: true })
  await must(['git', '-C', own, 'init', '--quiet'])
  await must(['git', '-C', worktree, 'worktree', 'add', '--quiet', '--detach', 'ignored/linked'])
  await must(['git', '-C', worktree, 'worktree', 'lock', '--reason', 'on a stick', worktree])
  const said = await lostOf(scene, 'one')
  for (const word of ['the repository ignored/deep/own', 'the linked worktree ignored/linked', 'locked: on a stick'])
    assert.ok(said.includes(word), said)
  await scene.refused(['delete', 'one', '--force'], 4, 'WORKSPACE_DIRTY')
}

async function mergeReplacesNothing(scene: Scene): Promise<string> {
  const { worktree: made, id } = await scene.up('merged', '--no-start')
  const worktree = made ?? ''
  const top = scene.repo.path
  await writeFile(join(worktree, 'local.cfg'), 'tracked\n')
  await must(['git', '-C', worktree, 'add', '-f', 'local.cfg'])
  await commitLongAgo(worktree, 'theirs')
  await writeFile(join(top, 'local.cfg'), 'my secrets\n')
  for (const form of [['--dry-run'], [], ['--squash']]) {
    const error = await scene.refused(['merge', 'merged', ...form], 4, 'SYNC_CONFLICT')
    assert.equal(error.details?.files, ['local.cfg'])
    assert.is(await readFile(join(top, 'local.cfg'), 'utf8'), 'my secrets\n')
  }
  await must(['mv', join(top, 'local.cfg'), join(top, 'kept.cfg')])
  await scene.ok(['merge', 'merged'])
  return id
}

/** Its branch has arrived, and what it holds has not. */
async function pruneKeeps(scene: Scene, id: string): Promise<void> {
  const worktree = join(scene.repo.path, '.worktree', 'merged')
  await mark(worktree, 'a.txt', '--skip-worktree')
  await leaveAlone(scene, id, worktree)
  assert.match(await scene.ok(['prune', '--merged']), /would be lost/)
  assert.ok(existsSync(join(worktree, 'a.txt')))
  await must(['git', '-C', worktree, 'update-index', '--no-skip-worktree', 'a.txt'])
  await must(['git', '-C', worktree, 'checkout', '--quiet', 'a.txt'])
  await must(['git', '-C', worktree, 'worktree', 'lock', worktree])
  assert.match(await scene.ok(['prune', '--merged']), /locked/)
  await must(['git', '-C', worktree, 'worktree', 'unlock', worktree])
}

/** As if all of it had been put there long ago, or comes from a clock that was ahead. */
async function setTime(scene: Scene, { key }: Entry, ms: number): Promise<void> {
  const note = join(scene.home, '.nexus', 'trash', key, 'entry.json')
  const deletedAt = new Date(Date.now() + ms).toISOString()
  await writeFile(note, JSON.stringify({ ...JSON.parse(await readFile(note, 'utf8')), deletedAt }))
}

async function clockEmptiesNothing(scene: Scene): Promise<void> {
  const entries = await listTrash(scene)
  const keys = entries.map(({ key }) => key).sort()
  for (const entry of entries) await setTime(scene, entry, -100 * DAY_MS)
  // one that is put there with the clock as it is now saves the others from nothing
  const { worktree } = await scene.up('late', '--no-start')
  await writeFile(join(worktree ?? '', 'new'), 'x')
  const { stderr } = await scene.run(['delete', 'late', '--force'])
  assert.match(stderr, /nexus gc/)
  await scene.ok(['delete', 'merged'])
  const late = (await listTrash(scene)).filter(({ key }) => !keys.includes(key))
  assert.is((await listTrash(scene)).length, keys.length + 1)
  for (const entry of late) await setTime(scene, entry, 100 * DAY_MS)
  await scene.up('last', '--no-start')
  assert.match((await scene.run(['delete', 'last'])).stderr, /nexus gc/)
  assert.is((await listTrash(scene)).length, keys.length + 1)
  await scene.ok(['gc'])
  assert.equal(
    (await listTrash(scene)).map(({ key }) => key),
    late.map(({ key }) => key),
  )
}

suite("what git's status does not tell", (test) => {
  test(
    'no delete, prune, merge or clock loses it',
    async () => {
      await using scene = await openScene({ files: FILES })
      await keepsMarked(scene, 'one')
      await keepsMarked(scene, 'two', '--git-mode', 'private')
      await keepsRepositories(scene, join(scene.repo.path, '.worktree', 'one'))
      await scene.ok(['delete', 'one', '--force', '--locked'])
      await scene.ok(['delete', 'two', '--force'])
      for (const name of ['one', 'two']) await trashKeeps(scene, name, 'b.txt')
      await pruneKeeps(scene, await mergeReplacesNothing(scene))
      await clockEmptiesNothing(scene)
    },
    LIMIT_MS,
  )
})
