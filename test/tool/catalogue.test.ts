/**
 * Each ready service on the real engine: it becomes healthy, a client in another container reaches it with nothing but the
 * workspace's variables, and its data outlives its container. There is no registry here, so the images are Debian's programs
 * behind the official images' variables and paths (test/support/images.ts); MariaDB stands in for MySQL.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkspaceId, WorkspaceName } from '../../lib/core/names.ts'
import { placeServices, readyServices } from '../../lib/stack/catalogue.ts'
import { databaseName } from '../../lib/stack/database.ts'
import { formatCompose, type Yaml } from '../../lib/system/render.ts'
import { BUILD_LIMIT_MS, requireTestImage, type TestImage } from '../support/images.ts'
import { type ProcessResult, runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

const LIMIT_MS = BUILD_LIMIT_MS + 120_000
const PASSWORD = 'k3v9q2xak3v9q2xa'
const DATABASE = databaseName({ id: 'ws-k3v9q2xa' as WorkspaceId, name: 'feature-auth' as WorkspaceName })

interface Stack extends AsyncDisposable {
  /** Waits until all are healthy. */
  up(): Promise<void>
  compose(...args: string[]): Promise<string>
  /** A shell command in the client's container, where the variables are those of a workspace. */
  client(script: string): Promise<ProcessResult>
}

