/** Where paths lead: within the worktree or not, through links and dots, and how they are written. */
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import fc from 'fast-check'
import { createPlaces, isRemote, isWithin } from '../../../lib/stack/places.ts'
import { realPathOf } from '../../../lib/system/real-path.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const WORKTREE = '/home/u/app/.worktree/one'
const places = createPlaces({ worktree: WORKTREE, repo: '/home/u/app', home: '/home/u' })

suite('places', (test) => {
  for (const path of ['', '.', 'a/b', './a/../b', `${WORKTREE}/x`, WORKTREE, `${WORKTREE}/.github`, 'a/.git/x']) {
    test(`${JSON.stringify(path)} lies within`, () => assert.is(places.outside(path), undefined))
  }

  for (const [path, value, what] of [
    ['..', '<repo>/.worktree', 'holds this workspace'],
    ['../..', '<repo>', 'holds this workspace'],
    ['../two/x', '<repo>/.worktree/two/x', 'main worktree'],
    ['../one-more', '<repo>/.worktree/one-more', 'main worktree'],
    ['../../.git', '<repo>/.git', 'git data'],
    ['../../.git/hooks', '<repo>/.git/hooks', 'git data'],
    ['.git', '<worktree>/.git', 'git data'],
    ['/home/u/.aws/credentials', '<home>/.aws/credentials', 'outside of this workspace'],
    ['/home/user2', '/home/user2', 'outside of this workspace'],
    ['/etc//passwd', '/etc/passwd', 'outside of this workspace'],
    ['/home', '/home', 'holds this workspace'],
    ['/', '/', 'whole disk'],
    ['../../../../../..', '/', 'whole disk'],
    ['/var/run/docker.sock', '/var/run/docker.sock', 'Docker socket'],
    ['/run/containerd/containerd.sock', '/run/containerd/containerd.sock', 'Docker socket'],
    ['/run', '/run', 'Docker socket'],
  ] as const) {
    test(`${path} is ${value}`, () => {
      const found = places.outside(path)
      assert.is(found?.value, value)
      assert.ok(found?.what.includes(what), found?.what)
    })
  }

  test('what cannot be resolved lies outside', () => {
    const blind = createPlaces({
      worktree: WORKTREE,
      repo: '/home/u/app',
      realpath: (path) => (path.includes('loop') ? undefined : path),
    })
    assert.match(blind.outside('loop')?.value ?? '', /nobody knows/)
  })

  test('no row of steps gets out unseen', () => {
    const steps = fc.array(fc.constantFrom('..', '.', '', 'a', 'one', '.worktree', '.git'), { maxLength: 12 })
    fc.assert(
      fc.property(steps, (words) => {
        const path = words.join('/')
        const clean = posix.normalize(path.startsWith('/') ? path : `${WORKTREE}/${path}`).replace(/(?<=.)\/$/, '')
        const inside = isWithin(clean, WORKTREE) && !isWithin(clean, `${WORKTREE}/.git`)
        assert.is(places.outside(path) === undefined, inside, clean)
      }),
      { numRuns: 500 },
    )
  })

  for (const [text, remote] of [
    ['https://example.com/x.git', true],
    ['oci://example.com/x', true],
    ['oci:x', true],
    ['git@example.com:a/b.git', true],
    ['ssh://git@example.com/x', true],
    ['github.com/a/b', true],
    ['GitHub.com/a/b', true],
    ['./github.com/a', false],
    ['a/b@c/d', false],
    ['compose.yaml', false],
    ['../x', false],
    ['/abs/path', false],
  ] as const) {
    test(`${text} is ${remote ? 'fetched' : 'a path'}`, () => assert.is(isRemote(text), remote))
  }
})

suite('real paths', (test) => {
  test('as the system sees them, also where nothing is', async () => {
    await using dir = await tempDir()
    const at = (path: string) => join(dir.path, path)
    await mkdir(at('a/b'), { recursive: true })
    await writeFile(at('a/f'), '')
    await symlink('/etc', at('abs'))
    await symlink('a/b', at('rel'))
    await symlink('../../a', at('a/b/up'))
    await symlink('nowhere/x', at('broken'))
    await symlink('loop', at('loop'))
    for (const path of ['a/f', 'abs', 'abs/passwd', 'rel', 'rel/up/b/up/f', '.']) {
      assert.is(realPathOf(`${dir.path}/${path}`), await realpath(at(path)), path)
    }
    // node's own cleans the path first, which the kernel does not
    assert.is(realPathOf(`${dir.path}/abs/../x`), '/x')
    assert.is(realPathOf(`${dir.path}/rel/..`), at('a'))
    assert.is(realPathOf(at('new/deep')), at('new/deep'))
    assert.is(realPathOf(at('abs/new')), '/etc/new')
    assert.is(realPathOf(at('broken/y')), at('nowhere/x/y'))
    assert.is(realPathOf(`${dir.path}/rel/../new`), at('a/new'))
    assert.is(realPathOf(at('loop/x')), undefined)
    assert.is(realPathOf(at('a\0b')), undefined)
    assert.is(realPathOf(at('x'.repeat(300))), undefined)
    assert.is(realPathOf('/'), '/')
  })

  test('a link out of the worktree is told with what it leads to, dots behind it too', async () => {
    await using dir = await tempDir()
    const worktree = join(dir.path, 'repo/.worktree/w')
    await mkdir(join(worktree, 'in/deep'), { recursive: true })
    await symlink('/etc', join(worktree, 'etc'))
    await symlink('in/deep', join(worktree, 'deep'))
    const real = createPlaces({ worktree, repo: join(dir.path, 'repo'), realpath: realPathOf })
    assert.is(real.outside('etc/passwd')?.value, '<worktree>/etc/passwd (leads to /etc/passwd)')
    assert.is(real.outside('etc/../in')?.value, '<worktree>/in (leads to /in)')
    assert.is(real.outside('deep/../x'), undefined)
    assert.is(real.outside('in/new/file'), undefined)
  })

  test('a worktree that is itself reached by a link is one place', async () => {
    await using dir = await tempDir()
    await mkdir(join(dir.path, 'real/w'), { recursive: true })
    await symlink('real', join(dir.path, 'link'))
    const linked = createPlaces({
      worktree: join(dir.path, 'link/w'),
      repo: join(dir.path, 'link'),
      realpath: realPathOf,
    })
    assert.is(linked.outside(join(dir.path, 'real/w/x')), undefined)
    assert.is(linked.outside(join(dir.path, 'link/w/x')), undefined)
    assert.is(linked.outside(join(dir.path, 'real/y'))?.value, '<repo>/y')
  })
})
