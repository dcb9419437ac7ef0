/**
 * A project's own compose files, unchanged, once per branch: side by side without sharing anything, renewed when they change,
 * worked in, shared where that is asked for, and refused with file and line where they cannot be used.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { httpGet } from '../support/projects.ts'
import { assert, suite } from '../support/suite.ts'
import { writeFiles } from '../support/temp.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const BUILD_LIMIT_MS = 3 * LIMIT_MS

/** A web server in what every Debian image has. It answers with the content of /data/note. */
const SERVER = `use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die "$!";
while (my $client = $server->accept) {
  <$client>;
  my $there = open(my $note, '<', '/data/note');
  print $client "HTTP/1.0 200 OK\\r\\n\\r\\n", $there ? <$note> : "nothing\\n";
  close $client;
}
`

const FIXED = `name: myapp
services:
  web:
    build: .
    image: myapp:latest
    container_name: myapp-web
    command: ["perl", "/src/server.pl", "3000"]
    ports: ["3000:3000", "0.0.0.0:3001:3001/udp"]
    volumes: [".:/src", "data:/data", /scratch]
    networks: {back: {ipv4_address: 172.29.77.9}}
    healthcheck: {test: "true", interval: 50s, start_period: 50s}
    stop_grace_period: 1s
  worker:
    image: myapp:latest
    init: true
    command: ["sleep", "infinity"]
    env_file: worker.env
    networks: [back]
    depends_on: {web: {condition: service_healthy}}
networks:
  back: {name: myapp-net, ipam: {config: [{subnet: 172.29.77.0/24}]}}
volumes:
  data: {name: kept_db}
`

const FILES = {
  'compose.yaml': FIXED,
  Dockerfile: 'FROM debian:bookworm-slim\nRUN mkdir /data\n',
  'server.pl': SERVER,
  'worker.env': 'SPEED=1\n',
}

const portOf = (workspace: WorkspaceResource, name: string): number => {
  const port = workspace.ports.find((one) => one.name === name)
  assert.ok(port?.host, `${name} has no port: ${JSON.stringify(workspace.ports)}`)
  return port?.host ?? 0
}

const answer = (port: number) => eventually(() => httpGet(port), { timeoutMs: 20_000, everyMs: 100 })

const container = async (scene: Scene, service: string, name: string) => {
  const filters = [`label=dev.nexus.repo=${scene.repo.path}`, `label=dev.nexus.name=${name}`]
  const flags = [...filters, `label=com.docker.compose.service=${service}`].flatMap((filter) => ['--filter', filter])
  return (await must(['docker', 'ps', '-q', ...flags])).trim()
}