async function openStack(service: string, image: TestImage): Promise<Stack> {
  const reference = await requireTestImage(image)
  const dir = await tempDir()
  const file = join(dir.path, 'docker-compose.yml')
  const id = randomBytes(4).toString('hex')
  // by these the runner knows what a test left behind
  const labels = { 'dev.nexus.instance': `test-${id}`, 'dev.nexus.repo': dir.path }
  const ready = readyServices([service], new Map([[service, reference]]), {
    password: PASSWORD,
    database: DATABASE,
    startInterval: true,
  })
  const placed = placeServices(ready, { ports: [], addresses: [], labels, environment: {}, networks: ['default'] })
  const client: Yaml = {
    image: reference,
    command: ['sleep', 'infinity'],
    environment: { ...ready.environment },
    stop_signal: 'SIGKILL',
    labels,
  }
  const model = {
    name: `nexus-test-services-${id}`,
    services: { ...placed.services, client },
    networks: { default: { labels } },
    volumes: placed.volumes,
  }
  await writeFile(file, formatCompose(model, '# of a test'))
  const run = (...args: string[]) => runProcess(['docker', 'compose', '--progress', 'quiet', '-f', file, ...args])
  const compose = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args)
    assert.is(code, 0, `compose ${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }
  return {
    compose,
    up: async () => {
      const { code, stderr } = await run('up', '--detach', '--wait', '--wait-timeout', '90')
      if (code !== 0) throw new Error(`${stderr}\n${(await run('logs', '--no-color')).stdout}`)
    },
    client: (script) => run('exec', '--no-TTY', 'client', 'bash', '-c', script),
    [Symbol.asyncDispose]: async () => {
      await compose('down', '--volumes', '--timeout', '5')
      const left = await runProcess(['docker', 'volume', 'ls', '-q', '--filter', `label=dev.nexus.instance=test-${id}`])
      await dir[Symbol.asyncDispose]()
      assert.is(left.stdout, '', 'volumes are left')
    },
  }
}

interface Play {
  readonly service: string
  readonly image: TestImage
  /** A client as somebody in a workspace would call it. */
  readonly write: string
  readonly read: string
  /** What `read` prints. */
  readonly seen: string
  /** Must be refused. */
  readonly stranger?: string
  /** What the workspace's user, or root with the same password, may do besides. */
  readonly besides?: string
}

const MARIADB =
  'mariadb -N -h "$MYSQL_HOST" -P "$MYSQL_TCP_PORT" -u "$MYSQL_USER" -p"$MYSQL_PASSWORD" "$MYSQL_DATABASE"'
const TABLE = 'CREATE TABLE notes (text varchar(20))'
const mysqlPlay = {
  image: 'mariadb',
  write: `${MARIADB} -e "${TABLE}; INSERT INTO notes VALUES ('kept')"`,
  read: `${MARIADB} -e 'SELECT text, DATABASE() FROM notes'`,
  seen: `kept\t${DATABASE}\n`,
  stranger: `${MARIADB.replace('"$MYSQL_PASSWORD"', 'wrong')} -e 'SELECT 1'`,
  besides: `${MARIADB.replace('"$MYSQL_USER"', 'root')} -e 'CREATE DATABASE another'`,
} as const

const PLAYS: readonly Play[] = [
  {
    service: 'postgres',
    image: 'postgres',
    write: `psql -v ON_ERROR_STOP=1 -qc "${TABLE}" -c "INSERT INTO notes VALUES ('kept')"`,
    read: 'psql "$DATABASE_URL" -tAc "SELECT text, current_database() FROM notes"',
    seen: `kept|${DATABASE}\n`,
    stranger: 'PGPASSWORD=wrong psql -c "SELECT 1"',
    besides: 'createdb another',
  },
  { service: 'mariadb', ...mysqlPlay },
  { service: 'mysql', ...mysqlPlay },
  {
    service: 'redis',
    image: 'redis',
    write: 'redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" set note kept',
    read: 'redis-cli -u "$REDIS_URL" get note',
    seen: 'kept\n',
  },
]

suite('images for tests', (test) => {
  test(
    'are made once, however many ask, and carry no instance: they are no leftovers',
    async () => {
      const asked = await Promise.all([1, 2, 3].map(() => requireTestImage('redis')))
      assert.equal(asked, Array(3).fill(asked[0]))
      const inspect = ['docker', 'image', 'inspect', '--format', '{{.Id}} {{json .Config.Labels}}', asked[0] ?? '']
      const { stdout } = await runProcess(inspect)
      assert.is(await requireTestImage('redis'), asked[0])
      assert.is((await runProcess(inspect)).stdout, stdout)
      const labels = JSON.parse(stdout.slice(stdout.indexOf(' ')))
      assert.is(labels['dev.nexus.test'], '1')
      assert.is(labels['dev.nexus.instance'], undefined)
    },
    LIMIT_MS,
  )
})

suite('ready services on the engine', (test) => {
  for (const { service, image, write, read, seen, stranger, besides } of PLAYS) {
    test(
      `${service} serves its workspace and keeps its data`,
      async () => {
        await using stack = await openStack(service, image)
        await stack.up()
        const must = async (script: string) => {
          const { code, stdout, stderr } = await stack.client(script)
          assert.is(code, 0, `${script}: ${stdout}${stderr}`)
          return stdout
        }
        await must(write)
        assert.is(await must(read), seen)
        if (stranger !== undefined) assert.is.not((await stack.client(stranger)).code, 0, 'a wrong password is let in')
        if (besides !== undefined) await must(besides)

        await stack.compose('restart', '--timeout', '20', service)
        await stack.up()
        assert.is(await must(read), seen)

        // as after a power cut, and with a new container
        await stack.compose('kill', service)
        // with what the image's own VOLUME made: nothing of the data may lie there
        await stack.compose('rm', '--force', '--volumes', service)
        await stack.up()
        assert.is(await must(read), seen)
      },
      LIMIT_MS,
    )
  }

  for (const file of readdirSync(join(process.cwd(), 'compose', 'services'))) {
    test(`${file} is a compose file of its own`, async () => {
      const env = { NEXUS_SERVICE_PASSWORD: 'x', NEXUS_SERVICE_DATABASE: 'x' }
      const argv = ['docker', 'compose', '-f', join('compose', 'services', file), 'config', '--quiet']
      const { code, stderr } = await runProcess(argv, { env })
      assert.is(code, 0, stderr)
      assert.is(stderr, '')
    })
  }
})
