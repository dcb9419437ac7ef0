/**
 * Attempts to get out of a workspace in isolation `agent`, made from inside as its user. Each is made in a container without any
 * guard too, where it must succeed: an attempt that cannot succeed anywhere proves nothing. All servers are the test's own, in
 * containers on networks that it made, or in this process; nothing outside of this machine is contacted.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import type { RefusedRequest } from '../../lib/network/network.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene, startProcess } from './scene.ts'

/** A web server in Perl, which the base image has. */
const SERVE = `use IO::Socket; my $s = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 9, ReuseAddr => 1) or die;
while (my $c = $s->accept) { print $c "HTTP/1.0 200 OK\\r\\n\\r\\nserved\\n"; shutdown($c, 1); <$c>; close $c }`

const FILES = {
  'compose.yaml':
    'services:\n  web:\n    build: .\n    init: true\n    ports: ["8000:8000"]\n    volumes: ["./data:/data"]\n',
  Dockerfile: 'FROM debian:bookworm-slim\nCOPY serve.pl /\nCMD ["perl", "/serve.pl", "8000"]\n',
  'serve.pl': SERVE,
  'data/own': 'own\n',
  '.gitignore': '.env.secret\n',
  '.worktreeinclude': '.env.secret\n',
}

/** Ends with code 0 where it got out. */
const ATTEMPTS: Readonly<Record<string, string>> = {
  'the socket of Docker': `curl -sf --noproxy '*' --unix-socket /var/run/docker.sock http://docker/version`,
  "the user's ssh agent": 'ssh-add -l',
  "another workspace's port": 'exec 3<>/dev/tcp/$OTHER/22; read -r line <&3; [[ $line == SSH-* ]]',
  "this machine's services by the gateway": 'exec 3<>/dev/tcp/$GATEWAY/$PORT; read -r line <&3; [[ $line == here ]]',
  "this machine's services by its own address":
    'exec 3<>/dev/tcp/$MACHINE/$PORT; read -r line <&3; [[ $line == here ]]',
  "this machine's services through the proxy": 'curl -sf "http://$MACHINE:$PORT/" --http0.9 | grep -q here',
  'a raw port outside': 'exec 3<>/dev/tcp/$SERVER/8080',
  'a datagram outside': 'echo x > /dev/udp/$SERVER/5353',
  'a server that is not on the list': 'curl -sf http://stranger.example/ | grep -q served',
  'a server by its address': 'curl -sf http://$SERVER/ | grep -q served',
  'a port that is not on the list': 'curl -sf http://friend.example:8080/ | grep -q served',
  'a name on the list that leads to a private address': 'curl -sf http://rebound.example/ | grep -q served',
  'a program with setuid': 'setpriv --reuid $(id -u) /tmp/root-shell -p -c "[ \\$EUID = 0 ]"',
  sudo: 'sudo -n true',
  'any capability': '! grep -q "^CapEff:[[:space:]]*0*$" /proc/self/status',
  'a mount': 'mount -t tmpfs none /mnt',
  'a namespace': 'unshare --mount true',
  'a device': 'mknod /tmp/disk b 8 0',
  'a setting of the kernel': 'echo x > /proc/sys/kernel/hostname',
  "this machine's processes": 'tr "\\0" "\\n" < /proc/$PID/environ | grep -q .',
  'the keys that are let in': 'echo x >> /etc/nexus/ssh/authorized_keys',
}

interface Outside extends AsyncDisposable {
  /** Address of the server, of which `friend.example` and `stranger.example` are names. */
  readonly server: string
  /** This machine's address on that network. */
  readonly gateway: string
  /** Puts a container on the network. */
  join(container: string): Promise<void>
  /** A container without guards, with the words of `docker run` that make it so. */
  unguarded(words: readonly string[]): Promise<string>
  /** Puts the server on another network under another name. */
  alias(network: string, name: string): Promise<void>
  /** Names that the server was asked for. */
  questions(): Promise<string>
}

