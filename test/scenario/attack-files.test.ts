/**
 * What is made inside a workspace, seen from this machine: modes and owners, the `.git` file, labels of images.
 *
 * | finding | what the attack did                                              | where                                  | since   |
 * |---------|------------------------------------------------------------------|----------------------------------------|---------|
 * | B5.1    | a set-user-ID file in the worktree, run by another local user    | tools/git.ts, docker/main-service.ts   | 66faf1f |
 * | B5.2    | the same of root, by a service with the worktree mounted         | network/gate.ts                          | 4325688 |
 * | B8      | `.git` written through a mount of a link, and git obeyed it      | docker/work-mounts.ts                  | c7f377c |
 * | B15     | `LABEL dev.nexus.role=workspace` passed for the main container   | docker/observation.ts                  | 4325688 |
 *
 * On the code before (5953773) every test here but the one about harmless programs fails.
 */
import { chmod, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene, shareScene } from './scene.ts'
import { makeUser, type User } from './users.ts'

const FILES = {
  'compose.yaml': `services:
  web: { image: "debian:bookworm-slim", command: sleep infinity }
  rooty:
    image: debian:bookworm-slim
    user: root
    command: sleep infinity
    security_opt: ["no-new-privileges:false"]
    volumes: [".:/w", "./self:/b", "./sub/up:/c", "./self/sub/up/self:/d"]
  takes: { image: "debian:bookworm-slim", command: sleep infinity, volumes_from: ["rooty:rw"] }
  aaa: { build: ./aaa, command: sleep infinity }
`,
  'aaa/Dockerfile': `FROM debian:bookworm-slim
LABEL dev.nexus.role=workspace dev.nexus.shared=x dev.nexus.helper=files dev.nexus.workspace=ws-aaaaaaaa
`,
  '.nexus/config.yaml': 'workspace: { service: web }\n',
}

/** Every call that gives a file its mode, as x86-64 numbers it; a file that is made has one of the bits. */
const CALLS = `my $d = shift; my $a = -100; mkdir $d; open my $f, '>', "$d/f";
syscall(85, "$d/creat", 04755); syscall(2, "$d/open", 0101, 04755); syscall(257, $a, "$d/openat", 0101, 02755);
syscall(133, "$d/mknod", 0104755, 0); syscall(259, $a, "$d/mknodat", 0102755, 0);
syscall(90, "$d/f", 04755); syscall(91, fileno($f), 02755); syscall(268, $a, "$d/f", 06755);
syscall(452, $a, "$d/f", 04755, 0); my $how = pack('QQQ', 0101, 04755, 0); syscall(437, $a, "$d/openat2", $how, 24);
my $t = syscall(2, $d, 020200002, 04755); syscall(265, $a, "/proc/self/fd/$t", $a, "$d/tmpfile", 0x400) if $t >= 0;
system("cp /bin/bash $d/shell; chmod 4755 $d/shell; install -m 6755 /bin/bash $d/installed; cp -p /usr/bin/passwd $d/copied");
system("tar -C / -cf $d/a.tar usr/bin/passwd usr/bin/su; tar -C $d -xpf $d/a.tar; mkdir -m 2775 $d/folder");`

/** Ends with 0 where all of it works as without a profile. */
const HARMLESS = `set -e; cd "$(mktemp -d)"; mkdir -p a/b; echo x > a/b/f; chmod 640 a/b/f; chmod 1777 a; chmod -R g+w a
tar cf a.tar a; mkdir c; tar xpf a.tar -C c; cp -a a d; cp -p a/b/f e; install -D -m 755 e g/h; mv g i; ln i/h j; touch -d yesterday j
perl -e 'use File::Temp; my ($h, $n) = File::Temp::tempfile(UNLINK => 1); print $h "x"; chmod 0600, $n or die'
git init -q r; cd r; git config user.name a; git config user.email a; echo x > x; git add x; git commit -qm x; git gc -q; git status --short`

const services = ['web', 'rooty', 'takes', 'aaa', 'nexus-gate']
let victim: User | undefined
let other: User | undefined

async function open(): Promise<Scene> {
  victim = await makeUser({ inDockerGroup: true })
  other = await makeUser({ inDockerGroup: false })
  const scene = await openScene({ user: victim, files: FILES })
  const { repo } = scene
  await must(['bash', '-c', 'ln -s . self && mkdir sub && ln -s .. sub/up && mkdir -m 755 .worktree'], {
    cwd: repo.path,
  })
  await repo.git('add', '--all')
  await repo.git('commit', '--quiet', '--message', 'links')
  await victim.own(scene.root)
  await scene.up('agent', '--isolation', 'agent')
  await scene.up('own', '--git-mode', 'private')
  return scene
}

