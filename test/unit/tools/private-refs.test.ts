/**
 * What is read of a git dir that somebody in a workspace writes to: nothing in it is believed. And what of a configuration is
 * harmless enough to be handed on.
 */
import { readFileSync } from 'node:fs'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { renderComposeFiles } from '../../../lib/backends/docker/compose-file.ts'
import { isBranchName } from '../../../lib/core/names.ts'
import { homePaths, workspacePaths } from '../../../lib/core/paths.ts'
import { visible } from '../../../lib/report/visible.ts'
import { copyWithin, readWithin } from '../../../lib/system/within.ts'
import { formatSettings, isOwnKey, isTreeKey, isWorkKey, parseSettings } from '../../../lib/tools/git-settings.ts'
import { parsePointer } from '../../../lib/tools/lfs-pointer.ts'
import {
  bringLargeFiles,
  countPrivateStashes,
  readPrivateBranches,
  readPrivateHead,
  readPrivateTags,
} from '../../../lib/tools/private-refs.ts'
import { overlaps, parseNumbers, type Review } from '../../../lib/workspace/git/review.ts'
import { runProcess } from '../../support/process.ts'
import { assert, suite } from '../../support/suite.ts'
import { type TempDir, tempDir, writeFiles } from '../../support/temp.ts'

const [A, B] = ['a'.repeat(40), 'b'.repeat(40)]
/** SHA-256 of "hello". */
const HELLO = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

/** `git` is the folder that is written to by others, `secret` a file beside it. */
async function folder(): Promise<TempDir & { git: string; secret: string }> {
  const dir = await tempDir()
  const [git, secret] = [join(dir.path, 'git'), join(dir.path, 'secret')]
  await mkdir(git)
  await writeFile(secret, `${A}\n`)
  return { ...dir, git, secret }
}

suite('files that others write', (test) => {
  test('plain ones are read; links, pipes, folders and what is too large are not', async () => {
    await using dir = await folder()
    await writeFiles(dir.git, { plain: 'text', 'sub/deep': 'deep' })
    await symlink(dir.secret, join(dir.git, 'link'))
    await symlink(dir.path, join(dir.git, 'out'))
    await runProcess(['mkfifo', join(dir.git, 'pipe')])
    assert.is(readWithin(dir.git, 'plain')?.toString(), 'text')
    assert.is(readWithin(dir.git, 'sub/deep')?.toString(), 'deep')
    assert.is(readWithin(dir.git, 'plain', 3), undefined)
    for (const path of ['link', 'out/secret', 'pipe', 'sub', 'none', '../secret', '/etc/passwd'])
      assert.is(readWithin(dir.git, path), undefined, path)
  })

  test('large files come only by the hash of their content', async () => {
    await using dir = await folder()
    const target = join(dir.path, 'repo')
    const place = (hash: string) => `lfs/objects/${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash}`
    await mkdir(join(target, 'lfs', 'objects'), { recursive: true })
    await writeFiles(dir.git, {
      [place(HELLO)]: 'hello',
      [place(`${HELLO.slice(0, 63)}0`)]: 'hello',
      'lfs/objects/x': 'x',
    })
    await bringLargeFiles(dir.git, target)
    const { stdout } = await runProcess(['find', target, '-type', 'f'])
    assert.is(stdout.trim(), join(target, place(HELLO)))
    assert.not(await copyWithin(dir.git, '../secret', join(target, 'copy'), HELLO))
    await rm(join(target, 'lfs'), { recursive: true })
    await bringLargeFiles(dir.git, target)
    assert.is(
      (await runProcess(['find', target, '-type', 'f'])).stdout,
      '',
      'a repository without such files gets none',
    )
  })
})