/** A network whose addresses look public, so that only the list decides, with a server for HTTP and DNS. */
async function openOutside(image: string): Promise<Outside> {
  const block = 32 * (process.pid % 8)
  const network = `nexus-test-escape-${process.pid}`
  const names = [`${network}-server`, `${network}-unguarded`] as const
  const server = `203.0.113.${block + 5}`
  const gateway = `203.0.113.${block + 1}`
  const joined: string[] = []
  const run = (name: string, words: readonly string[], argv: readonly string[]) => {
    const start = ['docker', 'run', '-d', '--init', '--name', name, '--user', '0', '--label', 'dev.nexus.test=escape']
    return must([...start, '--network', network, ...words, '--entrypoint', 'bash', image, ...argv])
  }
  const close = async () => {
    await runProcess(['docker', 'rm', '--force', '--volumes', ...names])
    for (const container of joined) await runProcess(['docker', 'network', 'disconnect', '--force', network, container])
    await runProcess(['docker', 'network', 'rm', network])
  }
  try {
    await must(['docker', 'network', 'create', '--subnet', `203.0.113.${block}/27`, '--gateway', gateway, network])
    const serve = `perl -e '${SERVE}' 80 & perl -e '${SERVE}' 8080 & exec nc -luk 53 > /tmp/questions`
    const aliases = ['friend.example', 'stranger.example'].flatMap((name) => ['--network-alias', name])
    await run(names[0], ['--ip', server, ...aliases], ['-c', serve])
  } catch (error) {
    await close()
    throw error
  }
  return {
    server,
    gateway,
    join: async (container) => {
      joined.push(container)
      await must(['docker', 'network', 'connect', network, container])
    },
    unguarded: async (words) => {
      await run(names[1], ['--privileged', '--pid', 'host', '--dns', server, ...words], ['-c', 'exec sleep 600'])
      return names[1]
    },
    alias: async (where, name) => void (await must(['docker', 'network', 'connect', '--alias', name, where, names[0]])),
    questions: () => must(['docker', 'exec', names[0], 'cat', '/tmp/questions']),
    [Symbol.asyncDispose]: close,
  }
}

/** Listens on all addresses of this machine. */
async function listenEverywhere() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).end('here\n')
  })
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done))
  const address = server.address()
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done())
      for (const socket of sockets) socket.destroy()
    })
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, [Symbol.asyncDispose]: close }
}

/** One that is not a bridge's: those come and go with the networks of others. */
function machineAddress(): string {
  const all = Object.entries(networkInterfaces()).filter(([name]) => !/^(br-|docker|veth|lo)/.test(name))
  const found = all.flatMap(([, addresses]) => addresses ?? []).find(({ family }) => family === 'IPv4')
  if (found === undefined) throw new Error('this machine has no address but loopback')
  return found.address
}

async function startAgent(scene: Scene) {
  const [socket, key] = [join(scene.root, 'agent'), join(scene.root, 'key')]
  const agent = startProcess(['ssh-agent', '-D', '-a', socket])
  await eventually(() => existsSync(socket))
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
  await must(['ssh-add', '-q', key], { env: { SSH_AUTH_SOCK: socket } })
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      agent.child.kill()
      await agent.ended
    },
  }
}

const inspect = async (kind: string, name: string, format: string) =>
  (await must(['docker', kind, 'inspect', '--format', format, name])).trim()

async function containerOf(id: string, service: string): Promise<string> {
  const labels = [`dev.nexus.workspace=${id}`, `com.docker.compose.service=${service}`]
  return (await must(['docker', 'ps', '-aq', ...labels.flatMap((label) => ['--filter', `label=${label}`])])).trim()
}

/** The network that a container is on besides those of a gate, and its address there. */
async function placeOf(container: string): Promise<{ readonly network: string; readonly address: string }> {
  const format = '{{range $name, $place := .NetworkSettings.Networks}}{{$name}} {{$place.IPAddress}}{{"\\n"}}{{end}}'
  const [network = '', address = ''] = (await inspect('container', container, format)).split('\n')[0]?.split(' ') ?? []
  return { network, address }
}

