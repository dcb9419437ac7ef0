/** Many ignored files at once, which several processes copy: as one `cp` would have left them, and nothing outside. */
import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdir, readFile, readlink, stat, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Event } from '../../lib/core/events.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import { createIgnoredFiles } from '../../lib/project/ignored-files.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { assert, suite } from '../support/suite.ts'
import { tempRepo, writeFiles } from '../support/temp.ts'

const FILES = 300
const LONG_AGO = new Date('2001-02-03T04:05:06Z')

suite('many ignored files', (test) => {
  test('are copied with modes, times and links; what is there stays, and no link of the branch leads out', async () => {
    await using repo = await tempRepo({
      files: { '.gitignore': 'deps/\n*.env\n', '.worktreeinclude': 'deps/\n*.env\n' },
    })
    await using outside = await tempRepo()
    const names = Array.from({ length: FILES }, (_, i) => `deps/pkg-${i % 100}/lib/${i}.js`)
    const others = { 'deps/kept.js': 'main', 'deps/out/evil': 'x', 'deps/-rf': 'dash', 'a.env': 'a', 'sub/b.env': 'b' }
    await writeFiles(repo.path, { ...Object.fromEntries(names.map((name) => [name, name])), ...others })
    const at = (path: string) => join(repo.path, path)
    await mkdir(at('deps/empty'))
    await symlink('../pkg-1', at('deps/pkg-0/link'))
    await chmod(at('deps/pkg-0/lib/0.js'), 0o755)
    await chmod(at('deps/pkg-2/lib'), 0o555)
    for (const path of ['deps/pkg-0/lib/0.js', 'deps/pkg-0', 'deps']) await utimes(at(path), LONG_AGO, LONG_AGO)

    const worktree = join(outside.path, 'w')
    await repo.git('worktree', 'add', '--quiet', worktree)
    await writeFiles(worktree, { 'deps/kept.js': 'branch' })
    await mkdir(join(outside.path, 'target'))
    await symlink(join(outside.path, 'target'), join(worktree, 'deps/out'))
    const events: Event[] = []
    const emit = (event: Event) => void events.push(event)
    const runner = createRunner(() => {}, process.env, createInterruption())
    const result = await createIgnoredFiles(runner, emit).bring({ main: repo.path, worktree, copy: [], link: [] })

    assert.equal(result, { copied: ['a.env', 'deps/', 'sub/'], linked: [] })
    for (const name of names) assert.is(await readFile(join(worktree, name), 'utf8'), name)
    assert.is(await readFile(join(worktree, 'deps/-rf'), 'utf8'), 'dash')
    assert.is(await readFile(join(worktree, 'sub/b.env'), 'utf8'), 'b')
    assert.is(await readFile(join(worktree, 'deps/kept.js'), 'utf8'), 'branch')
    assert.is(await readlink(join(worktree, 'deps/pkg-0/link')), '../pkg-1')
    assert.ok(existsSync(join(worktree, 'deps/empty')))
    assert.equal(readdirSync(join(outside.path, 'target')), [])
    for (const path of ['deps/pkg-0/lib/0.js', 'deps/pkg-0', 'deps/pkg-2/lib']) {
      const [from, to] = await Promise.all([stat(at(path)), stat(join(worktree, path))])
      assert.equal([to.mode, to.mtimeMs, to.uid], [from.mode, from.mtimeMs, from.uid], path)
    }
    assert.equal(
      events.filter(({ type }) => type === 'warning'),
      [],
    )
    await chmod(at('deps/pkg-2/lib'), 0o755)
    await chmod(join(worktree, 'deps/pkg-2/lib'), 0o755)
  })
})
