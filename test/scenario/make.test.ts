/** The make targets in a fresh clone of this repository: they install, build and run what they need by themselves. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ProcessResult, runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { identify, LIMIT_MS, must, openRepo, openScene } from './scene.ts'

suite('make', (test) => {
  test(
    'ws-up, ws-list, ws-exec, ws-down and ws-delete; names and paths run nothing',
    async () => {
      await using scene = await openScene()
      const clone = openRepo(join(scene.root, 'clone'))
      await must(['git', '-c', 'safe.directory=*', 'clone', '--quiet', '--no-hardlinks', process.cwd(), clone.path])
      // a symbolic link in its place would have `npm ci` empty somebody else's folder
      assert.not(existsSync(join(clone.path, 'node_modules')))
      await identify(clone)
      const make = (...words: string[]): Promise<ProcessResult> =>
        runProcess(['make', '--no-print-directory', ...words], {
          cwd: clone.path,
          env: { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), npm_config_cache: npmCache },
          timeoutMs: 3 * LIMIT_MS,
        })
      const npmCache = (await must(['npm', 'config', 'get', 'cache'])).trim()
      const ok = async (...words: string[]): Promise<string> => {
        const result = await make(...words)
        assert.is(result.code, 0, `make ${words.join(' ')}\n${result.stdout}${result.stderr}`)
        return result.stdout
      }

      assert.match(await ok('ws-up', 'NAME=demo'), /demo is running/)
      assert.match(await ok('ws-list'), /^demo +running +nexus\/demo/m)
      assert.match(await ok('ws-exec', 'NAME=demo', 'CMD=git status'), /On branch nexus\/demo/)
      assert.is(await ok('ws-exec', 'NAME=demo', `CMD=printf '%s|' "it's" 'a "b"'`), `it's|a "b"|`)
      assert.match(await ok('ws-up', 'NAME=other', `REPO=${scene.repo.path}`), /other is running/)
      assert.match(await ok('ws-delete', 'NAME=other', `REPO=${scene.repo.path}`), /other is deleted/)

      const trap = join(scene.root, 'trap')
      for (const target of ['ws-up', 'ws-down', 'ws-exec', 'ws-delete']) {
        for (const name of [
          `"; touch ${trap}; "`,
          `'; touch ${trap}; '`,
          `\`touch ${trap}\``,
          `$(shell touch ${trap})`,
        ]) {
          assert.is.not((await make(target, `NAME=${name}`, 'CMD=true')).code, 0)
          assert.not(existsSync(trap), `${target} ran ${name}`)
        }
      }
      assert.is.not((await make('ws-up')).code, 0)
      assert.match(await ok('ws-down', 'NAME=demo'), /demo is stopped/)
      await ok('ws-up', 'NAME=demo')
      await ok('ws-exec', 'NAME=demo', 'CMD=touch /workspace/dirty')
      assert.is.not((await make('ws-delete', 'NAME=demo')).code, 0)
      assert.match(await ok('ws-delete', 'NAME=demo', 'FORCE=1'), /demo is deleted/)
      assert.not.match(await ok('ws-list'), /demo/)
    },
    5 * LIMIT_MS,
  )
})
