/**
 * Ready services: what the configuration's words become, and what is refused. That the compose services run is shown in
 * test/tool/catalogue.test.ts.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { PortMapping } from '../../../lib/core/workspace.ts'
import { assignOffsets } from '../../../lib/ports/blocks.ts'
import { placeServices, type ReadyContext, readyServices } from '../../../lib/stack/catalogue.ts'
import type { YamlMap } from '../../../lib/system/render.ts'
import { assert, rejects, suite } from '../../support/suite.ts'

const CONTEXT: ReadyContext = { password: 'abcdef0123', database: 'fix_k3v9q2xa', startInterval: true }
const NONE: ReadonlyMap<string, string> = new Map()

const make = (wanted: readonly string[], images: Readonly<Record<string, string>> = {}, context: object = {}) =>
  readyServices(wanted, new Map(Object.entries(images)), { ...CONTEXT, ...context })

const imageOf = (wanted: string, images: Readonly<Record<string, string>> = {}) =>
  make([wanted], images).services[wanted.split(':')[0] ?? '']?.image

suite('ready services', (test) => {
  test('none is nothing', () => {
    assert.equal(make([]), { services: {}, volumes: {}, environment: {}, ports: [] })
  })

  test('postgres, whole', () => {
    const { services, volumes, environment, ports } = make(['postgres'])
    assert.equal(services, {
      postgres: {
        image: 'postgres:16',
        environment: {
          POSTGRES_USER: 'nexus',
          POSTGRES_PASSWORD: 'abcdef0123',
          POSTGRES_DB: 'fix_k3v9q2xa',
          PGDATA: '/var/lib/postgresql/pgdata',
        },
        volumes: [{ type: 'volume', source: 'nexus-postgres-data', target: '/var/lib/postgresql' }],
        shm_size: '256m',
        healthcheck: {
          test: ['CMD-SHELL', 'pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"'],
          interval: '30s',
          timeout: '5s',
          retries: 3,
          start_period: '120s',
          start_interval: '500ms',
        },
        stop_grace_period: '30s',
        restart: 'no',
      },
    })
    assert.equal(volumes, { 'nexus-postgres-data': {} })
    assert.equal(environment, {
      PGHOST: 'postgres',
      PGPORT: '5432',
      PGUSER: 'nexus',
      PGPASSWORD: 'abcdef0123',
      PGDATABASE: 'fix_k3v9q2xa',
      DATABASE_URL: 'postgresql://nexus:abcdef0123@postgres:5432/fix_k3v9q2xa',
      NEXUS_WS_DB: 'fix_k3v9q2xa',
    })
    assert.equal(ports, [{ name: 'database', container: 5432, protocol: 'tcp', service: 'postgres' }])
  })

  for (const name of ['mysql', 'mariadb']) {
    test(`${name}: variables and root's password`, () => {
      const { services, environment } = make([name])
      assert.equal(environment, {
        MYSQL_HOST: name,
        MYSQL_TCP_PORT: '3306',
        MYSQL_USER: 'nexus',
        MYSQL_PASSWORD: 'abcdef0123',
        MYSQL_DATABASE: 'fix_k3v9q2xa',
        DATABASE_URL: `mysql://nexus:abcdef0123@${name}:3306/fix_k3v9q2xa`,
        NEXUS_WS_DB: 'fix_k3v9q2xa',
      })
      const inside = services[name]?.environment as YamlMap
      assert.is(inside[`${name.toUpperCase()}_ROOT_PASSWORD`], 'abcdef0123')
    })
  }

  test('redis has no database', () => {
    const { environment, ports } = make(['redis'])
    assert.equal(environment, { REDIS_HOST: 'redis', REDIS_PORT: '6379', REDIS_URL: 'redis://redis:6379' })
    assert.equal(ports, [{ name: 'redis', container: 6379, protocol: 'tcp', service: 'redis' }])
  })

  test('a version is the tag, an image replaces all of it', () => {
    assert.is(imageOf('postgres:17-alpine'), 'postgres:17-alpine')
    assert.is(imageOf('mysql'), 'mysql:8.4')
    assert.is(imageOf('mariadb'), 'mariadb:11')
    assert.is(imageOf('redis'), 'redis:7')
    const mirror = 'mirror.example:5000/library/postgres@sha256:00ff'
    assert.is(imageOf('postgres', { postgres: mirror }), mirror)
    assert.is(imageOf('postgres:15', { postgres: mirror }), mirror)
  })

  test('the first database has the port and DATABASE_URL, in the order given', () => {
    const first = make(['redis', 'mariadb', 'postgres', 'mysql'])
    assert.equal(
      first.ports.map(({ name }) => name),
      ['redis', 'database', 'postgres', 'mysql'],
    )
    assert.match(first.environment.DATABASE_URL ?? '', /^mysql:.*@mariadb:/)
    assert.is(first.environment.MYSQL_HOST, 'mariadb')
    assert.is(first.environment.PGHOST, 'postgres')
    assert.equal(Object.fromEntries(assignOffsets(first.ports)), { redis: 4, database: 3, postgres: 5, mysql: 6 })
    assert.match(make(['postgres', 'mariadb']).environment.DATABASE_URL ?? '', /^postgresql:/)
  })

  test('names of ports that are taken are not taken again', () => {
    const names = (...ports: readonly string[]) =>
      make(['postgres', 'redis'], {}, { ports }).ports.map(({ name }) => name)
    assert.equal(names('ssh', 'database'), ['postgres', 'redis'])
    assert.equal(names('database', 'postgres', 'redis'), ['postgres-5432', 'redis-6379'])
  })

  test('an engine without start_interval looks often instead', () => {
    const check = make(['redis'], {}, { startInterval: false }).services.redis?.healthcheck as YamlMap
    assert.is(check.start_interval, undefined)
    assert.is(check.interval, '3s')
    assert.is(check.start_period, '120s')
  })

  test('a password that needs quotes is a bug', () => {
    for (const password of ['', 'short', "a'bcdefghijk", 'abc$defghij']) {
      assert.throws(() => make(['redis'], {}, { password }), /password/)
    }
  })
})

suite('ready services that are refused', (test) => {
  for (const [wanted, words, hint] of [
    ['postgre', 'there are postgres, mysql, mariadb, redis', 'services postgres`'],
    ['Postgres', 'no ready service', 'services postgres`'],
    ['mongo', 'no ready service', 'a compose file'],
    ['constructor', 'no ready service', 'config set'],
    ['', 'no ready service', 'config set'],
    [':16', 'no ready service', 'config set'],
    ['postgres:', 'not a version', 'postgres:16`'],
    ['postgres:1 6', 'not a version', 'postgres:16`'],
    ['postgres:16:1', 'not a version', 'postgres:16`'],
    ['postgres:16@sha256', 'not a version', 'postgres:16`'],
    ['redis:-7', 'not a version', 'redis:7`'],
    ['redis:${HOME}', 'not a version', 'redis:7`'],
  ] as const) {
    test(JSON.stringify(wanted), async () => {
      const error = await rejects(() => make([wanted]), 'CONFIG_INVALID')
      assert.ok(error.message.includes(JSON.stringify(wanted)) && error.message.includes(words), error.message)
      assert.ok(error.hint?.includes(hint), error.hint)
    })
  }

  test('one that is asked for twice', async () => {
    const error = await rejects(() => make(['postgres', 'postgres:15']), 'CONFIG_INVALID')
    assert.match(error.message, /twice/)
  })

  test('one that the compose files have', async () => {
    const error = await rejects(() => make(['redis'], {}, { services: ['web', 'redis'] }), 'CONFIG_INVALID')
    assert.match(error.message, /compose files have/)
  })

  test('images of unknown services, even when none is asked for, and images that are none', async () => {
    const unknown = await rejects(() => make([], { postgrs: 'x' }), 'CONFIG_INVALID')
    assert.match(unknown.message, /images\.postgrs/)
    for (const image of ['', '-x', 'a b', 'a\nprivileged: true', '${HOME}']) {
      const error = await rejects(() => make(['redis'], { redis: image }), 'CONFIG_INVALID')
      assert.match(error.message, /images\.redis/)
    }
  })
})

suite('placed', (test) => {
  const ports: readonly PortMapping[] = [
    { name: 'ssh', container: 22, host: 32_800, protocol: 'tcp' },
    { name: 'database', container: 5432, host: 32_803, protocol: 'tcp', service: 'postgres' },
  ]
  const facts = {
    ports,
    addresses: ['127.0.0.1', '::1'],
    labels: { 'dev.nexus.workspace': 'ws-aaaaaaaa' },
    environment: { NEXUS_WS_ID: 'ws-aaaaaaaa' },
    networks: ['default', 'back'],
  }

  test('with labels, variables, networks and leased ports; on loopback alone', () => {
    const { services, volumes } = placeServices(readyServices(['postgres', 'redis'], NONE, CONTEXT), facts)
    const { postgres, redis } = services as Record<string, YamlMap>
    assert.equal(postgres?.labels, facts.labels)
    assert.is((postgres?.environment as YamlMap).NEXUS_WS_ID, 'ws-aaaaaaaa')
    assert.is((postgres?.environment as YamlMap).POSTGRES_USER, 'nexus')
    assert.equal(postgres?.networks, { default: {}, back: {} })
    assert.equal(
      (postgres?.ports as readonly YamlMap[]).map((port) => `${port.host_ip} ${port.published}:${port.target}`),
      ['127.0.0.1 32803:5432', '::1 32803:5432'],
    )
    assert.equal(redis?.ports, [])
    assert.equal(volumes, {
      'nexus-postgres-data': { labels: facts.labels },
      'nexus-redis-data': { labels: facts.labels },
    })
  })
})

suite('the pieces', (test) => {
  const folder = join(process.cwd(), 'compose', 'services')

  for (const file of readdirSync(folder)) {
    test(`${file} has one service, with all that one needs`, () => {
      const name = file.replace('.yml', '')
      const piece = parse(readFileSync(join(folder, file), 'utf8'))
      assert.equal(Object.keys(piece), ['services', 'volumes'])
      assert.equal(Object.keys(piece.services), [name])
      const service = piece.services[name]
      assert.match(service.image, new RegExp(`^${name}:\\d`))
      assert.ok(service.healthcheck.test.length > 1 && service.stop_grace_period !== undefined)
      assert.is(service.restart, 'no')
      assert.equal(
        service.volumes.map((volume: YamlMap) => volume.source),
        Object.keys(piece.volumes),
      )
      for (const key of ['ports', 'container_name', 'networks', 'privileged']) assert.is(service[key], undefined, key)
      assert.ok(make([name]).services[name] !== undefined, 'it is in the catalogue')
    })
  }
})
