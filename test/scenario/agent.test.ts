/**
 * The user's ssh agent inside a workspace: what of it gets there, under a path that stays; a push over SSH and a signed commit by a key
 * that nothing but the agent holds; keys and agents as they are found on people's machines; and the exchange of keys while
 * somebody is connected.
 */
import { readdirSync } from 'node:fs'
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent, startSilent, type TestAgent } from '../support/agent.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene, startProcess } from './scene.ts'

const LIMIT_MS = 90_000
const FIXED = '/run/nexus/agent.sock'

interface Play {
  readonly scene: Scene
  readonly agent: TestAgent
  /** `nexus ssh demo -- <argv>` with the agent. */
  ssh(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }>
  /** OpenSSH by the alias, with whatever SSH_AUTH_SOCK. */
  alias(command: string, socket?: string): Promise<{ code: number; stdout: string; stderr: string }>
}

async function play(scene: Scene, agent: TestAgent): Promise<Play> {
  const env = { SSH_AUTH_SOCK: agent.socketPath }
  const config = join(scene.home, '.nexus', 'ssh', 'config')
  return {
    scene,
    agent,
    ssh: (...argv) => scene.run(['ssh', 'demo', '--', ...argv], { env }),
    alias: (command, socket = agent.socketPath) =>
      runProcess(['ssh', '-F', config, 'demo.nexus', command], { env: { HOME: scene.home, SSH_AUTH_SOCK: socket } }),
  }
}

/** Keys and files as they lie around in people's ~/.ssh. */
async function fillSshFolder(home: string): Promise<string> {
  const folder = join(home, '.ssh')
  await mkdir(folder, { mode: 0o700 })
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  const sk = 'sk-ssh-ed25519@openssh.com'
  const blob = Buffer.concat([Buffer.from(sk), Buffer.alloc(32, 7), Buffer.from('ssh:')].map(field)).toString('base64')
  await writeFile(join(folder, 'token.pub'), `${sk} ${blob} token\n`)
  const make = (type: string, ...more: string[]) =>
    must(['ssh-keygen', '-q', '-t', type, ...more, '-f', join(folder, type), '-C', type])
  await Promise.all([make('rsa', '-b', '1024', '-N', ''), make('ecdsa', '-N', 'secret'), make('ed25519', '-N', '')])
  await must(['ssh-keygen', '-q', '-s', join(folder, 'ed25519'), '-I', 'id', join(folder, 'rsa.pub')])
  await writeFile(join(folder, 'old.pub'), `ssh-dss ${Buffer.from('\0\0\0\x07ssh-dss').toString('base64')} old\n`)
  await writeFile(join(folder, 'huge.pub'), 'x'.repeat(5 * 1024 ** 2))
  await mkdir(join(folder, 'folder.pub'))
  await symlink('nothing', join(folder, 'gone.pub'))
  await must(['mkfifo', join(folder, 'pipe.pub')])
  return folder
}

async function findsKeysAsTheyAre({ scene, agent }: Play, folder: string): Promise<void> {
  for (let i = 0; i < 30; i++) await agent.makeKey(`key-${i}`)
  const up = await scene.run(['up', 'demo'], { env: { SSH_AUTH_SOCK: agent.socketPath } })
  assert.is(up.code, 0, up.stderr)
  for (const name of ['huge', 'folder', 'pipe']) assert.match(up.stderr, `${join(folder, name)}.pub is left out`)
  const { workspaces } = JSON.parse(
    await scene.ok(['keys', 'list', '--json'], { env: { SSH_AUTH_SOCK: agent.socketPath } }),
  )
  const [{ keys, hostKey }] = workspaces
  const of = (from: string) => keys.filter((key: { from: string }) => key.from === from)
  assert.equal([of('nexus').length, of('agent').length, of('unknown').length], [1, 31, 0])
  const found = of('file').map(({ type, bits, comment }: Record<string, unknown>) => `${type} ${bits} ${comment}`)
  assert.equal(found.sort(), [
    'ecdsa-sha2-nistp256 256 ecdsa',
    'sk-ssh-ed25519@openssh.com 256 token',
    'ssh-ed25519 256 ed25519',
    'ssh-rsa 1024 rsa',
  ])
  const line = await readFile(join(scene.home, '.nexus', 'workspaces', workspaces[0].id, 'ssh', 'known_hosts'), 'utf8')
  assert.match(line, /^nexus-ws-/m)
  assert.match(hostKey.fingerprint, /^SHA256:/)
}

