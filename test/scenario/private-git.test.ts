/**
 * A workspace with a git dir of its own, from create to delete: git works inside as it does anywhere, commits come back by
 * themselves and on request, commits of this machine go in, and what is on neither side alone is never changed.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene } from './scene.ts'

const LIMIT_MS = 180_000

/** Everything that git is asked for in a day's work. */
const DAY = `set -e
git status --short
echo one > one.txt && git add one.txt && git commit -qm one
git switch -qc side && echo side > side.txt && git add . && git commit -qm side && git switch -q -
echo two > two.txt && git add . && git commit -qm two && git commit -q --amend -m 'two, better'
git switch -q side && git rebase -q - && git switch -q -
echo wip >> one.txt && git stash -q && git stash pop -q && git checkout -q one.txt
git init -q --bare /tmp/there.git && git remote add there /tmp/there.git && git push -qu there HEAD
git config some.key value && git config core.hooksPath /tmp/hooks
git worktree add -q /tmp/second -b second && git -C /tmp/second commit -q --allow-empty -m second
git gc -q && git fsck
git tag made-inside && git log --oneline --all >/dev/null`

async function inside(scene: Scene, script: string): Promise<string> {
  return scene.inside('p', 'sh', '-c', script)
}

/** Not through Nexus, which would bring back at once. */
async function unseen(scene: Scene, script: string): Promise<void> {
  const [id = ''] = (await must(['docker', 'ps', '-q', '--filter', `label=dev.nexus.repo=${scene.repo.path}`])).split(
    '\n',
  )
  await must(['docker', 'exec', '--user', 'nexus', '--workdir', tree(scene), id, 'sh', '-c', script])
}

const tree = (scene: Scene) => join(scene.repo.path, '.worktree', 'p')
const branch = (scene: Scene) => scene.repo.git('rev-parse', 'nexus/p')

/** A commit on the branch that was made on this machine. */
async function commitHere(scene: Scene, file: string): Promise<string> {
  const index = join(scene.root, 'index')
  const git = (...words: string[]) =>
    must(['git', '-C', scene.repo.path, ...words], { env: { GIT_INDEX_FILE: index } }).then((text) => text.trim())
  await git('read-tree', 'nexus/p')
  const blob = await git('hash-object', '-w', 'README.md')
  await git('update-index', '--add', '--cacheinfo', `100644,${blob},${file}`)
  const commit = await git('commit-tree', await git('write-tree'), '-p', 'nexus/p', '-m', file)
  await scene.repo.git('update-ref', 'refs/heads/nexus/p', commit)
  return commit
}

/** A branch with a name that git writes nowhere, beside good ones. */
const BAD = `git commit -q --allow-empty -m fine && git branch fine && git commit -q --allow-empty -m good
tree=$(printf '100644 blob %s\\t.GIT\\n' "$(git hash-object -w README.md)" | git mktree)
git update-ref refs/heads/bad "$(git commit-tree -m bad -p HEAD "$tree")"`