/** All attempts, one after the other, each with a time limit: `out: <what>` or `in: <what>`. */
function scriptOf(facts: Readonly<Record<string, string | number>>, who: string): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
  return [
    ...Object.entries(facts).map(([name, value]) => `export ${name}=${quote(String(value))}`),
    'attempt() { if timeout 1.5 bash -c "$2" >/dev/null 2>&1 </dev/null; then echo "out: $1"; else echo "in: $1"; fi; }',
    ...Object.entries(ATTEMPTS).map(([what, attempt]) => `attempt ${quote(what)} ${quote(attempt)}`),
    // names that the server can have heard of in no other way
    `{ dig +time=1 +tries=1 @$SERVER ${who}-direct.example; timeout 1 getent hosts ${who}-asked.example; } >/dev/null 2>&1`,
    'curl -sf http://friend.example/; true',
    '',
  ].join('\n')
}

/** What the engine enforces on a workspace's own container, and which networks it is on. */
async function guardsOf(id: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await inspect('container', await containerOf(id, 'workspace'), '{{json .}}')
  const { HostConfig: host, Config: config, NetworkSettings: network } = JSON.parse(text) as Record<string, Fields>
  const keys = [
    'CapAdd',
    'CapDrop',
    'SecurityOpt',
    'Privileged',
    'PidsLimit',
    'Memory',
    'Dns',
    'NetworkMode',
    'PortBindings',
  ]
  const networks = Object.keys(network?.Networks as Fields).sort()
  const closed = await Promise.all(networks.map((name) => inspect('network', name, '{{.Internal}} {{json .Options}}')))
  const image = await inspect('container', await containerOf(id, 'web'), '{{.Image}}')
  const { User: user, Image: own } = config ?? {}
  return { ...Object.fromEntries(keys.map((key) => [key, host?.[key]])), user, own, image, networks, closed }
}

type Fields = Readonly<Record<string, unknown>>

suite('escape', (test) => {
  test(
    'what an agent tries from inside fails, and succeeds in a container without guards',
    async () => {
      await using machine = await listenEverywhere()
      await using scene = await openScene({ files: FILES })
      await writeFile(join(scene.repo.path, '.env.secret'), 'secret\n')
      const level = ['--isolation', 'agent', '--memory', '1g']
      const cell = await scene.up('cell', ...level, '--allow', 'friend.example,rebound.example')
      assert.equal([cell.isolation, cell.network, cell.ssh.forwardAgent], ['agent', 'allowlist', false])
      assert.not(existsSync(join(cell.worktree ?? '', '.env.secret')))
      // its ports lead in, those of the project's services too
      assert.is(await must(['curl', '-s', String(cell.ports.find(({ name }) => name === 'web')?.url)]), 'served\n')
      const other = await scene.up('other', '--no-hooks')
      await attemptAll(scene, cell, other, machine.port)
      await editEverything(scene, cell)
      await swapFolders(scene, cell, other)
    },
    8 * LIMIT_MS,
  )
})

async function attemptAll(
  scene: Scene,
  cell: WorkspaceResource,
  other: WorkspaceResource,
  port: number,
): Promise<void> {
  const [own, gate] = await Promise.all([containerOf(cell.id, 'workspace'), containerOf(cell.id, 'nexus-gate')])
  const [inner, neighbour] = [await placeOf(own), await placeOf(await containerOf(other.id, 'workspace'))]
  await using outside = await openOutside(await inspect('container', own, '{{.Config.Image}}'))
  await using agent = await startAgent(scene)
  await outside.join(gate)
  const private_ = inner.network.replace(/_default$/, '_nexus-outside')
  await outside.alias(private_, 'rebound.example')
  // from outside, as nothing inside can set the bit
  const pack = 'tar -C /bin -c --mode 4755 --owner root --transform s/bash/root-shell/ bash'
  // one after the other: the engine holds the container while it copies, and an exec in it would wait for ever
  await must([
    'bash',
    '-c',
    `docker exec ${own} ${pack} > "$0" && docker cp - ${own}:/tmp < "$0"`,
    join(scene.root, 'packed'),
  ])
  const facts = {
    PORT: port,
    PID: process.pid,
    MACHINE: machineAddress(),
    SERVER: outside.server,
    OTHER: neighbour.address,
  }

  const options = ['-A', '-F', join(scene.home, '.nexus', 'ssh', 'config'), 'cell.nexus']
  const gateway = await inspect('network', inner.network, '{{(index .IPAM.Config 0).Gateway}}')
  const inside = await runProcess(['ssh', ...options, 'bash', '-s'], {
    env: { SSH_AUTH_SOCK: agent.socket },
    input: scriptOf({ ...facts, GATEWAY: gateway }, 'cell'),
  })
  const keys = join(scene.root, 'keys')
  await mkdir(keys)
  const open = await outside.unguarded([
    ...['--volume', '/var/run/docker.sock:/var/run/docker.sock', '--volume', `${agent.socket}:/agent`],
    ...['--env', 'SSH_AUTH_SOCK=/agent', '--volume', `${keys}:/etc/nexus/ssh`],
  ])
  for (const network of [neighbour.network, private_]) await must(['docker', 'network', 'connect', network, open])
  await must(['docker', 'exec', open, 'install', '--mode', '4755', '/bin/bash', '/tmp/root-shell'])
  const beside = await runProcess(['docker', 'exec', '-i', open, 'bash', '-s'], {
    input: scriptOf({ ...facts, GATEWAY: outside.gateway }, 'open'),
  })

  const told = (how: string) => [...Object.keys(ATTEMPTS).map((what) => `${how}: ${what}`), 'served', ''].join('\n')
  assert.is(beside.stdout, told('out'), beside.stderr)
  assert.is(inside.stdout, told('in'), inside.stderr)
  const questions = await outside.questions()
  for (const heard of ['open-direct', 'open-asked']) assert.match(questions, heard)
  assert.not.match(questions, 'cell-')
  assert.is(await scene.inside('cell', 'sh', '-c', 'grep -c . /proc/net/if_inet6'), '1\n', 'an IPv6 address beside ::1')
  await changeList(scene, cell)
}