async function hasOneFixedPath({ ssh, alias, scene, agent }: Play): Promise<void> {
  const shells = ['echo $SSH_AUTH_SOCK', ...['bash -c', 'bash -lc', 'sh -c'].map((sh) => `${sh} 'echo $SSH_AUTH_SOCK'`)]
  const { stdout, stderr } = await alias(shells.join('; '))
  assert.equal([stdout.trim().split('\n'), stderr], [shells.map(() => FIXED), ''])
  for (const run of [() => alias('ssh-add -l'), () => ssh('ssh-add', '-l')])
    assert.is((await run()).stdout.trim().split('\n').length, 31)
  for (const words of ['ssh-add -D', 'ssh-keygen -q -t ed25519 -N "" -f /tmp/k && ssh-add /tmp/k']) {
    const refused = await ssh('sh', '-c', words)
    assert.is.not(refused.code, 0, refused.stdout + refused.stderr)
  }
  assert.is((await agent.add(['-l'])).said.trim().split('\n').length, 31)
  // a transfer is not disturbed by what the shells read
  const sftp = ['sftp', '-q', '-b', '-', '-F', join(scene.home, '.nexus', 'ssh', 'config'), 'demo.nexus']
  const files = await runProcess(sftp, { input: 'ls /etc/nexus\n', env: { HOME: scene.home } })
  assert.match(files.stdout, /\/etc\/nexus\/ssh/)
}

/** A command inside that waits for a line before each look at the agent. */
const LOOKS = 'echo begun >&2; while read -r line; do bash -ic true 2>/dev/null; ssh-add -l; done'

async function keepsTheLinkThatLives({ scene, agent, ssh, alias }: Play): Promise<void> {
  const env = {
    ...process.env,
    HOME: scene.home,
    NEXUS_HOME: join(scene.home, '.nexus'),
    SSH_AUTH_SOCK: agent.socketPath,
  }
  const nexus = [process.execPath, join(process.cwd(), 'dist', 'nexus.js')]
  const first = startProcess([...nexus, 'ssh', 'demo', '--', 'bash', '-c', LOOKS], {
    cwd: scene.repo.path,
    env,
    input: 'pipe',
  })
  await eventually(() => first.stderr().includes('begun'), { timeoutMs: 20_000 })
  // one without an agent leaves it, and so does a command with one
  assert.match((await alias('ssh-add -l', '')).stdout, /SHA256/)
  assert.is((await ssh('true')).code, 0)
  // a terminal takes it and ends; the next shell in the first login finds that again
  const config = join(scene.home, '.nexus', 'ssh', 'config')
  const terminal = ['ssh', '-tt', '-F', config, 'demo.nexus', 'readlink -f $SSH_AUTH_SOCK']
  const theirs = (await runProcess(terminal, { env })).stdout.trim()
  assert.match(theirs, /agent/)
  first.child.stdin?.end('list\n')
  const { stdout, stderr } = await first.ended
  assert.is(stdout.match(/key-29/g)?.length, 1, stdout + stderr)

  // connections over the alias share a path outside, which the one that lives on serves alone
  const both = [1, 2].map(() => startProcess(['ssh', '-T', '-F', config, 'demo.nexus', LOOKS], { env, input: 'pipe' }))
  for (const { stderr } of both) await eventually(() => stderr().includes('begun'), { timeoutMs: 20_000 })
  for (const { child, ended } of both) {
    child.stdin?.end('list\n')
    const said = await ended
    assert.is(said.stdout.match(/key-29/g)?.length, 1, said.stdout + said.stderr)
  }
  const left = readdirSync(join(scene.home, '.nexus', 'run')).filter((name) => name.includes('.agent'))
  assert.equal(left, [])

  for (const socket of ['', '/nowhere']) {
    const { code, stderr } = await scene.run(['ssh', 'demo', '--', 'ssh-add', '-l'], { env: { SSH_AUTH_SOCK: socket } })
    assert.equal([code, stderr.trim()], [2, 'Error connecting to agent: No such file or directory'])
  }
}

async function toleratesSilence({ scene }: Play): Promise<void> {
  const socket = join(scene.root, 'mute')
  await using _silent = await startSilent(socket)
  const env = { SSH_AUTH_SOCK: socket }
  const shell = await scene.run(['ssh', 'demo', '--', 'echo', 'in'], { env, timeoutMs: 20_000 })
  assert.equal([shell.code, shell.stdout], [0, 'in\n'])
  assert.match(shell.stderr, /does not answer: nothing is forwarded to demo/)
  await scene.ok(['stop', 'demo'])
  const up = await scene.run(['up', 'demo'], { env, timeoutMs: 30_000 })
  assert.equal([up.code, /does not answer: its keys are not let in/.test(up.stderr)], [0, true], up.stderr)
}

