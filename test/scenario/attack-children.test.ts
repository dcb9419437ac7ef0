/**
 * What a hostile project tried through the programs that Nexus starts: docker, compose and buildx start git in folders of the
 * project, and compose takes variables from files of the project. Each attack leaves a file outside of the repository where it works.
 *
 * | Finding | What it did | Where | Since |
 * |---|---|---|---|
 * | B1 | a committed bare repository in or above a build context: BuildKit's client ran git there, which ran `core.sshCommand` | `lib/system/exec.ts`, `cleanEnvironment`; `lib/tools/docker.ts`, `up` | 4325688 |
 * | B2 | `.env` became the environment of compose and of its git: `XDG_CONFIG_HOME` ran a command, `GIT_TRACE` wrote a file | `lib/tools/docker.ts`, `buildServices` | 633829b |
 * | B2 | the same through a secret that takes its value from `.env`, once that was approved | `lib/backends/docker/own-variables.ts` | 8b1702e |
 * | B9 | `${DOCKER_PASSWORD}` and a proxy's password were put into containers | `lib/trust/environment.ts`, `KEPT` | 4325688 |
 * | neighbour | a relative `DOCKER_CONFIG` or `PATH` named programs of the folder in which the user stood | `lib/tools/docker-endpoint.ts` | e00d42e |
 */
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BUILD_LIMIT_MS, requireTestImage } from '../support/images.ts'
import { assert, suite } from '../support/suite.ts'
import { type Files, tempDir, writeFiles } from '../support/temp.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const MISSING = '1'.repeat(40)

/** Files of a repository that fetches the commit that its HEAD names, by a command. */
function bareRepository(folder: string, command: string): Files {
  return {
    [`${folder}/HEAD`]: 'ref: refs/heads/main\n',
    [`${folder}/objects/.keep`]: '',
    [`${folder}/refs/heads/main`]: MISSING,
    [`${folder}/config`]: `[core]
	repositoryformatversion = 1
	bare = false
	worktree = .
	sshCommand = ${command}; false
	fsmonitor = ${command}
[extensions]
	partialClone = origin
[remote "origin"]
	url = ssh://x/y
	promisor = true
`,
  }
}

/** What the host has; none of it is for the project. */
const HOST = {
  DOCKER_PASSWORD: 'hunter2',
  DOCKER_AUTH_CONFIG: 'hunter2',
  BUILDX_EXPERIMENTAL: 'hunter2',
  https_proxy: 'http://user:hunter2@127.0.0.1:9',
  HTTPS_PROXY: 'http://user:hunter2@127.0.0.1:9',
  http_proxy: 'http://user:hunter2@127.0.0.1:9',
  SSL_CERT_DIR: '/etc/ssl/hunter2',
  GIT_DIR: '/nowhere',
}

/** By every way in which compose puts a variable in. */
const TAKING = `
  taker:
    image: debian:bookworm-slim
    command: sleep infinity
    init: true
    extends: {file: parts/base.yaml, service: base}
    env_file: parts/taker.env
    environment:
      A: "\${DOCKER_PASSWORD}"
      B: "\${UNKNOWN:-\${DOCKER_AUTH_CONFIG}}"
      C: "\${HTTPS_PROXY:-fine}"
      SSL_CERT_DIR:
      http_proxy:
      OWN: "\${GIT_TAG}"
      PLACE: "\${HOME}"
    labels: {taken: "\${BUILDX_EXPERIMENTAL}"}
`

function project(marks: string, image: string): Files {
  const dockerfile = `FROM ${image}\nCMD ["sleep", "infinity"]\n`
  const mark = (name: string) => `touch ${marks}/${name}`
  return {
    'compose.yaml': `include: [parts/included.yaml]
services:
  web:
    build: {context: ., dockerfile: sub/Dockerfile}
    init: true
  in:
    build: ./sub
    init: true
  above:
    build: ./deep/up/ctx
    init: true
  beside:
    build: {context: ./plain, additional_contexts: {other: ./sub}, args: [https_proxy, DOCKER_PASSWORD]}
    init: true${TAKING}`,
    '.nexus/config.yaml': 'workspace: {service: web}\n',
    'sub/Dockerfile': dockerfile,
    'plain/Dockerfile': dockerfile,
    'deep/up/ctx/Dockerfile': dockerfile,
    ...bareRepository('sub', mark('in')),
    ...bareRepository('deep/up', mark('above')),
    'xdg/git/config': `[core]\n\tfsmonitor = ${mark('xdg')}\n`,
    'sub/xdg/git/config': `[core]\n\tfsmonitor = ${mark('xdg')}\n`,
    '.env': `BUILDX_GIT_INFO=true
BUILDX_GIT_LABELS=full
BUILDX_GIT_CHECK_DIRTY=1
XDG_CONFIG_HOME=xdg
export GIT_TRACE: ${marks}/trace
GIT_TAG=own
DOCKER_BUILDKIT=1
`,
    'parts/base.yaml': 'services:\n  base:\n    environment: {D: "${DOCKER_PASSWORD-}", E: "x${http_proxy}"}\n',
    'parts/included.yaml':
      'services:\n  third:\n    image: debian:bookworm-slim\n    command: sleep infinity\n    init: true\n    environment: ["F=${DOCKER_PASSWORD}"]\n',
    'parts/taker.env': 'G=${DOCKER_PASSWORD}\nH="${HTTPS_PROXY}"\nDOCKER_AUTH_CONFIG\n',
  }
}

