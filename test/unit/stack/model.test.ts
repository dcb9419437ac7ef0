/** What a repository brings to run, what its ports are called, and the override that makes it safe to run twice. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appOf } from '../../../lib/backends/docker/project.ts'
import type { WorkspaceId } from '../../../lib/core/names.ts'
import { buildArgs, buildArgsOf } from '../../../lib/stack/caches.ts'
import { detectStack, sideCarName } from '../../../lib/stack/detect.ts'
import { parseDotenv } from '../../../lib/stack/dotenv.ts'
import { type ComposeModel, type ComposeService, ownNetworks } from '../../../lib/stack/model.ts'
import { buildCache, makeOverride, overrideNotes } from '../../../lib/stack/override.ts'
import { activeServices, stackPorts } from '../../../lib/stack/ports.ts'
import { parseResolved } from '../../../lib/stack/resolved.ts'
import { sharedModel } from '../../../lib/stack/shared.ts'
import type { Runner } from '../../../lib/system/exec.ts'
import { formatCompose, formatResolved, parseCompose } from '../../../lib/system/render.ts'
import { createDocker } from '../../../lib/tools/docker.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

interface Given {
  readonly names?: readonly string[]
  readonly dotenv?: string
  readonly files?: readonly string[]
  readonly workspace?: { readonly image?: string; readonly dockerfile?: string; readonly service?: string }
}

const detect = ({ names = [], dotenv, files, workspace = {} }: Given) =>
  detectStack({
    names,
    dotenv,
    compose: { files, profiles: [] },
    workspace: { image: workspace.image, dockerfile: workspace.dockerfile, service: workspace.service },
  })

suite('what a repository brings', (test) => {
  for (const [what, given, found] of [
    ['nothing', { names: ['README.md'] }, 'the base image'],
    ['a compose file', { names: ['compose.yaml'] }, 'compose.yaml'],
    ["Docker's order", { names: ['docker-compose.yaml', 'docker-compose.yml', 'compose.yml'] }, 'compose.yml'],
    [
      'an override beside it',
      { names: ['docker-compose.yml', 'docker-compose.override.yml'] },
      'docker-compose.yml + docker-compose.override.yml',
    ],
    ['an override alone', { names: ['compose.override.yaml'] }, 'the base image'],
    ['a compose file before a Dockerfile', { names: ['Dockerfile', 'compose.yaml'] }, 'compose.yaml'],
    ['a Dockerfile', { names: ['Dockerfile'] }, 'Dockerfile'],
    [
      'COMPOSE_FILE',
      { names: ['compose.yaml'], dotenv: 'A=1\nCOMPOSE_FILE="a.yml:b/c.yml"' },
      'a.yml + b/c.yml (COMPOSE_FILE in .env)',
    ],
    [
      'COMPOSE_FILE with a separator',
      { dotenv: 'COMPOSE_PATH_SEPARATOR=,\nCOMPOSE_FILE=a.yml,./b.yml' },
      'a.yml + b.yml (COMPOSE_FILE in .env)',
    ],
    ['files of the configuration', { names: ['compose.yaml'], files: ['x/y.yml'] }, 'x/y.yml'],
    ['none by the configuration', { names: ['compose.yaml'], files: [] }, 'the base image'],
    ['an image', { names: ['Dockerfile'], workspace: { image: 'node:20' } }, 'the image node:20'],
    [
      'a service',
      { names: ['compose.yaml'], workspace: { service: 'app' } },
      'compose.yaml, working in its service app',
    ],
  ] as const satisfies readonly (readonly [string, Given, string])[]) {
    test(what, () => assert.is(detect(given).found, found))
  }

  test('paths that climb out are refused', () => {
    for (const file of ['../x.yml', '/etc/x.yml', 'a/../../b.yml', '']) {
      assert.throws(() => detect({ files: [file] }), /not a path inside the repository/)
    }
    assert.throws(() => detect({ dotenv: 'COMPOSE_FILE=../other/compose.yaml' }), /COMPOSE_FILE in \.env/)
    assert.throws(() => detect({ workspace: { dockerfile: '../Dockerfile' } }), /workspace\.dockerfile/)
  })

  test('an image, a Dockerfile and a service exclude each other', () => {
    assert.throws(() => detect({ workspace: { image: 'a', service: 'b' } }), /workspace\.image and workspace\.service/)
    assert.throws(() => detect({ workspace: { service: 'b' } }), /no compose file/)
  })

  test('what else the configuration says of the workspace is no such choice', () => {
    const workspace = {
      image: undefined,
      dockerfile: undefined,
      service: undefined,
      name: 'x',
      displayName: 'X',
      cpus: 2,
    }
    const facts = { names: ['compose.yaml'], dotenv: undefined, compose: { files: undefined, profiles: [] }, workspace }
    assert.is(detectStack(facts).found, 'compose.yaml')
  })

  test('profiles of .env count', () => {
    assert.equal(detect({ names: ['compose.yaml'], dotenv: 'COMPOSE_PROFILES=a, b' }).profiles, ['a', 'b'])
  })

  test('.env lines', () => {
    const read = parseDotenv(`A=1 # c\nexport B='x # y'\nC="q"\n#D=1\nE=\n bad line\nF=a b`)
    assert.equal(
      [...read],
      [
        ['A', '1'],
        ['B', 'x # y'],
        ['C', 'q'],
        ['E', ''],
        ['F', 'a b'],
      ],
    )
  })

  test('a project may have a service named workspace', () => {
    assert.is(sideCarName(['web']), 'workspace')
    assert.is(sideCarName(['workspace']), 'nexus-workspace')
  })
})

const service = (ports: readonly (number | string)[], more: Partial<ComposeService> = {}): ComposeService => ({
  ...more,
  ports: ports.map((port) => {
    const [target, protocol = 'tcp'] = String(port).split('/')
    return { target: Number(target), published: target ?? '', protocol }
  }),
})

const portsOf = (services: Record<string, ComposeService>, configured: Parameters<typeof stackPorts>[2] = []) =>
  stackPorts(new Map(Object.entries(services)), 'workspace', configured).map(
    ({ name, container, protocol, service: owner }) => `${name} ${owner ?? '-'}:${container}/${protocol}`,
  )

suite('names of published ports', (test) => {
  for (const [what, services, expected] of [
    [
      'the usual three',
      { frontend: service([3000]), backend: service([8000]), db: service([5432]) },
      ['web frontend:3000/tcp', 'api backend:8000/tcp', 'database db:5432/tcp'],
    ],
    [
      'by the image',
      { store: service([5432], { image: 'postgis/postgis:16' }), cache: service([6379], { image: 'redis' }) },
      ['database store:5432/tcp', 'cache cache:6379/tcp'],
    ],
    [
      'by the port where names say nothing',
      { alpha: service([8080]), beta: service([3306]) },
      ['web alpha:8080/tcp', 'database beta:3306/tcp'],
    ],
    [
      'several ports of one service',
      { web: service([80, 443, '443/udp']) },
      ['web web:80/tcp', 'web-443 web:443/tcp', 'web-443-udp web:443/udp'],
    ],
    [
      'two databases',
      { postgres: service([5432]), mysql: service([3306]) },
      ['database postgres:5432/tcp', 'mysql mysql:3306/tcp'],
    ],
    ['odd names', { 'My_Svc.1': service([9000]) }, ['my-svc-1 My_Svc.1:9000/tcp']],
    ['several containers of one service', { web: service([80], { deploy: { replicas: 2 } }) }, []],
    ['nothing published', { web: service([]) }, []],
  ] as const satisfies readonly (readonly [string, Record<string, ComposeService>, readonly string[]])[]) {
    test(what, () => assert.equal(portsOf(services), expected))
  }

  test('the configuration names ports, by service or by number', () => {
    const services = { a: service([3000, 9229]), b: service([3000]) }
    const configured = [
      { name: 'site', container: 3000, protocol: 'tcp' as const, service: 'b' },
      { name: 'debug', container: 9229, protocol: 'tcp' as const, host: 9229 },
      { name: 'mine', container: 7000, protocol: 'tcp' as const },
    ]
    assert.equal(portsOf(services, configured), [
      'site b:3000/tcp',
      'debug a:9229/tcp',
      'mine -:7000/tcp',
      'web a:3000/tcp',
    ])
  })

  test('names are unique, whatever the services are called', () => {
    const names = portsOf({ 'a.b': service([1, 2]), a_b: service([1, 2]), ssh: service([22]) })
    assert.is(new Set(names.map((line) => line.split(' ')[0])).size, names.length)
    assert.ok(!names.some((line) => line.startsWith('ssh ')))
  })
})

const MODEL: ComposeModel = {
  name: 'x',
  services: {
    web: {
      build: { context: '.' },
      image: 'my:latest',
      container_name: 'web',
      restart: 'always',
      ...service([80]),
      networks: { back: { ipv4_address: '172.29.0.9', aliases: ['w'] } },
    },
    worker: { image: 'my:latest' },
    debug: { image: 'other', profiles: ['debug'], ...service([9000]) },
  },
  networks: {
    back: { name: 'fixed', ipam: { config: [{ subnet: '172.29.0.0/16' }] } },
    shared: { name: 's', external: true },
  },
  volumes: { data: { name: 'x_data' }, theirs: { name: 't', external: true } },
}

const override = (model: ComposeModel, profiles: readonly string[] = [], startInterval = false) =>
  formatCompose(
    makeOverride({
      model,
      project: 'nexus-a-1',
      active: new Set(activeServices(model, profiles).keys()),
      ports: [{ name: 'web', container: 80, host: 33001, protocol: 'tcp', service: 'web' }],
      addresses: ['127.0.0.1'],
      labels: { l: '1' },
      buildArgs: buildArgs('ours'),
      environment: { V: 'a$b' },
      subnets: new Map([['back', '10.213.0.0/26']]),
      startInterval,
    }),
    '# x',
  )

suite('what compose resolved', (test) => {
  const mended = (service: string) => parseResolved(`{"name": "x", "services": {"web": ${service}}}`).services.web

  for (const [what, said, meant] of [
    [
      'a limit of zero',
      '{"ulimits": {"core": {}, "a": {"hard": 10}}}',
      { core: { soft: 0, hard: 0 }, a: { soft: 0, hard: 10 } },
    ],
    ['a limit in one number', '{"ulimits": {"memlock": -1}}', { memlock: -1 }],
    ['a limit of a build', '{"build": {"ulimits": {"core": {}}}}', { ulimits: { core: { soft: 0, hard: 0 } } }],
    ['a number that is too large', '{"ulimits": {"core": 9223372036854775807}}', { core: '9223372036854775807' }],
    ['a text with such a number', '{"a": "\\"9223372036854775807 1.5"}', '"9223372036854775807 1.5'],
    ['a size below zero', '{"memswap_limit": "-1"}', -1],
    ['another size', '{"mem_limit": "67108864"}', '67108864'],
    ['rates', '{"blkio_config": {"a": [{"Path": "/d", "Rate": "1"}]}}', { a: [{ path: '/d', rate: '1' }] }],
    [
      'no device',
      '{"gpus": [{}, {"count": -1}, {"device_ids": ["0"]}]}',
      [{ count: 0 }, { count: -1 }, { device_ids: ['0'] }],
    ],
  ] as const) {
    test(`${what} is what the project wrote`, () => {
      assert.equal(Object.values(mended(said) ?? {}), [meant])
    })
  }

  for (const [what, service, argv] of [
    ['nothing', {}, ['/in', 'image']],
    ['an empty entry point', { entrypoint: [] }, ['image']],
    ['an entry point', { entrypoint: ['a'] }, ['a']],
    ['an empty command', { command: [] }, ['/in', 'image']],
    ['a command', { command: ['b$$c'] }, ['/in', 'b$c']],
    ['both empty', { entrypoint: [], command: [] }, ['image']],
  ] as const) {
    test(`a service with ${what} runs what it runs without Nexus`, () => {
      const image = { content: '', entrypoint: ['/in'], command: ['image'], user: '', workingDir: '/', exposed: [] }
      assert.equal(appOf(image, service).argv, argv)
    })
  }
})

suite('caches of builds', (test) => {
  const [whose, build] = [{ id: 'ws-1' as WorkspaceId, repo: '/p1', isolation: 'standard' }, { context: '/w' }] as const
  const builds: ComposeModel = {
    name: 'x',
    services: {
      plain: { build },
      named: { image: 'a:1', build: { ...build, args: { A: '$$x' } } },
      theirs: { build: { ...build, args: { BUILDKIT_CACHE_MOUNT_NS: 'theirs' }, cache_to: ['type=inline'] } },
      idle: { build, profiles: ['idle'] },
      none: { image: 'b' },
    },
  }
  const argsIn = (text: string) =>
    Object.entries(
      parseCompose(text.replace(/![a-z]+/g, '')).services as Record<
        string,
        { build?: { args?: Record<string, string> } }
      >,
    ).map(([name, one]) => [name, one.build?.args?.BUILDKIT_CACHE_MOUNT_NS])

  test('are of the repository, and in agent of the workspace', () => {
    const name = (more: object, instance = 'i') => buildArgsOf(instance, { ...whose, ...more }).BUILDKIT_CACHE_MOUNT_NS
    assert.is(name({}), name({ id: 'ws-2' }))
    assert.is(new Set([name({}), name({ repo: '/p2' }), name({}, 'other'), name({ isolation: 'agent' })]).size, 4)
    assert.is(name({ isolation: 'agent' }), 'ws-1')
    for (const one of [name({}), 'ws-1']) assert.not.match(one, '/')
  })

  test('each build of a stack has them, whatever the project says', () => {
    const all = [...['plain', 'named', 'theirs', 'idle'].map((name) => [name, 'ours']), ['none', undefined]]
    assert.equal(argsIn(override(builds)), all)
    const facts = { model: builds, project: 'p', labels: {}, worktree: '/w', repo: '/r', buildArgs: buildArgs('ours') }
    const shared = formatCompose(sharedModel({ ...facts, names: Object.keys(builds.services) }), '#')
    assert.equal(argsIn(shared), all)
    assert.match(shared, 'A: "$$x"')
  })

  test('so has a build by docker', async () => {
    await using dir = await tempDir()
    await writeFile(join(dir.path, 'Dockerfile'), 'FROM x\n')
    const asked: (readonly string[])[] = []
    const run: Runner['run'] = async (argv) => {
      asked.push(argv)
      return { stdout: '', stderr: '', code: 0 }
    }
    const docker = createDocker({ run } as Runner, { PATH: '/bin', HOME: '/nowhere' })
    await docker.build(dir.path, { tag: 't', labels: {}, args: buildArgs('ours'), onLine: () => {} })
    assert.match(asked[0]?.join(' ') ?? '', '--build-arg BUILDKIT_CACHE_MOUNT_NS=ours ')
  })
})

suite('the override', (test) => {
  test('a build takes and keeps layers with an image cache only, and a project that says where is left alone', () => {
    assert.equal(buildCache({ build: {} }, undefined), {})
    assert.equal(buildCache({ build: {} }, []), { cache_to: ['type=inline'] })
    assert.equal(buildCache({ build: {} }, ['a:b']), { cache_from: ['a:b'], cache_to: ['type=inline'] })
    assert.equal(buildCache({ build: { cache_to: ['type=inline'] } }, ['a:b']), {})
  })

  test('a mount from a path with a colon goes to Docker in parts, and others stay as they are', () => {
    const mount = (source: string, more = {}) => ({ type: 'bind', source, target: '/src', read_only: true, bind: more })
    const web = (volume: ReturnType<typeof mount>): ComposeModel => ({
      name: 'x',
      services: { web: { volumes: [volume] } },
    })
    const made = override(web(mount('/a:b/$$c', { create_host_path: true, propagation: 'rslave' })))
    for (const line of [
      'source: "/a:b/$$c"',
      'target: "/src"',
      'read_only: true',
      'propagation: "rslave"',
      'create_host_path: false',
    ])
      assert.ok(made.includes(line), made)
    assert.not.match(override(web(mount('/ab', { create_host_path: true }))), /\/src/)
    assert.not.match(override(web(mount('/a:b', { create_host_path: false }))), /\/src/)
  })

  test('takes away what two branches would share', () => {
    assert.is(
      override(MODEL),
      `# x
services:
  web:
    labels:
      l: "1"
    environment:
      V: "a$$b"
    container_name: !reset null
    build:
      labels:
        l: "1"
      args:
        BUILDKIT_CACHE_MOUNT_NS: "ours"
    image: !reset null
    ports: !override
      - mode: "host"
        host_ip: "127.0.0.1"
        published: "33001"
        target: 80
        protocol: "tcp"
    networks: !override
      back:
        aliases:
          - "w"
          - "web"
    restart: "unless-stopped"
  worker:
    labels:
      l: "1"
    environment:
      V: "a$$b"
    image: "nexus-a-1-web"
    pull_policy: "never"
  debug:
    labels:
      l: "1"
    environment:
      V: "a$$b"
    ports: !reset null
networks:
  default:
    labels:
      l: "1"
  back:
    name: !reset null
    labels:
      l: "1"
    ipam: !override
      config:
        - subnet: "10.213.0.0/26"
volumes:
  data:
    name: !reset null
    labels:
      l: "1"
`,
    )
  })

  test('a check that would come late comes often during the start period, where the project says nothing of that', () => {
    const late = { test: ['CMD', 'true'], interval: '1m30s', start_period: '30s' }
    const text = (healthcheck: Readonly<Record<string, unknown>>, startInterval = true) =>
      override({ name: 'x', services: { web: { healthcheck } } }, [], startInterval)
    assert.match(text(late), /healthcheck:\n {6}start_interval: "1s"\n/)
    for (const changed of [
      { interval: '500ms' },
      { interval: undefined },
      { start_period: undefined },
      { start_interval: '5s' },
      { disable: true },
      { test: ['NONE'] },
      { test: undefined },
    ])
      assert.not.match(text({ ...late, ...changed }), /healthcheck/)
    assert.not.match(text(late, false), /healthcheck/)
  })

  test('an active profile is part of the stack', () => {
    assert.match(override(MODEL, ['debug']), /profiles: !reset null/)
  })

  test('requests for graphics cards pass through', () => {
    const devices = [{ driver: 'nvidia', count: 1, capabilities: ['gpu'] }]
    const ai = { image: 'a', gpus: devices, deploy: { resources: { reservations: { devices } } } }
    const model = { name: 'x', services: { ai } }
    assert.not.match(override(model), /gpu|deploy|devices|nvidia/)
    // as the file that is started has them
    const read = parseCompose(formatResolved(model, '# x')) as unknown
    assert.equal(read, model)
  })

  test('networks of others are not touched', () => {
    assert.equal(ownNetworks(MODEL), ['default', 'back'])
    assert.equal(ownNetworks({ ...MODEL, networks: { default: { name: 'n', external: true } } }), ['nexus-own'])
  })

  test('what is on external networks alone joins one where the workspace and its ready services are', () => {
    const services = { web: { networks: { shared: { aliases: ['w'] } } }, job: { networks: { default: null } } }
    const networks = { shared: { name: 's', external: true } }
    const joined = override({ name: 'x', services, networks })
    assert.match(joined, /networks: !override\n {6}shared:\n {8}aliases:\n {10}- "w"\n {6}default: \{\}\n/)
    assert.is(joined.match(/networks: !override/g)?.length, 1)
    const external = override({ name: 'x', services, networks: { ...networks, default: { external: true } } })
    assert.match(external, / {6}default: \{\}\n {6}nexus-own: \{\}\n/)
    assert.match(external, /^networks:\n {2}nexus-own:\n/m)
  })

  test('what is lost is said', () => {
    const scaled = { ...MODEL, services: { ...MODEL.services, many: service([1], { deploy: { replicas: 3 } }) } }
    assert.equal(overrideNotes(scaled), [
      'service web has a fixed address, which is not kept: use its name instead',
      'service many runs 3 times, so its ports are not published',
    ])
  })
})
