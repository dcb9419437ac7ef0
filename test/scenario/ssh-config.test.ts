/**
 * The include as people use it: an ordinary user whose ssh reads the real `~/.ssh/config`, with an alias and with the line of the PRD, and
 * root beside with a Nexus of its own. What is typed here has no `-F`.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ErrorBody } from '../../lib/core/errors.ts'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'
import { makeUser, type User } from './users.ts'

/** Of the agent, more than a server lets try. */
const KEYS = 30

suite('ssh-config', (test) => {
  test(
    'install, ssh by alias and by the raw line whatever keys and known hosts one has, doctor, uninstall',
    play,
    LIMIT_MS,
  )
})

async function play(): Promise<void> {
  await using user = await makeUser({ inDockerGroup: true })
  await using scene = await openScene({ user, env: { HOME: user.folder } })
  const folder = join(user.folder, '.ssh')
  const config = join(folder, 'config')
  const before =
    'Host work\r\n  Port 2222\r\n\r\nHost *\r\n  ProxyJump work\r\n  PubkeyAuthentication no\r\n  PreferredAuthentications password\r\n  AddressFamily inet6'
  await mkdir(folder, { mode: 0o700 })
  await writeFile(config, before, { mode: 0o640 })
  await user.own(folder)

  await playConsent(scene, user, config, before)
  const shown = await scene.ok(['up', 'demo', '--no-hooks'])
  assert.match(shown, /^ +ssh demo\.nexus {3}\(host key verified: SHA256:/m)
  const { ssh } = JSON.parse(await scene.ok(['status', 'demo', '--json'])) as WorkspaceResource
  const port = ssh.port ?? 0
  await playWays(scene, user, port)
  await playWrongKeys(scene, user, port)
  await playRoot(user, scene, port)
  const checks = JSON.parse(await scene.ok(['doctor', '--json'])) as {
    findings: { check: string; status: string; message: string }[]
  }
  assert.equal(
    checks.findings.filter(({ check }) => /^ssh/.test(check)).map(({ status }) => status),
    ['ok', 'ok', 'ok', 'ok'],
  )

  await scene.ok(['delete', 'demo', '--force', '--delete-branch'])
  assert.not.match(await readFile(join(scene.home, '.nexus', 'ssh', 'known_hosts'), 'utf8'), /localhost/)
  await scene.ok(['ssh-config', 'uninstall', '--yes'])
  assert.is(await readFile(config, 'latin1'), before)
  assert.is(await must(['stat', '-c', '%a %u %g', config]), `640 ${user.uid} ${user.gid}\n`)
}

/** `scene.refused` for a verb of two words. */
async function refuse(scene: Scene, exit: number, code: string): Promise<ErrorBody['error']> {
  const result = await scene.run(['ssh-config', 'install', '--json'])
  const { error } = JSON.parse(result.stdout) as ErrorBody
  assert.equal([result.code, error.code], [exit, code], result.stdout)
  return error
}

/** Not without a yes; at a terminal it is asked for; two at once make one line. */
async function playConsent(scene: Scene, user: User, config: string, before: string): Promise<void> {
  await chmod(config, 0o666)
  const open = await refuse(scene, 2, 'CONFIG_INVALID')
  assert.match(`${open.message} ${open.hint}`, /Bad owner or permissions on .*`chmod go-w /)
  await chmod(config, 0o640)
  const error = await refuse(scene, 4, 'APPROVAL_REQUIRED')
  assert.match(error.hint ?? '', /--dry-run.*--yes`$/)
  assert.match(await scene.ok(['ssh-config', 'install', '--dry-run']), /^\+Include .*\n\+\n Host work$/m)
  const line = `Include ${scene.home}/.nexus/ssh/config\r\n\r\n`
  for (const [answer, text] of [
    ['n', before],
    ['y', `${line}${before}`],
  ] as const) {
    const command = [...user.program, 'ssh-config', 'install'].join(' ')
    const env = { HOME: user.folder, NEXUS_HOME: join(scene.home, '.nexus') }
    const { stdout } = await runProcess(['script', '-qefc', command, '/dev/null'], {
      input: `${answer}\n`,
      env,
      cwd: scene.repo.path,
    })
    assert.match(stdout, /\[y\/N\]/)
    assert.is(await readFile(config, 'latin1'), text, stdout)
  }
  await scene.ok(['ssh-config', 'uninstall', '--yes'])
  await Promise.all(['1', '2'].map(() => scene.ok(['ssh-config', 'install', '--yes'])))
  assert.is(await readFile(config, 'latin1'), `${line}${before}`)
}

function type(user: User, line: string, env: Readonly<Record<string, string>> = {}) {
  return runProcess([...user.as, 'bash', '-c', line], { env, timeoutMs: 20_000 })
}

const SILENT = { code: 0, stdout: 'nexus\n', stderr: '' }

/** Without a key of one's own, with one behind a passphrase, a stale key of that port, and an agent full of keys. */
async function playWays(scene: Scene, user: User, port: number): Promise<void> {
  assert.equal(await type(user, 'ssh demo.nexus id -un'), SILENT)
  const key = join(user.folder, 'key')
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
  const stale = (await readFile(`${key}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ')
  const known = join(user.folder, '.ssh', 'known_hosts')
  await writeFile(known, ['localhost', '127.0.0.1', '::1'].map((host) => `[${host}]:${port} ${stale}\n`).join(''))
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', 'secret', '-f', join(user.folder, '.ssh', 'id_ed25519')])
  await user.own(join(user.folder, '.ssh'))
  const full = [
    `cd ${user.folder} && mkdir -p keys && i=0`,
    `while [ $i -lt ${KEYS} ]; do ssh-keygen -q -t ed25519 -N '' -f keys/$i && ssh-add -q keys/$i || exit; i=$((i+1)); done`,
  ].join('; ')
  for (const line of [
    `ssh -A nexus@localhost -p ${port} id -un`,
    `ssh -A -p ${port} nexus@127.0.0.1 id -un`,
    `ssh ssh://nexus@localhost:${port} id -un; ssh -p ${port} nexus@::1 true`,
    `ssh-agent bash -c '${full.replaceAll("'", `'\\''`)}; ssh -A nexus@localhost -p ${port} id -un'`,
  ]) {
    assert.equal(await type(user, line), SILENT, line)
  }
  assert.match(
    await readFile(known, 'utf8'),
    new RegExp(`^\\[localhost\\]:${port} ${stale.replace(/[+]/g, '\\+')}$`, 'm'),
  )
  // an agent that nothing names but the user's configuration
  const config = join(user.folder, '.ssh', 'config')
  const text = await readFile(config, 'latin1')
  const socket = join(user.folder, 'my agent')
  await writeFile(config, `${text}\r\n  IdentityAgent "${socket}"\r\n`, 'latin1')
  const alone = `ssh-add -q ${user.folder}/keys/0 && env -u SSH_AUTH_SOCK ssh demo.nexus ssh-add -L`
  const held = await type(user, `ssh-agent -a '${socket}' bash -c '${alone}'`)
  assert.is(held.stdout, await readFile(join(user.folder, 'keys', '0.pub'), 'utf8'), held.stderr)
  await writeFile(config, text, 'latin1')
  // other users, other ports and the ordinary port of this machine are none of our business
  for (const other of [`-p ${port} me@localhost`, `-p ${port + 1} nexus@localhost`, 'nexus@localhost']) {
    const { stdout } = await type(user, `ssh -G ${other}`)
    assert.match(stdout, /^proxyjump work$/m, other)
    assert.ok(!stdout.includes(scene.home), other)
  }
}

/** A server with another key than the workspace's is refused on every way in, and what was broken is found and mended. */
async function playWrongKeys(scene: Scene, user: User, port: number): Promise<void> {
  const file = join(scene.home, '.nexus', 'ssh', 'known_hosts')
  const right = await readFile(file, 'utf8')
  const other = (await readFile(join(user.folder, 'key.pub'), 'utf8')).split(' ')[1] ?? ''
  await writeFile(file, right.replace(/(ssh-ed25519) \S+/g, `$1 ${other}`))
  // also when the user's own file has the key that the server shows
  await writeFile(join(user.folder, '.ssh', 'known_hosts'), right)
  const { code, stderr } = await type(user, `ssh nexus@localhost -p ${port} true`)
  assert.equal([code, /Host key verification failed/.test(stderr)], [255, true], stderr)
  const { stdout } = await scene.run(['doctor', '--fix', '--json'])
  const { fixed } = JSON.parse(stdout) as { fixed: { check: string; message: string }[] }
  assert.match(fixed.map(({ message }) => message).join(), /known_hosts lacks the host key of demo/)
  assert.is(await readFile(file, 'utf8'), right)
  assert.equal(await type(user, `ssh nexus@localhost -p ${port} id -un`), SILENT)
}

/** Root's own include knows nothing of the user's workspaces. */
async function playRoot(user: User, scene: Scene, port: number): Promise<void> {
  await using root = await openScene()
  const file = join(root.home, 'config')
  await root.ok(['ssh-config', 'install', '--yes', '--file', file])
  const made = join(root.home, '.nexus', 'ssh', 'config')
  assert.is(await readFile(file, 'utf8'), `Include ${made}\n`)
  assert.ok(existsSync(made))
  assert.not.match(
    await must(['ssh', '-F', file, '-G', '-p', `${port}`, 'nexus@localhost']),
    /userknownhostsfile .*\.nexus/,
  )
  const error = await refuse(root, 2, 'INVALID_ARGUMENT')
  assert.match(error.message, /^HOME is .* ssh reads ~\/\.ssh\/config of /)
  assert.match(error.hint ?? '', /`HOME=\S+ NEXUS_HOME=\S+ nexus ssh-config install`/)

  // whoever works with another user's folders is told so
  const env = { HOME: user.folder, NEXUS_HOME: join(root.home, '.nexus') }
  const list = [...user.program, 'list', '--all', '--json']
  const { stdout } = await runProcess(list, { env, cwd: user.folder })
  assert.is((JSON.parse(stdout) as ErrorBody).error.code, 'PERMISSION_DENIED', stdout)
  const asRoot = [process.execPath, 'dist/nexus.js', 'ssh-config', 'install', '--json']
  const kept = await runProcess(asRoot, { env: { ...env, NEXUS_HOME: join(scene.home, '.nexus') } })
  assert.match((JSON.parse(kept.stdout) as ErrorBody).error.hint ?? '', /another user.* as that user, without `sudo`$/)
}