suite('files, links and labels of an attacker', (define) => {
  const test = (name: string, body: () => Promise<void>, limitMs = LIMIT_MS) => define(name, body, limitMs)
  const shared = shareScene(open)
  const worktree = (scene: Scene, name = 'agent') => join(scene.repo.path, '.worktree', name)
  let ids = new Map<string, string>()
  const idOf = async (name: string, service: string) => {
    if (ids.size === 0) ids = new Map((await (await shared.get()).list()).map((one) => [one.name, one.id]))
    const labels = [`dev.nexus.workspace=${ids.get(name)}`, `com.docker.compose.service=${service}`]
    const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
    return (await must(['docker', 'ps', '--all', '--quiet', ...filters])).trim()
  }
  const within = async (name: string, service: string, ...argv: readonly string[]) =>
    runProcess(['docker', 'exec', await idOf(name, service), ...argv])
  const setIdFiles = async (scene: Scene, name: string) =>
    (await must(['find', worktree(scene, name), '-perm', '/6000'])).trim()

  test(
    'B5: no call of the agent or of a service of root makes a file that runs as its owner',
    async () => {
      const scene = await shared.get()
      await scene.run(['exec', 'agent', '--', 'perl', '-e', CALLS, 'by-agent'])
      await within('agent', 'rooty', 'perl', '-e', CALLS, '/w/by-root')
      assert.is(await setIdFiles(scene, 'agent'), '')
      // it did run: what it made without the bits is there
      for (const made of ['by-agent/shell', 'by-root/shell']) await stat(join(worktree(scene), made))
    },
    3 * LIMIT_MS,
  )

  test('B5: another user of this machine cannot reach a worktree at all', async () => {
    const scene = await shared.get()
    const words = [...(other?.as ?? []), 'ls', join(worktree(scene), 'compose.yaml')]
    const { code, stderr } = await runProcess(words)
    assert.is.not(code, 0)
    assert.match(stderr, 'Permission denied')
    assert.is((await stat(join(scene.repo.path, '.worktree'))).mode & 0o7777, 0o700)
  })

  test('B5: every service of an agent has the profile, also by hand', async () => {
    const scene = await shared.get()
    const [{ id } = { id: '' }] = (await scene.list()).filter(({ name }) => name === 'agent')
    const file = join(scene.home, '.nexus', 'workspaces', id, 'docker-compose.yml')
    await must([...(victim?.as ?? []), 'docker', 'compose', '-f', file, 'up', '--detach', '--force-recreate', 'rooty'])
    for (const service of services) {
      const options = await must([
        'docker',
        'inspect',
        '-f',
        '{{json .HostConfig.SecurityOpt}}',
        await idOf('agent', service),
      ])
      assert.match(options, 'seccomp=', service)
      assert.is(
        (JSON.parse(options) as readonly string[]).filter((one) => /privileges/.test(one)).at(-1),
        'no-new-privileges:true',
      )
    }
  })

  test('what harmless programs do goes on, for the agent and for root', async () => {
    const scene = await shared.get()
    await scene.inside('agent', 'bash', '-c', HARMLESS)
    const asRoot = HARMLESS.split('\ngit init')[0] ?? ''
    const { code, stderr } = await within('agent', 'rooty', 'bash', '-c', asRoot)
    assert.is(code, 0, stderr)
  })

  test('B5: doctor finds such files and open folders, and mends them', async () => {
    const scene = await shared.get()
    const path = join(worktree(scene), 'planted')
    await writeFile(path, 'x')
    await victim?.own(path)
    await chmod(path, 0o4755)
    await chmod(join(scene.repo.path, '.worktree'), 0o755)
    await chmod(join(scene.home, '.nexus', 'run'), 0o755)
    const { stdout } = await scene.run(['doctor'])
    assert.match(stdout, 'set-user-ID')
    assert.match(stdout, 'planted')
    assert.match(stdout, 'can be entered by others')
    await scene.run(['doctor', '--fix'])
    assert.is((await stat(path)).mode & 0o7777, 0o755)
    for (const folder of [join(scene.repo.path, '.worktree'), join(scene.home, '.nexus', 'run')]) {
      assert.is((await stat(folder)).mode & 0o7777, 0o700, folder)
    }
  })

  test('B8: the .git file is read-only wherever a mount leads to it', async () => {
    const scene = await shared.get()
    const text = 'for d in w b c d; do echo "gitdir: /w/e" 2>/dev/null > /$d/.git && echo "/$d written"; done; true'
    for (const [name, service] of [
      ['own', 'rooty'],
      ['own', 'takes'],
      ['agent', 'rooty'],
    ] as const) {
      assert.is((await within(name, service, 'sh', '-c', text)).stdout, '', `${service} of ${name}`)
    }
    assert.match(await must(['cat', join(worktree(scene, 'own'), '.git')]), /worktrees\/own$/m)
  })

  test('B15: what an image says of itself counts for nothing', async () => {
    const scene = await shared.get()
    await must(['docker', 'stop', '--time', '0', await idOf('agent', 'aaa')])
    const image = (await must(['docker', 'inspect', '-f', '{{.Config.Image}}', await idOf('own', 'aaa')])).trim()
    const stray = (await must(['docker', 'run', '--detach', image, 'sleep', 'infinity'])).trim()
    try {
      const all = await scene.list()
      const told = all.map(({ name, state, reason }) => `${name}: ${state}${reason === '' ? '' : `, ${reason}`}`).sort()
      assert.equal(told, ['agent: running, service aaa is exited', 'own: running'])
      await must(['docker', 'start', await idOf('agent', 'aaa')])
      await must(['docker', 'stop', '--time', '0', await idOf('agent', 'web')])
      const [agent] = (await scene.list()).filter(({ name }) => name === 'agent')
      assert.is.not(agent?.state, 'running')
    } finally {
      await must(['docker', 'rm', '--force', stray])
    }
  })

  test(
    'and all of it is deleted as ever',
    async () => {
      try {
        await shared.close()
      } finally {
        await victim?.[Symbol.asyncDispose]()
        await other?.[Symbol.asyncDispose]()
      }
    },
    3 * LIMIT_MS,
  )
})
