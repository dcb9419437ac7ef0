/**
 * What goes inside does not depend on the user's dotfiles there: with files that print, read stdin, change the folder and exit, exit
 * codes and output of every verb are exact, hooks run and commits come back. What is put into the background is not waited for, and what
 * comes along of the user's git on this machine works inside.
 */
import { existsSync, readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene } from './scene.ts'

const LIMIT_MS = 180_000
const FILES = {
  'README.md': '# A project\n',
  '.nexus/config.yaml': 'hooks:\n  post-start: "printf hook > /tmp/hook; sleep 300 &"\n',
}
const LOUD = 'echo Welcome; echo Hello >&2; read -r line; cd /; alias printf=false; PATH=/nowhere; exit 3'
/** Kept apart from the shell that is asked for, which would read them. */
const MAKE_LOUD = `for file in .bashrc .bash_profile .bash_login .profile .zshenv; do printf '%s\\n' "$1" > ~/$file; done`
const SOON_MS = 15_000

suite('exact whatever the dotfiles say', (test) => {
  test(
    'in a git dir of its own and in the shared one',
    async () => {
      await using scene = await openScene({ files: FILES })
      await ownGit(scene)
      const told = await scene.run(['up', 'demo'])
      assert.is(told.code, 0, told.stderr)
      assert.match(told.stderr, /warning: commits inside fail without --no-gpg-sign: .*OpenPGP/)
      assert.match(
        told.stderr,
        /warning: git's hooks name programs that are not in demo, .*: pre-commit \(no-such-linter\)/,
      )
      await scene.up('own', '--git-mode', 'private')
      await comfort(scene)
      for (const name of ['demo', 'own']) await scene.inside(name, 'sh', '-c', MAKE_LOUD, 'sh', LOUD)
      await verbs(scene)
      await background(scene)
      await commits(scene)
      await starts(scene)
    },
    LIMIT_MS,
  )
})

/** On this machine: aliases, ignored names, a signing key of another kind, and a hook. */
async function ownGit({ home, repo }: Scene): Promise<void> {
  await writeFile(join(home, '.gitconfig'), '[alias]\n\tlast = log -1 --format=%s\n\thi = "!echo \\"hi $1\\" #"\n')
  await must(['mkdir', '-p', join(home, '.config', 'git')])
  await writeFile(join(home, '.config', 'git', 'ignore'), '*.swp\n')
  await repo.git('config', 'commit.gpgsign', 'true')
  const hook = join(repo.path, '.git', 'hooks', 'pre-commit')
  await writeFile(hook, '#!/bin/sh\ncommand -v no-such-linter >/dev/null || exit 1\n')
  await chmod(hook, 0o755)
}

async function comfort(scene: Scene): Promise<void> {
  for (const name of ['demo', 'own']) {
    assert.is(await scene.inside(name, 'git', 'last'), 'first\n')
    assert.is(await scene.inside(name, 'git', 'hi', 'you'), 'hi you\n')
    await scene.inside(name, 'touch', 'a.swp')
    assert.is(await scene.inside(name, 'git', 'status', '--porcelain'), '')
    assert.is(await scene.inside(name, 'git', 'config', '--global', '--list'), '')
  }
}