suite('a git dir of its own', (test) => {
  test(
    'a day of work, both ways, to the end',
    async () => {
      await using scene = await openScene({ files: { 'README.md': '# A project\n', 'src/a.txt': 'a\n' } })
      const { repo } = scene
      await repo.git('branch', 'other')
      await repo.git('remote', 'add', 'origin', 'https://name:password@example.invalid/x.git')
      const config = await repo.git('config', '--local', '--list')
      const { id } = await scene.up('p', '--git-mode', 'private')

      await inside(scene, DAY)
      assert.is(await repo.git('log', '--format=%s', 'main..nexus/p'), 'two, better\none')
      assert.is(await repo.git('log', '-1', '--format=%s', `refs/nexus/${id}/heads/side`), 'side')
      assert.is(await repo.git('log', '-1', '--format=%s', `refs/nexus/${id}/heads/second`), 'second')
      assert.is(await repo.git('-C', tree(scene), 'status', '--porcelain'), '', 'git here sees the tree as it is')
      assert.is(await repo.git('config', '--local', '--list'), config)
      assert.is(await repo.git('tag', '--list'), '', 'a tag made inside stays inside')
      assert.not.match(await inside(scene, 'git config --get-regexp .'), /password/)

      // history above what came from here may be written anew inside
      await inside(scene, 'git commit -q --amend -m "two, best"')
      assert.is(await repo.git('log', '-1', '--format=%s', 'nexus/p'), 'two, best')

      // what nobody here refers to any more is still there for those inside
      await repo.git('branch', '-D', 'other')
      await repo.git('-c', 'gc.reflogExpire=now', 'gc', '--quiet', '--prune=now')
      await inside(scene, 'git log -1 other && git fsck')

      const mine = await commitHere(scene, 'here.txt')
      assert.match(await scene.ok(['pull', 'p']), /nothing new inside p\n.*nexus push p/)
      assert.match(await scene.ok(['push', 'p']), /^1 commit of nexus\/p went into p/)
      assert.is(await inside(scene, 'git rev-parse HEAD && cat here.txt'), `${mine}\n# A project\n`)

      // both sides
      const here = await commitHere(scene, 'there.txt')
      await unseen(scene, 'git commit -q --allow-empty -m mine')
      for (const verb of ['pull', 'push']) await scene.refused([verb, 'p'], 4, 'DIVERGED')
      assert.is(await branch(scene), here)
      await inside(scene, `git rebase -q ${here}`)
      assert.is(await repo.git('log', '-2', '--format=%s', 'nexus/p'), 'mine\nthere.txt')

      // what came from here is not dropped
      const before = await branch(scene)
      await inside(scene, 'git reset -q --hard HEAD~2')
      await scene.refused(['pull', 'p'], 4, 'DIVERGED')
      assert.is(await branch(scene), before)
      await inside(scene, `git reset -q --hard ${before}`)
      await scene.ok(['pull', 'p'])

      // from one that does not run, through a helper that is gone afterwards
      await unseen(scene, 'git commit -q --allow-empty -m last && git stash list && echo x > untracked.txt')
      await must(['docker', 'stop', '--time', '1', ...(await parts(id))])
      assert.equal(JSON.parse(await scene.ok(['pull', 'p', '--json'])).commits, 1)
      assert.is((await parts(id)).length, 1)
      assert.is(await repo.git('log', '-1', '--format=%s', 'nexus/p'), 'last')
      const { details } = await scene.refused(['delete', 'p'], 4, 'WORKSPACE_DIRTY')
      assert.equal(details.lost, ['?? untracked.txt'])

      // a worktree that was deleted by hand comes again, with the work
      await must(['rm', '-rf', tree(scene)])
      await scene.up('p')
      assert.is(await inside(scene, 'git log -1 --format=%s && git status --porcelain'), 'last\n')
      await inside(scene, 'echo y >> README.md && git stash -q')
      const stashed = await scene.refused(['delete', 'p'], 4, 'WORKSPACE_DIRTY')
      assert.equal(stashed.details.lost, ['a stash'])
      await inside(scene, 'git stash drop -q && git checkout -q --detach && git commit -q --allow-empty -m loose')
      const tagged = (name: string) => `$(git commit-tree -m ${name} HEAD^{tree})`
      await inside(
        scene,
        `git tag v9 ${tagged('nine')} && git tag -a -m ten v10 ${tagged('ten')} && git tag same nexus/p`,
      )
      await scene.ok(['delete', 'p'])
      assert.is(await repo.git('log', '-1', '--format=%s', 'nexus/p'), 'last', 'a branch with commits of its own stays')
      const refs = (await repo.git('for-each-ref', '--format=%(refname)', 'refs/nexus')).split('\n')
      const kept = ['HEAD', 'heads/second', 'heads/side', 'tags/made-inside', 'tags/v10', 'tags/v9']
      assert.equal(
        refs,
        kept.map((name) => `refs/nexus/${id}/${name}`),
      )
    },
    LIMIT_MS,
  )

  test(
    'a branch inside that git does not take keeps no other from coming back, and is kept by a delete',
    async () => {
      await using scene = await openScene()
      const { repo } = scene
      const { id } = await scene.up('p', '--git-mode', 'private')
      await scene.inside('p', 'git', 'branch', 'side')
      const told = await scene.run(['exec', 'p', '--', 'bash', '-c', BAD])
      assert.is(told.code, 0, told.stderr)
      assert.ok(/branch bad of p did not come back: .*\.git/i.test(told.stderr), told.stderr)
      assert.is(await repo.git('log', '-1', '--format=%s', 'nexus/p'), 'good')
      assert.is(await repo.git('log', '-1', '--format=%s', `refs/nexus/${id}/heads/fine`), 'fine')
      assert.is(await repo.git('for-each-ref', `refs/nexus/${id}/heads/bad`), '')
      assert.match(await scene.ok(['log', 'p']), /good/)
      const { details } = await scene.refused(['delete', 'p'], 4, 'WORKSPACE_DIRTY')
      assert.match(String(details.lost), /^branch bad, which cannot come back: [^,]*$/)
      // the own one is as bad: the others come all the same
      await scene.run([
        'exec',
        'p',
        '--',
        'bash',
        '-c',
        'git commit -q --allow-empty -m more; git branch also; git reset -q --soft bad',
      ])
      assert.is(await repo.git('log', '-1', '--format=%s', `refs/nexus/${id}/heads/also`), 'more')
      const error = await scene.refused(['pull', 'p'], 1, 'GIT_ERROR')
      assert.match(error.message, /\.git/i)
      // and one that nothing can be read of
      await scene.inside(
        'p',
        'sh',
        '-c',
        'd=$(git rev-parse --git-common-dir); echo no > "$d/HEAD"; echo "[" > "$d/config"',
      )
      const wrecked = await scene.refused(['delete', 'p'], 1, 'GIT_ERROR')
      assert.match(wrecked.hint ?? '', /keep all of it in the trash for a while, run `nexus delete p --force`/)
      await scene.ok(['delete', 'p', '--force'])
      assert.match(await scene.ok(['trash', 'list']), /\bp\b/)
    },
    LIMIT_MS,
  )

  test(
    'stashes and unfinished work go to the trash and come back, also where the worktree is gone and the branch went on',
    async () => {
      await using scene = await openScene({ files: { 'README.md': '# A project\n' } })
      const { repo } = scene
      await scene.up('p', '--git-mode', 'private')
      const conflict = 'git switch -qc side && echo a > README.md && git commit -qam a && git switch -q -'
      const begun = 'echo b > README.md && git commit -qam b && (git merge -q side || true)'
      await inside(
        scene,
        `echo 1 > README.md && git stash -q && echo 2 > README.md && git stash -q && ${conflict} && ${begun}`,
      )
      const { details } = await scene.refused(['delete', 'p'], 4, 'WORKSPACE_DIRTY')
      assert.equal(details.lost, [' M README.md', 'an unfinished merge', '2 stashes'])
      await scene.ok(['delete', 'p', '--force'])
      // the branch goes on, and what only the stash needs is nobody's
      await commitHere(scene, 'here.txt')
      await repo.git('-c', 'gc.reflogExpire=now', 'gc', '--quiet', '--prune=now')
      await scene.ok(['trash', 'restore', 'p'])
      await scene.up('p')
      const now =
        'git branch --show-current && git status --porcelain && git fsck --no-dangling && git stash list --format=%gs'
      const words = 'WIP on nexus/p: '
      assert.match(await inside(scene, now), new RegExp(`^nexus/p-restored\nUU README.md\n(${words}.*\n){2}$`))
      await inside(scene, 'echo both > README.md && git commit -qam both && git stash pop -q stash@{1} || true')
      assert.is(await repo.git('log', '-1', '--format=%s', 'nexus/p-restored'), 'both')

      // nobody saw the commit, and the folder was deleted by hand
      await inside(scene, 'git checkout -q -f && git stash clear')
      await unseen(scene, 'git commit -q --allow-empty -m unseen && echo 3 > README.md && git stash -q')
      await must(['rm', '-rf', tree(scene)])
      const gone = await scene.refused(['delete', 'p'], 4, 'WORKSPACE_DIRTY')
      assert.equal(gone.details.lost, ['a stash'])
      assert.is(await repo.git('log', '-1', '--format=%s', 'nexus/p-restored'), 'unseen')
      await scene.ok(['delete', 'p', '--force'])
      await scene.ok(['trash', 'restore', 'p'])
      await scene.up('p')
      await inside(scene, 'git stash pop -q')
      assert.is(await inside(scene, 'cat README.md && git log -1 --format=%s'), '3\nunseen\n')
      await scene.ok(['delete', 'p', '--force'])
      await scene.ok(['trash', 'empty'])
      assert.match(
        await repo.git('for-each-ref', '--format=%(refname)', 'refs/nexus'),
        /^(refs\/nexus\/ws-\w+\/heads\/side)?$/,
      )
    },
    LIMIT_MS,
  )

  test(
    'what a git dir of its own cannot have is refused before anything is made; what others are is looked at and merged',
    async () => {
      await using scene = await openScene({ files: { 'README.md': '# A project\n', 'a.txt': '1\n2\n3\n' } })
      const { repo } = scene
      const filtered = (text: string) => writeFile(join(repo.path, '.gitattributes'), text)
      await filtered('*.key filter=hide\n')
      await repo.git('add', '.')
      await repo.git('commit', '--quiet', '--message', 'hidden')
      const nothing = await scene.made()
      const error = await scene.refused(['up', 'p', '--git-mode', 'private'], 2, 'UNSUPPORTED')
      assert.match(error.message, /filter hide/)
      await repo.git('config', 'extensions.worktreeConfig', 'true')
      assert.equal(await scene.made(), nothing)
      await filtered('')
      await repo.git('commit', '--quiet', '--all', '--message', 'plain')

      await Promise.all([scene.up('p', '--git-mode', 'private'), scene.up('q')])
      await inside(scene, 'echo 4 >> a.txt && git commit -qam four && echo 5 >> a.txt && echo new > new.txt')
      await scene.inside('q', 'sh', '-c', 'sed -i s/3/three/ a.txt && git commit -qam three')
      const { files, untracked, dirty } = JSON.parse(await scene.ok(['diff', 'p', '--json']))
      assert.equal(files, [{ path: 'a.txt', insertions: 2, deletions: 0 }])
      assert.equal([untracked, dirty], [['new.txt'], true])
      // what is committed, then what the files have besides
      assert.match(await scene.ok(['diff', 'p']), /^\+4$[\s\S]*^\+5$/m)
      assert.match(await scene.ok(['log', 'p']), /four\n$/)
      const { overlaps } = JSON.parse(await scene.ok(['compare', 'p', 'q', '--json']))
      assert.equal(overlaps, [{ path: 'a.txt', workspaces: ['p', 'q'] }])
      assert.match(await scene.ok(['pull', 'q']), /^nothing to do for q: it shares the repository/)
      const all = await scene.list('--dirty')
      assert.is(all.find(({ name }) => name === 'p')?.dirty, true)
      assert.is(all.find(({ name }) => name === 'q')?.dirty, false)

      await scene.refused(['merge', 'p', '--into', 'elsewhere'], 2, 'INVALID_ARGUMENT')
      await writeFile(join(repo.path, 'a.txt'), 'mine\n')
      await scene.refused(['merge', 'p'], 4, 'WORKSPACE_DIRTY')
      await repo.git('checkout', '--quiet', 'a.txt')
      assert.match(
        await scene.ok(['merge', 'p', '--dry-run']),
        /^\+ merge nexus\/p into main {3}a commit, no conflicts/,
      )
      assert.match(await scene.ok(['merge', 'p', '--squash']), /^1 commit of nexus\/p became one commit of main/)
      const merged = await repo.git('rev-parse', 'HEAD')
      const { details } = await scene.refused(['merge', 'q'], 4, 'SYNC_CONFLICT')
      assert.equal(details.files, ['a.txt'])
      assert.is(await repo.git('status', '--porcelain', '--untracked-files=no'), '')
      assert.is(await repo.git('rev-parse', 'HEAD'), merged)
    },
    LIMIT_MS,
  )
})

async function parts(id: string): Promise<readonly string[]> {
  const ids = await must(['docker', 'ps', '--all', '--quiet', '--filter', `label=dev.nexus.workspace=${id}`])
  return ids.split('\n').filter(Boolean)
}
