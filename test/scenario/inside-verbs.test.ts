/**
 * cp, forward, tmux, exec --all and current on two workspaces, one of them an agent's whose tar means ill: as people and scripts use
 * them, and when they are cut off.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeEntry, endOfArchive, padding, type TarEntry } from '../../lib/core/tar.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { must, openScene, type Scene } from './scene.ts'

const LIMIT_MS = 120_000
const NAMES = [
  'with space',
  'new\nline',
  `q'uo"te`,
  '-dash',
  'größe 日本',
  'a:b',
  '*?[x]',
  '$(id)`id`',
  'l'.repeat(200),
]

suite('verbs that go inside', (test) => {
  test(
    'files, ports, terminals and commands go in and out of two workspaces',
    async () => {
      await using scene = await openScene()
      await scene.up('demo')
      await scene.up('caged', '--isolation', 'agent', '--network', 'open')
      await namesAndLinks(scene)
      await places(scene)
      await hostileArchives(scene)
      await cutOff(scene)
      await everywhere(scene)
      await sessions(scene)
      await folders(scene)
      await forwards(scene)
    },
    LIMIT_MS,
  )
})

/** Kind, mode, time to the second, size of files, path and target of everything below a folder. */
const LISTING = ['find', '.', '-printf', '%y %m %Ts %P -> %l\\0']

async function namesAndLinks(scene: Scene): Promise<void> {
  const tree = join(scene.root, 'tree')
  await mkdir(join(tree, 'sub', 'empty'), { recursive: true })
  for (const name of NAMES) await writeFile(join(tree, name), name)
  await writeFile(Buffer.concat([Buffer.from(`${tree}/bad-`), Buffer.from([0xff, 0xfe])]), 'bytes')
  await writeFile(join(tree, 'sub', 'run'), '#!/bin/sh\n')
  await chmod(join(tree, 'sub', 'run'), 0o751)
  await symlink('sub/run', join(tree, 'link'))
  for (const path of ['sub/run', 'sub/empty', 'sub']) await utimes(join(tree, path), 981_173_106, 981_173_106)
  const before = await must(LISTING, { cwd: tree })
  await scene.ok(['cp', tree, 'demo:/tmp/'])
  await scene.ok(['cp', '-rp', 'demo:/tmp/tree', 'caged:/tmp/other'])
  const said = await scene.run(['cp', '-a', 'caged:/tmp/other', join(scene.root, 'back')])
  assert.equal([said.code, /owners are not kept/.test(said.stderr)], [0, true])
  const back = join(scene.root, 'back')
  assert.is(await must(LISTING, { cwd: back }), before)
  await must(['diff', '-r', '--no-dereference', tree, back])
  // over what is there, and what is in it alone
  await writeFile(join(tree, '-dash'), 'changed')
  await scene.ok(['cp', `${tree}/.`, 'demo:/tmp/tree'])
  assert.is(await scene.inside('demo', 'cat', '/tmp/tree/-dash'), 'changed')
}

