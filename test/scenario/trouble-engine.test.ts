/**
 * An engine that is down, hangs, is elsewhere, runs rootless or lets nobody in, and a compose plugin that is missing or too
 * old: a sentence, a hint, exit code 5 (2 for what is not supported), and nothing half made.
 */
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openDemo, openScene, type Scene } from './scene.ts'
import { makeUser } from './users.ts'

suite('trouble with the engine', (test) => {
  test(
    'it is down: nothing is made, and list says that it cannot be asked',
    async () => {
      await using scene = await openDemo()
      const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' }
      await untouched(scene, async () => {
        for (const args of [
          ['up', 'other'],
          ['start', 'demo'],
          ['stop', 'demo'],
          ['delete', 'demo'],
        ]) {
          await scene.refused(args, 5, 'BACKEND_UNAVAILABLE', { env })
        }
      })
      const listed = JSON.parse(await scene.ok(['list', '--json'], { env }))
      assert.is(listed.workspaces[0].state, 'unknown')
      await scene.ok(['start', 'demo']) // a delete that could not go on is taken up by the next command
      await scene.inside('demo', 'true')
    },
    LIMIT_MS,
  )

  test(
    'it hangs',
    async () => {
      await using scene = await openScene()
      const sockets = new Set<Socket>()
      await using server = await listen(
        createServer((socket) => void sockets.add(socket.on('error', () => {}))),
        join(scene.root, 'hung.sock'),
        () => {
          for (const socket of sockets) socket.destroy()
        },
      )
      await untouched(scene, () =>
        scene.refused(['up', 'demo'], 5, 'BACKEND_UNAVAILABLE', { env: { DOCKER_HOST: server.host } }),
      )
    },
    LIMIT_MS,
  )

  test(
    'it is on another machine',
    async () => {
      await using scene = await openScene()
      for (const host of ['tcp://192.0.2.1:2375', 'ssh://somebody@192.0.2.1']) {
        await untouched(scene, () => scene.refused(['up', 'demo'], 2, 'UNSUPPORTED', { env: { DOCKER_HOST: host } }))
      }
    },
    LIMIT_MS,
  )

  test(
    'it runs rootless',
    async () => {
      await using scene = await openScene()
      const info = { ServerVersion: '28.0.0', SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'] }
      const version = { Version: '28.0.0', ApiVersion: '1.45', MinAPIVersion: '1.24', Os: 'linux', Arch: 'amd64' }
      const fake = createHttpServer((request, response) => {
        const path = (request.url ?? '').replace(/^\/v[\d.]+/, '')
        response.setHeader('Api-Version', '1.45').setHeader('Ostype', 'linux').setHeader('Connection', 'close')
        if (path === '/_ping') response.end('OK')
        else
          response.setHeader('Content-Type', 'application/json').end(JSON.stringify(path === '/info' ? info : version))
      })
      await using server = await listen(fake, join(scene.root, 'rootless.sock'), () => fake.closeAllConnections())
      await untouched(scene, async () => {
        const { message } = await scene.refused(['up', 'demo'], 2, 'UNSUPPORTED', { env: { DOCKER_HOST: server.host } })
        assert.match(message, /rootless/)
      })
    },
    LIMIT_MS,
  )

  test(
    'this user may not use it',
    async () => {
      await using user = await makeUser({ inDockerGroup: false })
      await using scene = await openScene({ user })
      await untouched(scene, async () => {
        const { hint } = await scene.refused(['up', 'demo'], 5, 'BACKEND_UNAVAILABLE')
        assert.match(hint ?? '', /usermod -aG docker/)
      })
    },
    LIMIT_MS,
  )

  test(
    'the compose plugin is too old or missing, or there is no docker at all',
    async () => {
      await using scene = await openScene()
      const real = (await must(['which', 'docker'])).trim()
      const answers = {
        old: 'echo 2.20.3',
        missing: `echo "docker: 'compose' is not a docker command." >&2; exit 1`,
      }
      for (const [name, answer] of Object.entries(answers)) {
        const folder = join(scene.root, name)
        await mkdir(folder)
        const script = `#!/bin/bash\nif [ "$1" = compose ]; then ${answer}; exit; fi\nexec ${real} "$@"\n`
        await writeFile(join(folder, 'docker'), script)
        await chmod(join(folder, 'docker'), 0o755)
        const env = { PATH: `${folder}:${process.env.PATH}` }
        await untouched(scene, () => scene.refused(['up', 'demo'], 5, 'TOOL_MISSING', { env }))
      }
      const without = join(scene.root, 'without')
      await mkdir(without)
      for (const tool of ['git', 'ssh', 'ssh-keygen', 'ss']) {
        await symlink((await must(['which', tool])).trim(), join(without, tool))
      }
      const env = { PATH: without }
      await untouched(scene, () => scene.refused(['up', 'demo'], 5, 'TOOL_MISSING', { env }))
    },
    LIMIT_MS,
  )
})

/** Listens on a unix socket until it is disposed of. */
async function listen(server: Server, path: string, endAll: () => void) {
  await new Promise<void>((done, fail) => server.once('error', fail).listen(path, done))
  return {
    host: `unix://${path}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()))
      endAll()
      await closed
    },
  }
}

async function untouched(scene: Scene, run: () => Promise<unknown>): Promise<void> {
  const before = await scene.made()
  await run()
  assert.equal(await scene.made(), before)
}