async function verbs(scene: Scene): Promise<void> {
  const exact = (stdout: string, code = 0) => ({ code, stdout, stderr: '' })
  assert.equal(await scene.run(['exec', 'demo', '--', 'printf', 'abc']), exact('abc'))
  const input = 'one\ntwo\n'
  const both = ['exec', 'demo', '--env', 'A=1', '--', 'sh', '-c', 'cat; pwd; echo $A $SHLVL; exit 5']
  const cwd = join(scene.repo.path, '.worktree', 'demo')
  assert.equal(await scene.run(both, { input }), exact(`${input}${cwd}\n1 1\n`, 5))
  assert.is((await scene.run(['exec', '-t', 'demo', '--', 'sh', '-c', 'printf tty; exit 7'])).stdout, 'tty')
  assert.match(
    (await scene.run(['exec', 'demo,own', '--', 'printf', 'x'])).stdout,
    /^(demo|own ) \| x\n(demo|own ) \| x\n$/,
  )
  const file = join(scene.root, 'file')
  await writeFile(file, input)
  await scene.ok(['cp', file, 'demo:/tmp/file'])
  await scene.ok(['cp', 'demo:/tmp/file', `${file}.back`])
  assert.is(readFileSync(`${file}.back`, 'utf8'), input)
  assert.is(await scene.ok(['diff', 'demo']), 'demo has changed nothing on nexus/demo\n')
  for (const how of ['is made', 'is there already']) {
    assert.match(await scene.ok(['tmux', 'demo', '--detach', '--', 'sleep', '300']), how)
  }
  assert.match((await scene.run(['ssh', 'demo', '--', 'true'])).stdout, /Welcome/, 'ssh is as the user set it')
}

async function background(scene: Scene): Promise<void> {
  const exec = (script: string) => ['exec', 'demo', '--', 'sh', '-c', script]
  const began = performance.now()
  assert.equal(await scene.run(exec('sleep 300 & echo up')), { code: 0, stdout: 'up\n', stderr: '' })
  assert.equal(await scene.run(exec('sleep 300 & echo no >&2; exit 4')), { code: 4, stdout: '', stderr: 'no\n' })
  const much = await scene.run(exec('sleep 300 & head -c 5000000 /dev/zero | tr "\\0" x; echo end'))
  assert.is(much.stdout, `${'x'.repeat(5_000_000)}end\n`)
  const going = '(for i in 1 2 3; do sleep 0.3; /bin/echo $i; done; echo alive > /tmp/alive) & echo up'
  assert.is((await scene.run(exec(going))).stdout, 'up\n')
  assert.match(await scene.ok(['exec', 'demo,own', '--', 'sh', '-c', 'sleep 300 & echo up']), /demo \| up/)
  assert.ok(performance.now() - began < SOON_MS, 'they were waited for')
  assert.is((await scene.inside('demo', 'pgrep', '-xc', 'sleep')).trim(), '7', 'they go on')
  assert.is(await scene.inside('demo', 'cat', '/tmp/alive'), 'alive\n', 'what is in the background may go on to write')
  const nexus = ['bash', '-c', '"$@" > /dev/full', 'bash', process.execPath, join(process.cwd(), 'dist', 'nexus.js')]
  const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus') }
  const head = ['bash', '-c', '"$@" | head -n 1', ...nexus.slice(3), 'exec', 'own', '--', 'yes']
  assert.equal(await runProcess(head, { cwd: scene.repo.path, env }), { code: 0, stdout: 'y\n', stderr: '' })
  for (const verb of ['exec', 'ssh']) {
    const full = await runProcess([...nexus, verb, 'own', '--', 'echo', 'hi'], { cwd: scene.repo.path, env })
    assert.match(full.stderr, /error: stdout cannot be written: no space left\n$/, verb)
    assert.is(full.code, 125, verb)
  }
}

async function commits(scene: Scene): Promise<void> {
  await scene.inside('own', 'git', 'commit', '--quiet', '--allow-empty', '--message', 'inside')
  assert.is(await scene.repo.git('log', '-1', '--format=%s', 'nexus/own'), 'inside')
  assert.match(await scene.ok(['delete', 'own']), /deleted/)
}

/** A start waits for a login, and runs a hook that leaves something behind. */
async function starts(scene: Scene): Promise<void> {
  await scene.inside('demo', 'rm', '/tmp/hook')
  await scene.ok(['stop', 'demo'])
  const began = performance.now()
  await scene.ok(['start', 'demo'])
  assert.ok(performance.now() - began < SOON_MS, 'the hook was waited for')
  assert.is(await scene.inside('demo', 'cat', '/tmp/hook'), 'hook')
  assert.ok(existsSync(join(scene.repo.path, '.worktree', 'demo', 'README.md')))
}
