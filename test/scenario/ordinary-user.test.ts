/**
 * Nexus as it is used: by an ordinary user in the docker group, whose files stay that user's on both sides, and who gets
 * in by typing the printed line. Also by a user whose uid the image gives to somebody else.
 */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'
import { makeUser, type UserOptions } from './users.ts'

suite('ordinary user', (test) => {
  for (const [title, options] of [
    ['up, ssh by the printed line, ownership on both sides, sudo inside, delete', {}],
    ['the same with a uid that the image has already', { uid: 33 }],
  ] as const) {
    test(title, () => playAs({ inDockerGroup: true, ...options }), LIMIT_MS)
  }
})

async function playAs(options: UserOptions): Promise<void> {
  await using user = await makeUser(options)
  assert.is.not(user.uid, 0)
  await using scene = await openScene({ user })
  const ssh = join(user.folder, '.ssh')
  await mkdir(ssh, { mode: 0o700 })
  const known = `UserKnownHostsFile ${ssh}/known_hosts\nIdentityFile ${ssh}/id_ed25519\n`
  await writeFile(join(ssh, 'config'), `${known}StrictHostKeyChecking accept-new\nLogLevel ERROR\n`, { mode: 0o600 })
  await user.own(ssh)
  await must([...user.as, 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(ssh, 'id_ed25519')])
  const before = await scene.made()

  const demo = JSON.parse(await scene.ok(['up', 'demo', '--json'], { env: { HOME: user.folder } }))
  const worktree = join(scene.repo.path, '.worktree', 'demo')
  // ssh reads the home of the first passwd line with this uid: the user's own, unless the uid is somebody else's too
  const line: string = demo.ssh.connectionCommand
  const typed = options.uid === undefined ? line : line.replace('ssh ', `ssh -F ${ssh}/config `)
  assert.is(await must([...user.as, 'bash', '-c', `${typed} id -un`]), 'nexus\n')
  assert.is(await must([...user.as, 'bash', '-c', `${demo.ssh.verifiedCommand} id -u`]), `${user.uid}\n`)
  assert.equal((await scene.inside('demo', 'id', '-u', '-n')).trim(), 'nexus')
  assert.is(await scene.inside('demo', 'id', '-g'), `${user.gid}\n`)
  assert.is(await scene.inside('demo', 'sudo', '-n', 'id', '-u'), '0\n')
  assert.is(await scene.inside('demo', 'sh', '-c', 'touch ~/own && stat -c %u ~'), `${user.uid}\n`)

  await scene.inside('demo', 'bash', '-c', 'echo x > inside && git add inside && git commit -qm inside')
  await must([...user.as, 'git', 'commit', '--quiet', '--allow-empty', '--message', 'outside'], { cwd: worktree })
  assert.is(await scene.inside('demo', 'git', 'log', '--format=%s'), 'outside\ninside\nfirst\n')
  const strangers = ['find', scene.repo.path, scene.home, '!', '-uid', String(user.uid)]
  assert.is(await must(strangers), '', 'everything on the host belongs to the user')
  assert.is(
    await scene.inside('demo', 'stat', '-c', '%u %g', 'inside', 'README.md'),
    `${user.uid} ${user.gid}\n`.repeat(2),
  )
  assert.is((await stat(join(scene.home, '.nexus'))).mode & 0o777, 0o700)

  if (options.uid === undefined) await isKept(scene, user.uid)
  if (options.uid === undefined) await playOwnGit(scene, strangers)

  await scene.ok(['restart', 'demo'])
  assert.is((await scene.list())[0]?.state, 'running')
  // as the data of a database that has its folder in the worktree
  await scene.inside('demo', 'sudo', '-n', 'sh', '-c', 'mkdir -m 700 data && touch data/base')
  const { details } = await scene.refused(['delete', 'demo'], 4, 'WORKSPACE_DIRTY')
  assert.equal(details.lost, ['?? data/'], 'what git may not look into')
  await scene.ok(['delete', 'demo', '--delete-branch', '--force'])
  assert.equal(await scene.made(), before)
}

/** The same user in isolation `agent`, who is nothing more. */
async function isKept(scene: Scene, uid: number): Promise<void> {
  const cell = await scene.up('cell', '--isolation', 'agent')
  assert.is(cell.ssh.forwardAgent, false)
  const said = await scene.inside(
    'cell',
    'bash',
    '-c',
    'id -u; grep -c "^Cap.*0000000000000000$" /proc/self/status; sudo -n id -u; true',
  )
  assert.is(said, `${uid}\n5\n`)
  await scene.ok(['delete', 'cell', '--delete-branch'])
}

/** Whoever runs Nexus need not be root to have a git dir of the workspace's own, nor to read it when it is stopped. */
async function playOwnGit(scene: Scene, strangers: readonly string[]): Promise<void> {
  await scene.up('own', '--git-mode', 'private')
  await scene.inside('own', 'git', 'commit', '--quiet', '--allow-empty', '--message', 'own')
  assert.is(await scene.repo.git('log', '-1', '--format=%s', 'nexus/own'), 'own')
  await scene.inside('own', 'touch', 'new.txt')
  assert.is(await must(strangers), '', 'everything on the host belongs to the user')
  await scene.inside('own', 'sudo', '-n', 'sh', '-c', 'mkdir -m 700 data && touch data/base')
  await scene.ok(['stop', 'own'])
  const { details } = await scene.refused(['delete', 'own'], 4, 'WORKSPACE_DIRTY')
  assert.equal(details.lost, ['?? new.txt', '?? data/'])
  await scene.ok(['delete', 'own', '--delete-branch', '--force'])
}
