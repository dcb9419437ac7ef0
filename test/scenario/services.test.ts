/** Ready services beside a workspace, each workspace with its own data; data that is prepared once; caches that are shared. */
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { BUILD_LIMIT_MS, requireTestImage } from '../support/images.ts'
import { assert, suite } from '../support/suite.ts'
import { writeFiles } from '../support/temp.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const service = async (scene: Scene, name: string, workspace: string) => {
  const filters = [
    `dev.nexus.repo=${scene.repo.path}`,
    `dev.nexus.name=${workspace}`,
    `com.docker.compose.service=${name}`,
  ]
  return (await must(['docker', 'ps', '-q', ...filters.flatMap((label) => ['--filter', `label=${label}`])])).trim()
}

const psql = async (scene: Scene, workspace: string, sql: string) => {
  const script = 'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -Atqc "$0"'
  return must(['docker', 'exec', await service(scene, 'postgres', workspace), 'bash', '-c', script, sql])
}

suite('ready services', (test) => {
  test(
    'a database and a cache for each workspace, with their credentials in its environment',
    async () => {
      const [postgres, redis] = [await requireTestImage('postgres'), await requireTestImage('redis')]
      const config = `services: [postgres, redis]\nimages:\n  postgres: ${postgres}\n  redis: ${redis}\ncaches: [~/.cache/tool]\n`
      await using scene = await openScene({ files: { '.nexus/config.yaml': config } })
      const a = await scene.up('a')
      await scene.up('b')
      const database = a.ports.find(({ name }) => name === 'database')
      assert.is(database?.host, (a.ssh.port ?? 0) + 3)
      assert.is(database?.url, undefined)
      await psql(scene, 'a', 'create table notes (text text); insert into notes values ($$of a$$)')
      assert.is(await psql(scene, 'a', 'select text from notes'), 'of a\n')
      assert.is(await psql(scene, 'b', 'select count(*) from pg_tables where tablename = $$notes$$'), '0\n')
      const url = await scene.inside(
        'a',
        'sh',
        '-c',
        'echo "$DATABASE_URL $REDIS_URL"; getent hosts postgres redis | wc -l',
      )
      assert.match(url, /^postgresql:\/\/nexus:\w+@postgres:5432\/a_\w+ redis:\/\/redis:6379\n2\n$/)

      await scene.inside('a', 'sh', '-c', 'echo kept > ~/.cache/tool/file')
      assert.is(await scene.inside('b', 'sh', '-c', 'cat ~/.cache/tool/file'), 'kept\n')
      // the engine calls what was paused unhealthy until its next check, in half a minute: no reason to wait, nor to warn
      for (const verb of ['resume', 'start']) {
        await scene.ok(['pause', 'a'])
        const { code, stderr } = await scene.run([verb, 'a'])
        assert.is(code, 0, stderr)
        assert.not.match(stderr, /unhealthy/, verb)
      }
      for (const name of ['a', 'b']) await scene.ok(['delete', name, '--force'])
      const caches = await must([
        'docker',
        'volume',
        'ls',
        '-q',
        '--filter',
        'label=dev.nexus.cache',
        '--filter',
        `label=dev.nexus.repo=${scene.repo.path}`,
      ])
      assert.match(caches, /^nexus-cache-/)
      await must(['docker', 'volume', 'rm', caches.trim()])
    },
    BUILD_LIMIT_MS + 3 * LIMIT_MS,
  )

  test(
    'beside services on networks of others alone, found by them and by nobody there, and given a secret',
    async () => {
      const redis = await requireTestImage('redis')
      const compose = `services:
  app: {image: "debian:bookworm-slim", init: true, command: sleep infinity}
networks: {default: {name: nexus-test-outside, external: true}}
`
      const config = `services: [redis]\nimages: {redis: ${redis}}\n`
      const secret = 'secrets: {key: {from: "env://KEY", services: [redis]}}\n'
      await must(['docker', 'network', 'create', '--label', 'dev.nexus.test=1', 'nexus-test-outside'])
      try {
        await using scene = await openScene({ files: { 'compose.yaml': compose, '.nexus/config.yaml': config } })
        await writeFiles(scene.home, { '.nexus/config.yaml': secret })
        const ask = (args: readonly string[]) => scene.run(args, { env: { KEY: 'of mine' } })
        const { stdout } = await ask(['up', 'a', '--json'])
        const { error } = JSON.parse(stdout) as { error: { details: { hash: string } } }
        const { code, stderr } = await ask(['up', 'a', '--approve', error.details.hash])
        assert.is(code, 0, stderr)
        assert.match(await scene.inside('a', 'getent', 'hosts', 'redis', 'app'), / redis\n.* app\n/)
        const app = await service(scene, 'app', 'a')
        assert.match(await must(['docker', 'exec', app, 'getent', 'hosts', 'redis']), / redis\n/)
        const inRedis = ['docker', 'exec', await service(scene, 'redis', 'a')]
        assert.is(await must([...inRedis, 'cat', '/run/secrets/key']), 'of mine')
        const format = '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}'
        const networks = await must(['docker', 'inspect', '--format', format, inRedis[2] ?? ''])
        assert.match(networks, /^nexus-a-\w+_nexus-own \n$/)
      } finally {
        await must(['docker', 'network', 'rm', 'nexus-test-outside'])
      }
    },
    BUILD_LIMIT_MS + 2 * LIMIT_MS,
  )

  test(
    'data is prepared once and cloned for each new workspace, until what it follows from changes',
    async () => {
      const postgres = await requireTestImage('postgres')
      // bash speaks enough of HTTP-like protocols to be told apart from a client: the command only notes that it ran
      const config = `services: [postgres]\nimages: {postgres: ${postgres}}\nseed: {run: 'until test ! -e /workspace/.wait; do sleep 0.1; done; date > /workspace/.prepared', inputs: [schema.sql]}\n`
      const files = {
        '.nexus/config.yaml': config,
        'schema.sql': 'one\n',
        '.gitignore': '.prepared\n.wait\n',
        '.worktreeinclude': '.wait\n',
      }
      await using scene = await openScene({ files })
      const seeds = async () =>
        (
          await must([
            'docker',
            'volume',
            'ls',
            '-q',
            '--filter',
            'label=dev.nexus.seed',
            '--filter',
            `label=dev.nexus.repo=${scene.repo.path}`,
          ])
        )
          .split('\n')
          .filter((line) => line !== '')
      const prepared = async (name: string) =>
        (await scene.run(['exec', name, '--', 'test', '-e', '.prepared'])).code === 0
      try {
        await scene.up('a')
        assert.ok(await prepared('a'))
        assert.is((await seeds()).length, 2)
        await psql(scene, 'a', 'create table later (x int)')
        await scene.up('b')
        assert.not(await prepared('b'))
        // a clone of what was prepared, not of what a did with it since
        assert.is(await psql(scene, 'b', 'select count(*) from pg_tables where tablename = $$later$$'), '0\n')
        await scene.repo.git('commit', '--quiet', '--allow-empty', '--message', 'nothing')
        await must(['sh', '-c', `echo two > '${scene.repo.path}/schema.sql'`])
        await scene.repo.git('commit', '--quiet', '--all', '--message', 'schema')
        await scene.up('c')
        assert.ok(await prepared('c'))
        assert.is((await seeds()).length, 4)

        // one that is cut off while the command runs is prepared by whoever finishes it
        await must(['sh', '-c', `echo three > '${scene.repo.path}/schema.sql' && touch '${scene.repo.path}/.wait'`])
        await scene.repo.git('commit', '--quiet', '--all', '--message', 'other schema')
        const cut = scene.start(['up', 'd'])
        await eventually(() => assert.match(cut.stderr(), /preparing the data/), { timeoutMs: LIMIT_MS })
        cut.child.kill('SIGKILL')
        await cut.ended
        await must(['rm', join(scene.repo.path, '.worktree/d/.wait')])
        const before = await seeds()
        await scene.up('d')
        assert.ok(await prepared('d'))
        assert.is((await seeds()).filter((volume) => !before.includes(volume)).length, 2)
      } finally {
        for (const { id } of await scene.list()) await scene.ok(['delete', id, '--force'])
        await must(['docker', 'volume', 'rm', ...(await seeds())])
      }
    },
    BUILD_LIMIT_MS + 4 * LIMIT_MS,
  )
})