async function places(scene: Scene): Promise<void> {
  const { path } = scene.repo
  const worktree = join(path, '.worktree', 'demo')
  await writeFile(join(path, 'a:b'), 'colon')
  const plan = JSON.parse(await scene.ok(['cp', './a:b', 'demo:~/x', '--dry-run', '--json']))
  assert.equal(plan.copied[0].to, { workspace: 'demo', path: '/home/nexus/x' })
  await scene.ok(['cp', './a:b', 'README.md', 'demo:'])
  assert.is(await readFile(join(worktree, 'a:b'), 'utf8'), 'colon')
  await scene.ok(['cp', 'demo:a:b', 'demo:README.md', scene.root])
  assert.is(await readFile(join(scene.root, 'a:b'), 'utf8'), 'colon')
  await scene.inside('demo', 'rm', 'a:b')
  const madeUp = await scene.run(['cp', 'demo:/proc/version', scene.root])
  assert.equal([madeUp.code, /have no true size: content is ignored/.test(madeUp.stderr)], [0, true])
  await scene.refused(['cp', 'a:b', 'demo:'], 3, 'WORKSPACE_NOT_FOUND')
  await scene.refused(['cp', 'demo:missing', '.'], 2, 'INVALID_ARGUMENT')
  await scene.refused(['cp', 'demo:README.md', '.worktree/demo'], 2, 'INVALID_ARGUMENT')
  await scene.refused(['cp', 'README.md', 'caged:/etc/x'], 1, 'PERMISSION_DENIED')
  await scene.inside(
    'caged',
    'sh',
    '-c',
    'mkdir /tmp/p && echo 1 > /tmp/p/open && touch /tmp/p/shut && chmod 0 /tmp/p/shut',
  )
  if ((await scene.inside('caged', 'id', '-u')).trim() !== '0') {
    const { message } = await scene.refused(['cp', 'caged:/tmp/p', scene.root], 1, 'PERMISSION_DENIED')
    assert.match(message, /shut: Cannot open: Permission denied/)
    assert.is(await readFile(join(scene.root, 'p', 'open'), 'utf8'), '1\n')
  }
  await scene.inside('caged', 'mkdir', '-p', '/tmp/README.md/x')
  assert.match(
    (await scene.refused(['cp', 'README.md', 'caged:/tmp/README.md/x/../..'], 1, 'CONTAINER_ERROR')).message,
    /^README\.md in caged:\/tmp.* is a folder or a mount/,
  )
  await truncate(join(path, 'a:b'), 70 * 1024 * 1024)
  await scene.refused(['cp', './a:b', 'demo:/dev/shm/big'], 1, 'DISK_FULL')
}

const entry = (path: string, more: Partial<TarEntry> = {}): Buffer => {
  const plain = { names: path.split('/'), kind: 'file', size: 4, mode: 0o4777, mtime: 1e9, target: '' } as const
  const whole: TarEntry = { ...plain, ...more }
  const content = whole.kind === 'file' ? Buffer.from('evil') : Buffer.alloc(0)
  return Buffer.concat([encodeEntry({ ...whole, size: content.length }), content, padding(content.length)])
}

/** Whoever is inside decides what runs there as tar. */
async function hostileArchives(scene: Scene): Promise<void> {
  const target = join(scene.root, 'hostile', 'target')
  const outside = join(scene.root, 'hostile', 'outside')
  await mkdir(target, { recursive: true })
  await mkdir(outside)
  const link = (path: string, to: string) => entry(path, { kind: 'link', target: to })
  const top = entry('.', { kind: 'folder' })
  const archives: Readonly<Record<string, readonly Buffer[]>> = {
    'no-top': [entry('evil')],
    dots: [top, entry('../outside/evil')],
    absolute: [top, entry(`${outside}/evil`)],
    'through-link': [top, link('l', outside), entry('l/evil')],
    'through-chain': [
      top,
      entry('s', { kind: 'folder' }),
      link('s/up', '..'),
      link('l', 's/up/../outside'),
      entry('l/evil'),
    ],
    garbage: [Buffer.alloc(4096, 'x')],
    endless: [top, endOfArchive(), Buffer.alloc(200_000, 1)],
    short: [top, entry('a').subarray(0, 1100)],
  }
  for (const [name, parts] of Object.entries(archives)) {
    await writeFile(
      join(scene.root, 'evil.tar'),
      Buffer.concat([...parts, ...(name === 'short' ? [] : [endOfArchive()])]),
    )
    await scene.ok(['cp', join(scene.root, 'evil.tar'), `caged:/tmp/${name}.tar`])
  }
  const takeover =
    'mkdir -p ~/bin ~/data && printf "#!/bin/sh\\ncat /tmp/$1.tar\\n" > ~/bin/tar && chmod +x ~/bin/tar && echo "PATH=$HOME/bin:$PATH" >> /run/nexus/env.sh'
  for (const name of Object.keys(archives)) {
    await scene.inside('caged', 'sh', '-c', takeover, 'sh', name)
    const { code, stdout } = await scene.run(['cp', '--json', 'caged:~/data', target])
    assert.ok([1, 2].includes(code), `${name}: ${code} ${stdout}`)
    assert.match(stdout, /cannot be unpacked|does not lie in a folder/, name)
    assert.equal(await readdir(outside), [], name)
  }
  await scene.inside('caged', 'sh', '-c', 'rm ~/.bashrc ~/bin/tar')
  const left = (await must(['find', target, '-type', 'l', '-o', '-perm', '/6000'])).trim()
  assert.is(left, join(target, 'data', 's', 'up'))
}