async function signsAndPushes({ ssh, alias, scene, agent }: Play, key: string): Promise<void> {
  // a git server of its own, which lets in one key; it runs beside the workspace's own, as who works inside
  const server = [
    'ssh-keygen -q -t ed25519 -N "" -f /tmp/server',
    `echo '${key}' > /tmp/allowed`,
    '/usr/sbin/sshd -f /dev/null -p 2222 -h /tmp/server -o PidFile=none -o StrictModes=no -o AuthorizedKeysFile=/tmp/allowed -o PermitRootLogin=yes',
    'git init -q --bare /tmp/origin.git',
    'echo "[127.0.0.1]:2222 $(cut -d " " -f 1,2 /tmp/server.pub)" > /tmp/known',
    'git config --global core.sshCommand "ssh -o UserKnownHostsFile=/tmp/known"',
  ].join(' && ')
  // a server that is not ours lets nobody try so many keys
  const others = Array.from({ length: 30 }, (_, i) => join(scene.root, `key-${i}.pub`))
  assert.is((await agent.add(['-d', ...others])).code, 0)
  const begun = await ssh('sh', '-c', server)
  assert.is(begun.code, 0, begun.stderr)
  const push =
    'cd /workspace && git commit -q --allow-empty -m signed && git push -q ssh://nexus@127.0.0.1:2222/tmp/origin.git HEAD:main'
  const pushed = await alias(`${push} && git verify-commit HEAD && git -C /tmp/origin.git rev-parse main`)
  assert.is(pushed.code, 0, pushed.stderr)
  assert.match(pushed.stderr, /Good "git" signature for sign@example\.invalid/)
  assert.is(pushed.stdout.trim(), await scene.repo.git('rev-parse', 'nexus/demo'))
  // by the key alone that the agent holds
  const alone = await scene.run(['exec', 'demo', '--', 'git', '-C', '/workspace', 'commit', '--allow-empty', '-m', 'x'])
  assert.is.not(alone.code, 0)
  assert.is.not((await alias(push, '')).code, 0)
  assert.is((await agent.add(['-d', join(scene.root, 'signing.pub')])).code, 0)
}

async function exchangesKeys({ scene, alias }: Play): Promise<void> {
  const open = scene.start([
    'exec',
    'demo',
    '--',
    'sh',
    '-c',
    'echo begun >&2; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo went on',
  ])
  await eventually(() => open.stderr().includes('begun'), { timeoutMs: 20_000 })
  const [before] = await scene.list()
  const plan = JSON.parse(await scene.ok(['keys', 'rotate', 'demo', '--dry-run', '--json']))
  assert.equal([plan.rotated.before, plan.rotated.after], [before?.ssh.hostKeyFingerprint, null])
  const { rotated } = JSON.parse(await scene.ok(['keys', 'rotate', 'demo', '--json']))
  const own = JSON.parse(await scene.ok(['keys', 'rotate', '--own', '--json'])).rotated
  assert.is.not(own.before, own.after)
  const [after] = await scene.list()
  assert.equal([rotated.before, rotated.after], [before?.ssh.hostKeyFingerprint, after?.ssh.hostKeyFingerprint])
  assert.is.not(rotated.before, rotated.after)
  assert.is((await alias('echo in')).stdout, 'in\n')
  assert.is(await scene.inside('demo', 'touch', '/tmp/go'), '')
  assert.is((await open.ended).stdout, 'went on\n')

  // cut off between its two steps: the server that runs shows the old one, and the next start the new one
  const folder = join(scene.home, '.nexus', 'workspaces', after?.id ?? '', 'ssh')
  const key = join(folder, 'ssh_host_ed25519_key')
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${key}.next`])
  await must(['cp', `${key}.pub`, `${key}.old.pub`])
  await rename(`${key}.next`, key)
  await scene.ok(['stop', 'demo'])
  await scene.up('demo')
  assert.is((await alias('echo in')).stdout, 'in\n')
  assert.equal(
    readdirSync(folder).filter((name) => /next|old/.test(name)),
    [],
  )
  const [mended] = await scene.list()
  const { stdout } = await runProcess(['ssh-keygen', '-l', '-f', `${key}.pub`])
  assert.match(stdout, mended?.ssh.hostKeyFingerprint ?? 'none')
  await scene.refused(['keys', 'rotate'], 2, 'INVALID_ARGUMENT')
}

suite('the agent inside', (test) => {
  test(
    'is reached as far as it may be, signs and pushes, and keys are exchanged under open connections',
    async () => {
      await using scene = await openScene()
      await using agent = await startAgent(scene.root)
      const folder = await fillSshFolder(scene.home)
      const key = await agent.makeKey('signing')
      const settings = [
        ...['user.name=Signer', 'user.email=sign@example.invalid', 'gpg.format=ssh'],
        ...[`user.signingkey=${join(scene.root, 'signing.pub')}`, 'commit.gpgsign=true'],
      ]
      for (const setting of settings) {
        const [name = '', value = ''] = setting.split('=')
        await must(['git', 'config', '--file', join(scene.home, '.gitconfig'), name, value])
        if (name.startsWith('user.') && name !== 'user.signingkey') await scene.repo.git('config', '--unset', name)
      }
      const all = await play(scene, agent)
      await findsKeysAsTheyAre(all, folder)
      await hasOneFixedPath(all)
      await keepsTheLinkThatLives(all)
      await toleratesSilence(all)
      await signsAndPushes(all, key)
      await exchangesKeys(all)
    },
    LIMIT_MS,
  )
})