suite('a git dir that others write', (test) => {
  test('branches are those of packed-refs with loose ones over them; names and ids that git would not take are left out', async () => {
    await using dir = await folder()
    await writeFiles(dir.git, {
      'packed-refs': `# pack-refs with: peeled\n${A} refs/heads/main\n${A} refs/heads/x\n^${B}\n${A} refs/tags/t\nshort refs/heads/y\n${A} refs/heads/a..b\n${A} refs/heads/-x\n`,
      'refs/heads/x': `${B}\n`,
      'refs/heads/deep/er': `${B}\n`,
      'refs/heads/symbolic': 'ref: refs/heads/x\n',
      'refs/heads/x.lock': `${B}\n`,
    })
    await symlink(dir.secret, join(dir.git, 'refs', 'heads', 'leak'))
    await symlink('/', join(dir.git, 'refs', 'heads', 'root'))
    assert.equal(Object.fromEntries(readPrivateBranches(dir.git)), { main: A, x: B, 'deep/er': B })
    assert.equal(Object.fromEntries(readPrivateTags(dir.git)), { 'tags/t': A })
    await rm(join(dir.git, 'refs'), { recursive: true })
    await symlink(dir.path, join(dir.git, 'refs'))
    assert.equal(Object.fromEntries(readPrivateBranches(dir.git)), { main: A, x: A })
  })

  test('HEAD is a branch, a commit, or nothing', async () => {
    await using dir = await folder()
    const head = async (text: string) => {
      await writeFiles(dir.git, { 'worktrees/x/HEAD': text })
      return readPrivateHead(dir.git, 'x')
    }
    assert.equal(await head('ref: refs/heads/nexus/x\n'), { branch: 'nexus/x', commit: null })
    assert.equal(await head(`${A}\n`), { branch: null, commit: A })
    for (const text of [
      '',
      'ref: refs/heads/../x',
      'ref: refs/heads/a\u001b[31m',
      'ref: /etc/passwd',
      'x'.repeat(5000),
    ])
      assert.is(await head(text), undefined, text)
    assert.is(readPrivateHead(dir.git, 'y'), undefined)
  })

  test('stashes are counted by their log', async () => {
    await using dir = await folder()
    assert.is(countPrivateStashes(dir.git), 0)
    await writeFiles(dir.git, { 'refs/stash': A, 'logs/refs/stash': 'one\ntwo\n' })
    assert.is(countPrivateStashes(dir.git), 2)
  })

  test('isBranchName is as strict as git', () => {
    for (const name of ['x', 'nexus/x', 'ü', 'a.b', 'a@b']) assert.ok(isBranchName(name), name)
    const bad = [
      '',
      '-x',
      '@',
      'HEAD',
      'a b',
      'a..b',
      'a~1',
      'a^',
      'a:b',
      'a?',
      'a*',
      'a[',
      'a\\b',
      '/a',
      'a/',
      'a//b',
      'a.',
      '.a',
      'a/.b',
      'a.lock',
      'a.lock/b',
      'a@{0}',
      'a\n',
      'x'.repeat(251),
    ]
    for (const name of bad) assert.not(isBranchName(name), JSON.stringify(name))
  })
})

suite('services of the project', (test) => {
  const render = (gitMode: 'shared' | 'private') => {
    const { home, record, ...facts } = JSON.parse(readFileSync('test/golden/compose/private.json', 'utf8'))
    const stack = { files: ['compose.yaml'], profiles: [], pass: [], main: 'workspace', base: { kind: 'default' } }
    const volumes = [
      { type: 'bind', source: record.local.worktree, target: '/app' },
      { type: 'bind', source: `${record.local.worktree}/data`, target: '/data' },
      { type: 'volume', source: 'v', target: '/v' },
    ]
    const model = {
      name: 'x',
      services: { web: { image: 'x', volumes, networks: { default: null } } },
      networks: { default: null },
    }
    const paths = workspacePaths(homePaths(home), record.id)
    return (
      renderComposeFiles({
        ...facts,
        record: { ...record, docker: { ...record.docker, stack }, gitMode },
        paths,
        model,
      }).override ?? ''
    )
  }

  test('that have the worktree cannot replace its .git file either', () => {
    assert.match(render('private'), /target: "\/app\/\.git"\n\s+read_only: true/)
    assert.not.match(render('private'), /"\/data\/\.git"/)
    assert.not.match(render('shared'), /"\/app\/\.git"/)
  })
})

