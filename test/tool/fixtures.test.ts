/**
 * The sample projects themselves, as their authors run them: plain `docker build` and `docker compose`, no Nexus. What fails
 * here is no fault of the product. `fixed` can run once per machine only: test/scenario/projects.test.ts runs it by hand.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must } from '../scenario/scene.ts'
import { eventually } from '../support/eventually.ts'
import { BUILD_LIMIT_MS, httpGet, httpPost, openProject, startByHand, tcpAsk, udpAsk } from '../support/projects.ts'
import { assert, suite } from '../support/suite.ts'

suite('sample projects by hand', (test) => {
  test(
    'shop: what is posted to the page is in the database, a job is done by the worker, an edit shows at once',
    async () => {
      await using project = await openProject('shop')
      await using shop = await startByHand(project, { project: 'nexus-fixtures-shop' })
      const web = await shop.portOf('web', 3000)
      await httpPost(web, '/api/notes', 'a note')
      await httpPost(await shop.portOf('api', 8000), '/jobs', 'a job')
      const worker = 'worker did a job'
      await eventually(async () => assert.match(await httpGet(web, '/api/notes'), worker))
      assert.match(await httpGet(web, '/api/notes'), /"visits": [2-9], "notes": \["a note"/)
      assert.is(await tcpAsk(await shop.portOf('redis', 6379), 'PING\r\n'), '+PONG\r\n')
      assert.is(
        await shop.compose('exec', '-T', 'db', 'psql', '-h', '/tmp', '-U', 'shop', '-Atc', 'TABLE notes'),
        `1|a note\n2|${worker}\n`,
      )
      await writeFile(join(project.repo.path, 'web', 'index.html'), 'edited')
      assert.is(await httpGet(web), 'edited')
    },
    BUILD_LIMIT_MS,
  )

  test(
    'single: the file of the tree is served',
    async () => {
      await using project = await openProject('single')
      const image = 'nexus-fixtures-single'
      await must(['docker', 'build', '--quiet', '--tag', image, project.repo.path], { timeoutMs: BUILD_LIMIT_MS })
      try {
        const argv = ['docker', 'run', '--detach', '--init', '--rm', '--publish', '127.0.0.1::8080', image]
        const container = (await must(argv)).trim()
        try {
          const port = Number((await must(['docker', 'port', container, '8080'])).trim().split(':').at(-1))
          assert.is(await eventually(() => httpGet(port, '/greeting.txt')), 'hello from the tree\n')
        } finally {
          await must(['docker', 'rm', '--force', container])
        }
      } finally {
        await must(['docker', 'image', 'rm', image])
      }
    },
    BUILD_LIMIT_MS,
  )

  test(
    'profiles: every file has its say, and every port answers',
    async () => {
      await using project = await openProject('profiles')
      const options = { project: 'nexus-fixtures-profiles', profiles: ['debug'] }
      await using stack = await startByHand(project, options)
      const answer = (greeting: string, colour: string) =>
        `GREETING=${greeting}\nCOLOUR=${colour}\npage=the page of config/page.txt\ntoken=not a secret`
      for (const port of [8080, 9000, 9001]) {
        assert.is(await httpGet(await stack.portOf('app', port)), answer('hello from .env', 'green'))
      }
      assert.is(await httpGet(await stack.portOf('debug', 9229)), answer('debugging', ''))
      const echo = await stack.portOf('echo', 5140, 'udp')
      assert.is(await eventually(() => udpAsk(echo, 'a datagram')), 'a datagram')
      assert.match(await stack.compose('run', '--rm', '--no-TTY', 'tool'), 'hello from .env')
    },
    BUILD_LIMIT_MS,
  )

  test(
    'monorepo: two files make one stack, whose services share a package and reach each other',
    async () => {
      await using project = await openProject('monorepo')
      const files = ['services/a/compose.yaml', 'services/b/docker-compose.yml']
      await using stack = await startByHand(project, { project: 'nexus-fixtures-monorepo', files })
      const [a, b] = [await stack.portOf('a', 8080), await stack.portOf('b', 8080)]
      await eventually(() => httpPost(a, '/', 'one thing'))
      await eventually(() => httpPost(b, '/', 'another'))
      assert.is(await httpGet(b), 'b keeps another, a keeps one thing')
    },
    BUILD_LIMIT_MS,
  )
})