/** In the environment, the labels and the mounts of every container. */
async function allOf(name: string): Promise<string> {
  const ids = (await must(['docker', 'ps', '-aq', '--filter', `label=dev.nexus.name=${name}`])).trim().split('\n')
  return must(['docker', 'inspect', ...ids])
}

async function commit(scene: Scene, files: Files): Promise<void> {
  await writeFiles(scene.repo.path, files)
  await scene.repo.git('add', '--all')
  await scene.repo.git('commit', '--quiet', '--message', 'more')
}

suite('children of docker and compose', (test) => {
  test(
    'run no command of the project, take nothing from its .env, and give it nothing of this machine',
    async () => {
      await using marks = await tempDir()
      const image = await requireTestImage('base')
      await using scene = await openScene({ files: project(marks.path, image), env: HOST })
      const limits = { timeoutMs: 3 * LIMIT_MS }
      const first = await scene.run(['up', 'h'], limits)
      assert.is(first.code, 0, first.stderr)
      assert.equal(await readdir(marks.path), [])
      const all = await allOf('h')
      assert.not.match(all, /hunter2/)
      for (const text of ['"OWN=own"', '"C=fine"', `"PLACE=${scene.home}"`]) assert.ok(all.includes(text), text)
      for (const name of [
        'DOCKER_PASSWORD',
        'DOCKER_AUTH_CONFIG',
        'HTTPS_PROXY',
        'http_proxy',
        'https_proxy',
        'SSL_CERT_DIR',
      ])
        assert.match(first.stderr, new RegExp(`the compose files use the variables? .*\\b${name}\\b`), first.stderr)
      assert.not.match(first.stderr, /hunter2/)

      // a git dir that the .env names, and a variable that a secret brings into the environment of compose
      await writeFiles(join(scene.repo.path, '.worktree', 'h'), {
        'compose.yaml':
          'services:\n  web: {build: {context: ., dockerfile: sub/Dockerfile}, init: true, secrets: [s]}\nsecrets: {s: {environment: GIT_TRACE}}\n',
        ...bareRepository('e', `touch ${marks.path}/dir`),
        '.env': `GIT_DIR=e\nGIT_WORK_TREE=.\nBUILDX_GIT_CHECK_DIRTY=1\nGIT_TRACE=${marks.path}/trace\n`,
      })
      const asked = await scene.refused(['rebuild', 'h'], 4, 'APPROVAL_REQUIRED', limits)
      const [hash = ''] = /nx-[0-9a-f]{32}/.exec(JSON.stringify(asked)) ?? []
      await scene.ok(['trust', 'approve', hash])
      await scene.ok(['rebuild', 'h'], limits)
      assert.equal(await readdir(marks.path), [])
      assert.is((await scene.inside('h', 'cat', '/run/secrets/s')).trim(), `${marks.path}/trace`)

      // programs in the folder in which the user stands
      const script = `#!/bin/sh\ntouch ${marks.path}/$(basename "$0")\nexit 1\n`
      const place = join(scene.root, 'stranger')
      const programs = ['bin/docker', 'bin/git', 'bin/ssh', 'cfg/cli-plugins/docker-compose', 'docker', 'git', 'ssh']
      await writeFiles(place, Object.fromEntries(programs.map((name) => [name, script])))
      for (const name of programs) await chmod(join(place, name), 0o755)
      const env = { PATH: `.::bin:${process.env.PATH}`, DOCKER_CONFIG: 'cfg', XDG_CONFIG_HOME: 'xdg' }
      const repo = ['--repo', scene.repo.path]
      await scene.ok(['exec', 'h', ...repo, '--', 'true'], { cwd: place, env })
      await scene.ok(['pause', 'h', ...repo], { cwd: place, env })
      await scene.ok(['up', 'h', ...repo], { cwd: place, env })
      assert.equal(await readdir(marks.path), [])

      for (const text of ['A="hunter2\nB=hunter2\n', 'hunter2"=x\n', 'A=${hunter2\n', 'DOCKER_HOST=u:hunter2@h\n']) {
        await commit(scene, { '.env': text })
        const { code, stdout, stderr } = await scene.run(['up', 'x', '--json'], limits)
        assert.ok(code === 2 || code === 4, stderr)
        assert.not.match(stdout + stderr, /hunter2/)
        assert.match(stdout, /\.env/)
      }
    },
    8 * LIMIT_MS + BUILD_LIMIT_MS,
  )
})