suite('settings', (test) => {
  test('no key that names a program is handed on', () => {
    const programs = [
      'core.fsmonitor',
      'core.hookspath',
      'core.sshcommand',
      'core.editor',
      'core.pager',
      'core.gitproxy',
      'core.askpass',
      'core.alternaterefscommand',
      'core.worktree',
      'diff.external',
      'diff.x.command',
      'diff.x.textconv',
      'filter.x.clean',
      'filter.x.smudge',
      'filter.x.process',
      'merge.x.driver',
      'include.path',
      'includeif.x.path',
      'alias.x',
      'gpg.program',
      'gpg.ssh.program',
      'credential.helper',
      'remote.x.uploadpack',
      'remote.x.receivepack',
      'remote.x.vcs',
      'remote.x.proxy',
      'url.x.insteadof',
      'submodule.x.update',
      'sequence.editor',
      'uploadpack.packobjectshook',
      'pager.log',
      'interactive.difffilter',
      'http.x.extraheader',
      'protocol.ext.allow',
      'branch.x.mergeoptions',
    ]
    for (const key of programs) for (const passes of [isTreeKey, isWorkKey, isOwnKey]) assert.not(passes(key), key)
    for (const key of ['user.name', 'remote.a.b.url', 'branch.nexus/x.merge']) assert.ok(isWorkKey(key), key)
  })

  test('values come through as they are', async () => {
    await using dir = await tempDir()
    const entries = [
      ['user.name', `O'Neil "\\" #;=\n\tü`],
      ['user.email', ''],
      ['remote.we"ird \\ name.url', ' x '],
      ['remote.other.url', 'x'],
    ] as const
    await writeFile(join(dir.path, 'config'), formatSettings(entries))
    const { stdout } = await runProcess(['git', 'config', '--file', join(dir.path, 'config'), '-z', '--list'])
    assert.equal(parseSettings(stdout), entries)
  })
})

suite('reviews', (test) => {
  test('numbers of lines: plain, binary, renamed, odd names', () => {
    assert.equal(parseNumbers('1\t2\ta b\n\x001\t0\t\0old\0new\0-\t-\tx.png\0'), [
      { path: 'a b\n', insertions: 1, deletions: 2 },
      { path: 'new', from: 'old', insertions: 1, deletions: 0 },
      { path: 'x.png', insertions: null, deletions: null },
    ])
    assert.equal(parseNumbers(''), [])
  })

  test('files that several have changed, those of most first', () => {
    const one = (workspace: string, paths: readonly string[], untracked: readonly string[] = []) =>
      ({
        workspace,
        files: paths.map((path) => ({ path, insertions: 1, deletions: 0 })),
        untracked,
      }) as unknown as Review
    assert.equal(overlaps([one('a', ['x', 'y', 'z']), one('b', ['y', 'z']), one('c', ['q'], ['z'])]), [
      { path: 'z', workspaces: ['a', 'b', 'c'] },
      { path: 'y', workspaces: ['a', 'b'] },
    ])
  })

  test('nothing from inside reaches a terminal as a command', () => {
    assert.is(visible('a\tb\nü\u001b[31m\u0007\u009b\r\u007f'), 'a\tb\nü^[[31m^G\\x9b^M^?')
  })

  test('a pointer of Git LFS', () => {
    const text = `version https://git-lfs.github.com/spec/v1\noid sha256:${HELLO}\nsize 5\n`
    assert.equal(parsePointer(text), { oid: HELLO, size: 5 })
    for (const other of ['', text.slice(1), text.replace('size', 'sise'), `${text}x`])
      assert.is(parsePointer(other), undefined)
  })
})