/** The user's list counts at once, and what was refused is told. */
async function changeList(scene: Scene, { name }: WorkspaceResource): Promise<void> {
  const { refusals } = JSON.parse(await scene.ok(['network', 'log', name, '--json'])) as { refusals: RefusedRequest[] }
  const seen = refusals.map(({ host, port, reason }) => `${host}:${port} ${reason}`)
  for (const one of ['stranger.example:80 name', 'friend.example:8080 port', 'rebound.example:80 address'])
    assert.ok(seen.includes(one), `${one} is not in\n${seen.join('\n')}`)
  const reaches = async () =>
    (await scene.run(['exec', name, '--', 'curl', '-sf', 'http://stranger.example/'])).code === 0
  await scene.ok(['network', 'allow', name, 'stranger.example'])
  await eventually(reaches)
  await scene.ok(['network', 'deny', name, 'stranger.example'])
  await eventually(async () => !(await reaches()))
}

/** Exit code and error code of a rebuild after an edit of a file in the worktree. */
const EDITS: readonly (readonly [file: string, text: string, exit: number, code: string])[] = [
  ['.nexus/config.yaml', 'isolation: standard\n', 2, 'CONFIG_INVALID'],
  ['.nexus/config.yaml', 'network: {mode: open, allow: [stranger.example]}\n', 2, 'CONFIG_INVALID'],
  ['.nexus/config.yaml', 'hooks: {post-start: {run: id, on: host}}\n', 4, 'APPROVAL_REQUIRED'],
  ['.nexus/config.yaml', 'secrets: {key: {from: "file:///etc/shadow"}}\n', 4, 'APPROVAL_REQUIRED'],
  ['.env', 'COMPOSE_FILE=/etc/compose.yaml\n', 2, 'CONFIG_INVALID'],
  [
    'compose.yaml',
    'services: {web: {image: x, privileged: true, volumes: ["/var/run/docker.sock:/s"]}}\n',
    4,
    'APPROVAL_REQUIRED',
  ],
  ['compose.yaml', 'services: {web: {image: x, network_mode: bridge}}\n', 2, 'UNSUPPORTED'],
  // a build would have an open network, and a pull tells whatever the name holds
  ['compose.yaml', 'services: {web: {build: .}, more: {build: .}}\n', 1, 'BUILD_FAILED'],
  ['compose.yaml', 'services: {web: {build: .}, more: {image: stranger.example/secret}}\n', 1, 'BUILD_FAILED'],
]