async function cutOff(scene: Scene): Promise<void> {
  const target = join(scene.root, 'cut')
  await mkdir(target)
  await scene.inside('demo', 'truncate', '-s', '20G', '/tmp/huge')
  const running = scene.start(['cp', 'demo:/tmp/huge', target])
  await eventually(async () => (await readdir(target)).length > 0)
  running.child.kill('SIGINT')
  assert.is((await running.ended).code, 130)
  assert.equal(await readdir(target), [])
  await eventually(async () => (await scene.run(['exec', 'demo', '--', 'pgrep', '-x', 'tar'])).code === 1)
}

async function everywhere(scene: Scene): Promise<void> {
  await scene.ok(['create', 'idle', '--no-start'])
  const script = 'echo "$NEXUS_WS_NAME"; printf rest; echo oops >&2; [ "$NEXUS_WS_NAME" = demo ]'
  const { code, stdout, stderr } = await scene.run(['exec', '--all', '--', 'sh', '-c', script])
  assert.is(code, 1)
  const lines = stdout.trimEnd().split('\n').sort()
  assert.equal(lines, ['caged | caged', 'caged | rest', 'demo  | demo', 'demo  | rest'])
  assert.match(stderr, /^demo {2}\| oops$/m)
  assert.match(stderr, /^caged +1 +[\d.]+ s$/m)
  assert.match(stderr, /^idle +- +skipped: stopped$/m)
  const { results } = JSON.parse(await scene.ok(['exec', '--all', '--json', '--', 'seq', '3']))
  const told = results.map(({ name, exitCode, stdout: said }: Record<string, unknown>) => [name, exitCode, said])
  assert.equal(told, [
    ['demo', 0, '1\n2\n3\n'],
    ['caged', 0, '1\n2\n3\n'],
    ['idle', null, ''],
  ])
  assert.is((await scene.run(['exec', 'demo,idle', '--', 'true'])).code, 1)
  assert.is((await scene.ok(['exec', 'demo,caged', '--', 'seq', '100000'])).split('\n').length, 200_001)
  await scene.ok(['delete', 'idle'])
  const running = scene.start(['exec', '--all', '--', 'sh', '-c', 'sleep 4712 & sleep 4711'])
  const sleeps = async (expected: number) => {
    const found = await scene.run(['exec', 'demo,caged', '--', 'pgrep', '-c', '-x', 'sleep'])
    return found.stdout.match(/\| (\d+)$/gm)?.every((line) => line === `| ${expected}`) === true
  }
  await eventually(() => sleeps(2), { timeoutMs: 10_000 })
  running.child.kill('SIGINT')
  assert.is((await running.ended).code, 130)
  assert.ok(await sleeps(0))
}

async function sessions(scene: Scene): Promise<void> {
  const made = JSON.parse(await scene.ok(['tmux', 'caged', '--detach', '--json', '--', 'sleep', '4713']))
  assert.equal([made.session, made.made], ['nexus', true])
  await scene.refused(['tmux', 'demo'], 2, 'INVALID_ARGUMENT')
  const nexus = `${process.execPath} ${join(process.cwd(), 'dist', 'nexus.js')} tmux demo`
  const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), TERM: 'no-such-terminal', SHELL: '/bin/sh' }
  const attach = (keys: string) =>
    runProcess(['bash', '-c', `(${keys}) | script -qec '${nexus}' /dev/null`], { cwd: scene.repo.path, env })
  const typed = `until [ -e "${scene.root}/typed" ]; do sleep 0.1; done; printf 'pwd > /tmp/here\\r'; until [ -e "${scene.root}/seen" ]; do sleep 0.1; done; printf '\\002d'; sleep 1`
  const attached = attach(typed)
  await eventually(async () => (await scene.run(['exec', 'demo', '--', 'tmux', 'list-clients'])).stdout !== '')
  await writeFile(join(scene.root, 'typed'), '')
  const worktree = join(scene.repo.path, '.worktree', 'demo')
  await eventually(async () => (await scene.run(['exec', 'demo', '--', 'cat', '/tmp/here'])).stdout.trim() === worktree)
  await writeFile(join(scene.root, 'seen'), '')
  assert.match((await attached).stdout, /detached/)
  assert.match(await scene.ok(['tmux', 'demo', '--detach']), /there already/)
  assert.match(await scene.inside('demo', 'tmux', 'list-sessions', '-F', '#{session_name}'), /^nexus$/m)
}

