/** Which variables leave with each program that the runner starts, by every way of starting one. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { createInterruption } from '../../../lib/core/interruption.ts'
import { childEnvironment, HOST_VARIABLES, WITHOUT_GIT, withoutRelative } from '../../../lib/system/environment.ts'
import type { Runner } from '../../../lib/system/exec.ts'
import { createRunner } from '../../../lib/system/runner.ts'
import { createDocker } from '../../../lib/tools/docker.ts'
import { eventually } from '../../support/eventually.ts'
import { FUZZ } from '../../support/fuzz.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const COMPOSE = [
  ['/usr/libexec/docker/cli-plugins/docker-compose', '-p', 'x', 'up'],
  ['docker-compose'],
  ['docker', 'compose', 'up'],
]
const DOCKER = [['docker', 'build', '.'], ['/usr/bin/docker', 'run', 'x', 'compose'], ['docker']]

const ODD_NAMES = [
  'GIT_DIR',
  'GIT_TRACE',
  'GIT_CONFIG_COUNT',
  'GIT_SSH_COMMAND',
  'BUILDX_GIT_INFO',
  'DOCKER_PASSWORD',
  'DOCKER_HOST',
  'PATH',
  'HOME',
]
const variables = fc.dictionary(
  fc.oneof(fc.constantFrom(...ODD_NAMES), fc.stringMatching(/^[A-Z_]{1,12}$/)),
  fc.string(),
)

suite('the environment of children', (test) => {
  test('git is disarmed for docker and compose, whatever is inherited or given', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMPOSE, ...DOCKER), variables, variables, (argv, base, extra) => {
        const env = childEnvironment(argv, base, extra)
        for (const [name, value] of Object.entries(WITHOUT_GIT)) assert.is(env[name], value)
        const git = Object.keys(env).filter(
          (name) => /^GIT_/.test(name) && !Object.hasOwn(extra, name) && !Object.hasOwn(WITHOUT_GIT, name),
        )
        assert.equal(
          git,
          ['GIT_TERMINAL_PROMPT'].filter((name) => name in env && !Object.hasOwn(extra, name)),
        )
        if (extra.PATH === undefined) assert.match(env.PATH ?? '', /^\/[^:]*\/compose\/no-git:\//)
      }),
      FUZZ,
    )
  })

  test('compose gets variables of this machine by exact names', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMPOSE), variables, (argv, base) => {
        const ours = [...Object.keys(WITHOUT_GIT), 'GIT_TERMINAL_PROMPT', ...HOST_VARIABLES]
        assert.equal(
          Object.keys(childEnvironment(argv, base)).filter((name) => !ours.includes(name)),
          [],
        )
      }),
      FUZZ,
    )
    const env = childEnvironment(['docker', 'ps'], { AWS_PROFILE: 'a', GIT_DIR: 'x', PATH: '/bin' })
    assert.equal([env.AWS_PROFILE, env.GIT_DIR], ['a', undefined], 'a credential helper of docker keeps what it needs')
  })

  test('compose reads no .env by itself, whatever it is asked', async () => {
    const asked: (readonly string[])[] = []
    const run: Runner['run'] = async (argv) => {
      asked.push(argv)
      return { stdout: '{}', stderr: '', code: 0 }
    }
    const docker = createDocker({ run } as Runner, { PATH: '/bin', HOME: '/nowhere' })
    const target = { project: 'x' }
    const files = ['/f']
    await docker.up({ files, project: 'x' })
    await docker.up('/f', { build: true, onLine: () => {} })
    await docker.start(target)
    await docker.stop({ file: '/f' })
    await docker.down(target)
    await docker.pause(target)
    await docker.execute(target, 's', ['true'])
    await docker.lastLogs(target)
    await docker.signal(target, 's', 'HUP')
    await docker.stopServices(target, ['s'])
    await docker.buildServices({ files, project: 'x', env: {} }, ['s'], () => {})
    await docker.resolve({ files, project: 'x', env: {}, directory: '/d', envFile: '/dev/null' })
    assert.is(asked.length, 12)
    for (const argv of asked) {
      const at = argv.indexOf('--env-file')
      assert.ok(at > 0 && argv[at + 1] === '/dev/null', argv.join(' '))
    }
  })

  test("git's own calls and other programs keep theirs", () => {
    const env = childEnvironment(['git', 'status'], { GIT_SSH_COMMAND: 's', PATH: '/bin' })
    assert.equal([env.GIT_SSH_COMMAND, env.PATH, env.GIT_CONFIG_COUNT], ['s', '/bin', undefined])
  })

  test('no folder is named relative to where the child stands', () => {
    const env = withoutRelative({
      PATH: '.:/a::b:/c:',
      HOME: 'h',
      DOCKER_CONFIG: '.docker',
      XDG_CONFIG_HOME: '/x',
      FOO: 'f',
    })
    assert.equal(env, { PATH: '/a:/c', XDG_CONFIG_HOME: '/x', FOO: 'f' })
    for (const PATH of [undefined, '', '.', ':']) assert.is(withoutRelative({ PATH }).PATH, '/usr/bin:/bin')
  })

  test('each way of starting docker or compose goes through it, and stands in no folder of a project', async () => {
    await using dir = await tempDir()
    for (const name of ['docker', 'docker-compose']) {
      await writeFile(join(dir.path, name), '#!/bin/sh\n{ pwd; env; } > "$0.tmp"; mv "$0.tmp" "$0.$1"\n', {
        mode: 0o755,
      })
    }
    const base = { PATH: `.:${dir.path}:/usr/bin:/bin`, GIT_DIR: '/x', GIT_TRACE: '/x', BUILDX_GIT_INFO: 'true' }
    const runner = createRunner(() => {}, base, createInterruption())
    const log = join(dir.path, 'log')
    for (const program of ['docker', join(dir.path, 'docker-compose')]) {
      const ways: Record<string, (argv: readonly string[]) => unknown> = {
        run: (argv) => runner.run(argv),
        bound: (argv) => runner.run(argv, { endsWithUs: {} }),
        attach: (argv) => runner.attach(argv),
        begin: (argv) => runner.begin(argv).ended,
        daemon: (argv) => runner.daemon(argv, log),
      }
      for (const [way, start] of Object.entries(ways)) {
        await start([program, way])
        const text = await eventually(() =>
          readFile(`${join(dir.path, program.split('/').at(-1) ?? '')}.${way}`, 'utf8'),
        )
        const [cwd, ...lines] = text.split('\n')
        assert.is(cwd, '/', `${program} ${way}`)
        for (const [name, value] of Object.entries(WITHOUT_GIT))
          assert.ok(lines.includes(`${name}=${value}`), `${way}: ${name}`)
        assert.equal(
          lines.filter((line) => /^GIT_(DIR|TRACE)=/.test(line)),
          [],
          way,
        )
      }
    }
  })
})