async function editEverything(scene: Scene, { id, name, worktree }: WorkspaceResource): Promise<void> {
  const before = await guardsOf(id)
  const place = (file: string) => join(worktree ?? '', file)
  await mkdir(place('.nexus'))
  for (const [file, text, exit, code] of EDITS) {
    const own = existsSync(place(file)) ? await readFile(place(file), 'utf8') : undefined
    await writeFile(place(file), text)
    await scene.refused(['rebuild', name], exit, code)
    await (own === undefined ? rm(place(file)) : writeFile(place(file), own))
  }
  assert.is((await scene.list()).find((one) => one.id === id)?.state, 'running', 'a refused file stopped it')
  await writeFile(place('.nexus/config.yaml'), 'workspace: {memory: 9g, pids: 99999}\nnetwork: {mode: allowlist}\n')
  await writeFile(place('Dockerfile'), `${FILES.Dockerfile}RUN false\n`)
  await scene.ok(['rebuild', name])
  assert.equal(await guardsOf(id), before)
  await scene.ok(['stop', name])
  await writeFile(place('compose.yaml'), `${FILES['compose.yaml']}    cap_drop: []\n`)
  await scene.ok(['up', name])
  assert.equal(await guardsOf(id), before)
  assert.is(
    (await scene.inside(name, 'sh', '-c', 'touch serve.pl && cat /workspace/Dockerfile')).trim().split('\n').at(-1),
    'RUN false',
  )
}

/**
 * A folder that a service mounts is turned into a link that leads out. Nexus refuses the next start; started by hand, past Nexus, the
 * engine refuses it for the agent alone.
 */
async function swapFolders(scene: Scene, cell: WorkspaceResource, other: WorkspaceResource): Promise<void> {
  const outside = join(scene.root, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'secret'), 'of this machine\n')
  const compose = (id: string, ...args: string[]) =>
    runProcess(['docker', 'compose', '-f', join(scene.home, '.nexus', 'workspaces', id, 'docker-compose.yml'), ...args])
  const seen = async (id: string) =>
    (await runProcess(['docker', 'exec', await containerOf(id, 'web'), 'sh', '-c', 'cat /data/*'])).stdout
  for (const { id, name } of [cell, other]) {
    assert.is(await seen(id), 'own\n')
    await scene.inside(name, 'sh', '-c', `mv data kept && ln -s ${outside} data`)
    await scene.ok(['stop', name])
    const { details } = await scene.refused(['start', name], 4, 'APPROVAL_REQUIRED')
    assert.match(JSON.stringify(details), `<worktree>/data (leads to ${outside}) on /data`)
    assert.is((await must(['docker', 'ps', '-q', '--filter', `label=dev.nexus.workspace=${id}`])).trim(), '')
  }
  const [held, free] = [await compose(cell.id, 'start', 'web'), await compose(other.id, 'start', 'web')]
  assert.is(free.code, 0, free.stderr)
  assert.is(await seen(other.id), 'of this machine\n')
  assert.is.not(held.code, 0, 'the engine followed a link out of the worktree')
  assert.match(held.stderr, 'escapes the base directory')

  const data = join(cell.worktree ?? '', 'data')
  await must(['ln', '-sfn', '.', data])
  await scene.refused(['start', cell.name], 2, 'CONFIG_INVALID')
  await rm(data)
  await scene.ok(['start', cell.name])
  await scene.inside(cell.name, 'sh', '-c', 'cp kept/own data/back')
  assert.is(await seen(cell.id), 'own\n')
  await keepFiles(cell, compose)
}

/** The volume that is the worktree goes without the worktree's files. */
async function keepFiles(
  cell: WorkspaceResource,
  compose: (id: string, ...args: string[]) => Promise<{ code: number }>,
) {
  const label = `label=dev.nexus.workspace=${cell.id}`
  const volumes = async () =>
    (await must(['docker', 'volume', 'ls', '-q', '--filter', label, '--filter', 'name=-worktree-'])).trim()
  const name = await volumes()
  assert.match(name, /^nexus-cell-.*-worktree-/)
  assert.is((await compose(cell.id, 'down', '--volumes', '--timeout', '1')).code, 0)
  assert.is(await volumes(), name)
  await must(['docker', 'volume', 'rm', name])
  for (const file of ['data/back', 'kept/own', 'compose.yaml', '.git'])
    assert.ok(existsSync(join(cell.worktree ?? '', file)), `${file} went with the volume`)
}