async function folders(scene: Scene): Promise<void> {
  const cwd = join(scene.repo.path, '.worktree', 'demo')
  assert.is(await scene.ok(['current'], { cwd }), 'demo\n')
  assert.is(JSON.parse(await scene.ok(['current', '--json'], { cwd })).state, 'running')
  assert.is((await scene.ok(['exec', 'current', '--', 'pwd'], { cwd })).trim(), cwd)
  await scene.refused(['current'], 3, 'WORKSPACE_NOT_FOUND')
}

async function forwards(scene: Scene): Promise<void> {
  const serve = 'while :; do echo hello | nc -l -N 127.0.0.1 34567; done'
  const server = scene.start(['exec', 'demo', '--', 'sh', '-c', serve])
  const start = (...args: readonly string[]) => {
    const running = scene.start(['forward', 'demo', ...args, '--json'])
    let said = ''
    running.child.stdout?.on('data', (text: string) => {
      said += text
    })
    const ports = async () => {
      await eventually(() => said.includes('\n'), { timeoutMs: 10_000 })
      return (JSON.parse(said).forwards as { local: number }[]).map(({ local }) => local)
    }
    return { ...running, ports }
  }
  const hear = async (port: number, address = '127.0.0.1') =>
    (await runProcess(['bash', '-c', `exec 3<>/dev/tcp/${address}/${port}; cat <&3`])).stdout
  const leases = async () => (await scene.made()).leases
  const before = await leases()
  await scene.refused(['forward', 'demo', 'nobody:80'], 2, 'INVALID_ARGUMENT')
  const first = start('34567', '22')
  const [same = 0, leased = 0] = await first.ports()
  assert.is(same, 34567)
  assert.ok(leased >= 32_800 && leased !== 22)
  await eventually(async () => (await hear(same)) === 'hello\n')
  const second = start('34567')
  const [other = 0] = await second.ports()
  assert.ok(other !== same && other !== leased)
  assert.is(await leases(), before + 2)
  await scene.refused(['forward', 'demo', '34567:34567'], 4, 'PORT_CONFLICT')
  first.child.kill('SIGKILL')
  await first.ended
  await eventually(async () => (await hear(same)) === '', { timeoutMs: 10_000 })
  second.child.kill('SIGTERM')
  assert.is((await second.ended).code, 143)
  // its exit code tells of this machine, too
  const { stdout: mended } = await scene.run(['doctor', '--fix', '--json'])
  assert.match(mended, /is leased to [^"]* \(demo, forwarded\), which is gone/)
  assert.is(await leases(), before)
  const third = start('34567', '34999')
  const [, unheard = 0] = await third.ports()
  assert.is(await hear(unheard), '')
  await eventually(() => /not taken inside demo: Connection refused/.test(third.stderr()))
  await scene.ok(['pause', 'demo'])
  const since = performance.now()
  assert.match((await third.ended).stdout, /Workspace demo is paused|demo was ended by a pause/)
  assert.ok(performance.now() - since < 5_000, 'ssh alone would have missed it for 15 s')
  await scene.ok(['resume', 'demo'])
  const fourth = start('34567')
  await fourth.ports()
  await scene.ok(['stop', 'demo'])
  const { code, stdout } = await fourth.ended
  assert.is(code, 1)
  assert.match(stdout, /ended by a stop|Workspace demo is stopped/)
  await server.ended
  assert.not(existsSync(join(scene.root, 'hostile', 'outside', 'evil')))
}