suite('compose projects', (test) => {
  test(
    'two branches of a project with fixed names run side by side and share nothing',
    async () => {
      await using scene = await openScene({ files: FILES })
      await must(['docker', 'volume', 'create', 'kept_db'])
      try {
        const began = performance.now()
        const a = await scene.up('a')
        assert.ok(performance.now() - began < 40_000, 'the first check of web did not wait for its interval')
        const b = await scene.up('b')
        await must(['docker', 'exec', await container(scene, 'web', 'a'), 'sh', '-c', 'echo note of a > /data/note'])
        assert.is(await answer(portOf(a, 'web')), 'note of a\n')
        assert.is(await answer(portOf(b, 'web')), 'nothing\n')
        assert.is(a.ports.find(({ name }) => name === 'web')?.service, 'web')

        // services reach each other by name, and know where they are
        const said = await scene.inside('a', 'sh', '-c', 'curl -s http://web:3000/; getent hosts worker | wc -l')
        assert.is(said, 'note of a\n1\n')
        const env = await must([
          'docker',
          'exec',
          await container(scene, 'worker', 'a'),
          'printenv',
          'NEXUS_WS_PORT_WEB',
        ])
        assert.is(env.trim(), String(portOf(a, 'web')))

        // by hand, and after a stop, it is the same stack
        const file = join(scene.home, '.nexus', 'workspaces', a.id, 'docker-compose.yml')
        const services = (await must(['docker', 'compose', '-f', file, 'ps', '--services'])).trim().split('\n')
        assert.equal(services.sort(), ['web', 'worker', 'workspace'])
        await scene.ok(['stop', 'a'])
        assert.is((await scene.list()).find(({ name }) => name === 'a')?.state, 'stopped')
        const again = await scene.up('a')
        assert.equal(again.ports, a.ports)
        assert.is(await answer(portOf(a, 'web')), 'note of a\n')

        await scene.ok(['delete', 'a', '--force', '--no-trash'])
        const left = await must(['docker', 'volume', 'ls', '-q', '--filter', `label=dev.nexus.workspace=${a.id}`])
        assert.is(left, '')
        assert.is(
          (await must(['docker', 'image', 'ls', '-q', '--filter', `label=dev.nexus.workspace=${a.id}`])).trim(),
          '',
        )
        assert.is((await must(['docker', 'volume', 'ls', '-q', '--filter', 'name=^kept_db$'])).trim(), 'kept_db')
      } finally {
        await must(['docker', 'volume', 'rm', 'kept_db'])
      }
    },
    BUILD_LIMIT_MS,
  )

  test(
    'a file that changes is named, and rebuild renews the workspace on the same ports',
    async () => {
      await using scene = await openScene({ files: FILES })
      const before = await scene.up('a')
      const status = async () => JSON.parse(await scene.ok(['status', 'a', '--json'])) as WorkspaceResource
      assert.equal((await status()).outdated, [])
      const changed = FIXED.replace('"3000:3000"', '"8000:8000", "3000:3000"')
      await writeFile(join(before.worktree ?? '', 'compose.yaml'), changed)
      await writeFile(join(before.worktree ?? '', 'worker.env'), 'SPEED=2\n')
      assert.equal((await status()).outdated, ['compose.yaml', 'worker.env'])
      const after = JSON.parse(await scene.ok(['rebuild', 'a', '--json'])) as WorkspaceResource
      assert.equal((await status()).outdated, [])
      const named = (workspace: WorkspaceResource) =>
        Object.fromEntries(workspace.ports.map((port) => [`${port.service}:${port.container}`, port.host]))
      assert.is(named(after)['web:3000'], named(before)['web:3000'])
      assert.ok(named(after)['web:8000'])
      await answer(portOf(after, 'web'))
      const format = '{{range .Mounts}}{{if eq .Destination "/scratch"}}{{.Name}}{{end}}{{end}}'
      const anonymous = await must(['docker', 'inspect', '--format', format, await container(scene, 'web', 'a')])
      await scene.ok(['delete', 'a', '--force'])
      const left = (await must(['docker', 'volume', 'ls', '--quiet'])).split('\n')
      assert.not(left.includes(anonymous.trim()), 'a volume without a name goes too, after a rebuild')
    },
    BUILD_LIMIT_MS,
  )

  test(
    'what goes beyond the ordinary is asked for before anything runs, and by its hash alone is let through',
    async () => {
      const compose =
        'services:\n  app:\n    image: debian:bookworm-slim\n    init: true\n    command: sleep infinity\n    privileged: true\n'
      await using scene = await openScene({ files: { 'compose.yaml': compose } })
      const nothing = await scene.made()
      const { details } = await scene.refused(['up', 'a'], 4, 'APPROVAL_REQUIRED')
      assert.match(JSON.stringify(details), /services\.app\.privileged/)
      assert.equal(await scene.made(), nothing)
      await scene.refused(['up', 'a', '--approve', 'nx-00000000000000000000000000000000'], 4, 'APPROVAL_REQUIRED')
      await scene.ok(['trust', 'approve', String(details.hash)])
      await scene.up('a')
      const id = await container(scene, 'app', 'a')
      assert.is((await must(['docker', 'inspect', '--format', '{{.HostConfig.Privileged}}', id])).trim(), 'true')

      // one thing more, and it is asked again, also for a workspace that exists
      await writeFile(join(scene.repo.path, '.worktree', 'a', 'compose.yaml'), `${compose}    pid: host\n`)
      await scene.refused(['rebuild', 'a'], 4, 'APPROVAL_REQUIRED')
      assert.is(await container(scene, 'app', 'a'), id)
    },
    BUILD_LIMIT_MS,
  )

  test(
    'one works in a service of the project, beside its own command and as its own user',
    async () => {
      const compose = `services:
  app:
    build: .
    image: shop/app
    user: daemon
    working_dir: /srv
    command: ["perl", "/src/server.pl", "3000"]
    environment: {PRICE: "5$$"}
    volumes: [".:/src"]
    ports: ["3000:3000"]
`
      const config = 'workspace: {service: app}\n'
      await using scene = await openScene({
        files: { ...FILES, 'compose.yaml': compose, '.nexus/config.yaml': config },
      })
      const workspace = await scene.up('a')
      assert.is(await answer(portOf(workspace, 'web')), 'nothing\n')
      const script = 'echo "$PRICE"; git branch --show-current; ps -o user= -C perl'
      assert.is(
        await scene.inside('a', 'sudo', 'sh', '-c', `PRICE='5$' && cd /workspace && ${script}`),
        '5$\nnexus/a\ndaemon\n',
      )
      assert.is(await scene.inside('a', 'printenv', 'PRICE'), '5$\n')
      // a command that fails leaves the workspace to look at
      await scene.inside('a', 'sudo', 'pkill', 'perl')
      assert.is((await scene.run(['exec', 'a', '--', 'pgrep', 'perl'])).code, 1)
    },
    BUILD_LIMIT_MS,
  )

  test(
    'a Dockerfile alone: its command runs, and the port that it exposes answers',
    async () => {
      const dockerfile =
        'FROM debian:bookworm-slim\nCOPY server.pl /srv/\nEXPOSE 8080\nCMD ["perl", "/srv/server.pl", "8080"]\n'
      await using scene = await openScene({ files: { Dockerfile: dockerfile, 'server.pl': SERVER } })
      const workspace = await scene.up('a')
      assert.is(await answer(portOf(workspace, 'web')), 'nothing\n')
      assert.is(await scene.inside('a', 'git', 'status', '--porcelain'), '')
    },
    BUILD_LIMIT_MS,
  )

  test(
    'shared services run once, from the first workspace to the last',
    async () => {
      const compose = `services:
  app: {image: "debian:bookworm-slim", init: true, command: sleep infinity, depends_on: [cache]}
  cache: {image: "debian:bookworm-slim", init: true, command: sleep infinity, ports: ["6379:6379"], volumes: ["kept:/kept"]}
volumes: {kept: {}}
`
      await using scene = await openScene({
        files: { 'compose.yaml': compose, '.nexus/config.yaml': 'shared: [cache]\n' },
      })
      const shared = async () => {
        // on the containers of workspaces the label is empty, so that an image cannot give it to them
        const format = '{{if .Label "dev.nexus.shared"}}{{.ID}}{{end}}'
        const filter = `label=dev.nexus.repo=${scene.repo.path}`
        return (await must(['docker', 'ps', '--filter', filter, '--format', format])).trim()
      }
      const a = await scene.up('a')
      assert.equal(
        a.ports.map(({ name }) => name),
        ['ssh'],
      )
      const first = await shared()
      assert.ok(first)
      await scene.up('z')
      assert.is(await shared(), first)
      for (const name of ['a', 'z']) {
        assert.match(await scene.inside(name, 'getent', 'hosts', 'cache'), /cache/)
        // by docker's order of networks another branch's would have come first for one of the two
        const address = (await scene.inside(name, 'getent', 'ahostsv4', 'app')).split(' ')[0] ?? ''
        const labels = [`dev.nexus.name=${name}`, `dev.nexus.repo=${scene.repo.path}`, 'com.docker.compose.service=app']
        const id = await must(['docker', 'ps', '-q', ...labels.flatMap((label) => ['--filter', `label=${label}`])])
        const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'
        assert.is(await must(['docker', 'inspect', '--format', format, id.trim()]), `${address} \n`)
      }
      await scene.ok(['stop', 'a'])
      assert.is(await shared(), first)
      await scene.ok(['stop', 'z'])
      assert.is(await shared(), '')
      await scene.ok(['start', 'a'])
      const again = await shared()
      assert.ok(again)
      // made anew, it is found by all who run
      await must(['docker', 'rm', '--force', again])
      await scene.ok(['start', 'z'])
      for (const name of ['a', 'z']) assert.match(await scene.inside(name, 'getent', 'hosts', 'cache'), /cache/)
      for (const name of ['a', 'z']) await scene.ok(['delete', name, '--force'])
      assert.is(await shared(), '')
      // what was kept in it is the user's to remove
      const volumes = ['--filter', 'label=dev.nexus.shared', '--filter', `label=dev.nexus.repo=${scene.repo.path}`]
      const kept = (await must(['docker', 'volume', 'ls', '-q', ...volumes])).trim()
      assert.match(kept, /_kept$/)
      await must(['docker', 'volume', 'rm', kept])
    },
    BUILD_LIMIT_MS,
  )

  test(
    'what was looked at is what is started, whoever edits the files meanwhile; a device that the engine lacks is named',
    async () => {
      const app = 'services:\n  app:\n    image: debian:bookworm-slim\n    init: true\n    command: sleep infinity\n'
      const edit = "echo '    privileged: true' >> compose.yaml"
      await using scene = await openScene({ files: { 'compose.yaml': app } })
      await writeFiles(scene.home, { '.nexus/config.yaml': `hooks:\n  pre-start: {run: "${edit}", on: host}\n` })
      const { id } = await scene.up('a')
      const labels = [`dev.nexus.workspace=${id}`, 'com.docker.compose.service=app']
      const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
      const container = (await must(['docker', 'ps', '-q', ...filters])).trim()
      assert.is(await must(['docker', 'inspect', '--format', '{{.HostConfig.Privileged}}', container]), 'false\n')
      assert.match(await scene.ok(['status', 'a']), /compose\.yaml/)
      // by hand the files count as they are; unchanged, they mean the very containers that run
      await scene.repo.git('-C', join(scene.repo.path, '.worktree/a'), 'checkout', '--quiet', 'compose.yaml')
      const file = join(scene.home, '.nexus', 'workspaces', id, 'docker-compose.yml')
      await must(['docker', 'compose', '-f', file, 'up', '--detach'])
      assert.is((await must(['docker', 'ps', '-q', ...filters])).trim(), container)

      await writeFiles(scene.home, { '.nexus/config.yaml': '' })
      const devices = 'deploy: {resources: {reservations: {devices: [{driver: nvidia, capabilities: [gpu]}]}}}'
      await writeFiles(scene.repo.path, { 'compose.yaml': `${app}    ${devices}\n` })
      await scene.repo.git('commit', '--quiet', '--all', '--message', 'gpu')
      const { message } = await scene.refused(['up', 'b'], 5, 'TOOL_MISSING')
      assert.match(message, /nvidia/)
      assert.is((await scene.list()).length, 1)
    },
    2 * LIMIT_MS,
  )

  for (const [what, compose, said] of [
    ['broken YAML', 'services:\n  app:\n    image: x\n     command: y\n', /compose\.yaml:3:/],
    ['an unknown key', 'services:\n  app:\n    image: x\n    foo: bar\n', /compose\.yaml:4: .*foo/],
    ['an unknown service', 'services:\n  app:\n    image: x\n    depends_on: [nope]\n', /compose\.yaml:2: .*nope/],
    ['a cycle', 'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n', /cycle/],
    ['a port without a number', 'services:\n  app:\n    image: x\n    ports: ["abc"]\n', /abc/],
    ['a variable that must be set', 'services:\n  app:\n    image: x\n    command: "${NOPE:?is needed}"\n', /NOPE/],
    ['a file that includes itself', 'include: [compose.yaml]\nservices:\n  app: {image: x}\n', /cycle/],
  ] as const) {
    test(
      `${what} is refused with its place, and nothing is left`,
      async () => {
        await using scene = await openScene({ files: { 'compose.yaml': compose } })
        const nothing = await scene.made()
        const { message, details } = await scene.refused(['up', 'a'], 2, 'CONFIG_INVALID')
        assert.match(message, said)
        assert.ok([undefined, 'compose.yaml'].includes(details.file as string | undefined), JSON.stringify(details))
        assert.equal(await scene.made(), nothing)
      },
      LIMIT_MS,
    )
  }

  test(
    'an image that cannot be had or built takes everything back',
    async () => {
      const compose = 'services:\n  app:\n    image: nexus-test-nowhere/none:1\n'
      await using scene = await openScene({ files: { 'compose.yaml': compose } })
      const nothing = await scene.made()
      await scene.refused(['up', 'a'], 1, 'BUILD_FAILED')
      assert.equal(await scene.made(), nothing)
      await writeFile(join(scene.repo.path, 'compose.yaml'), 'services:\n  app:\n    build: .\n')
      await writeFile(
        join(scene.repo.path, 'Dockerfile'),
        'FROM debian:bookworm-slim\nRUN echo a word to find && false\n',
      )
      await scene.repo.git('add', '--all')
      await scene.repo.git('commit', '--quiet', '--message', 'second')
      const { details } = await scene.refused(['up', 'a'], 1, 'BUILD_FAILED')
      assert.match(JSON.stringify(details), /a word to find/)
      assert.equal((await scene.made()).docker, nothing.docker)
    },
    BUILD_LIMIT_MS,
  )
})
