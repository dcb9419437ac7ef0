/**
 * What docker and git say when they fail, word for word as their versions print it, and the error that a user gets for it.
 */
import { createBuildReport } from '../../../lib/backends/docker/image.ts'
import type { ErrorCode } from '../../../lib/core/errors.ts'
import { CommandFailed } from '../../../lib/system/exec.ts'
import {
  explainBuildFailure,
  explainDockerFailure,
  explainResolveFailure,
  unsetVariables,
} from '../../../lib/tools/docker-failures.ts'
import { explainGitFailure } from '../../../lib/tools/git-failures.ts'
import { tellMissing } from '../../../lib/trust/environment.ts'
import { assert, suite } from '../../support/suite.ts'

const failed = (argv: readonly string[], stderr: string) => new CommandFailed(argv, { code: 1, stdout: '', stderr })

/** As compose prints it: the steps of all images, those that were cancelled among them, then the one that failed. */
const BUILD = `#7 [other 2/2] RUN apt-get update && sleep 60
#8 [web 3/4] RUN npm ci
#8 0.412 npm ERR! no lock file
#8 ERROR: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1
#7 0.5 apt-get: reading
#7 CANCELED
------
 > [web 3/4] RUN npm ci:
0.412 npm ERR! no lock file
------
Dockerfile:3
--------------------
   3 | >>> RUN npm ci
--------------------
target web: failed to solve: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1
`

const DOCKER: readonly (readonly [string, ErrorCode, string])[] = [
  [
    'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    'BACKEND_UNAVAILABLE',
    'systemctl start docker',
  ],
  [
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/containers/json": dial unix /var/run/docker.sock: connect: permission denied',
    'BACKEND_UNAVAILABLE',
    'usermod -aG docker',
  ],
  ["docker: 'compose' is not a docker command.\nSee 'docker --help'", 'TOOL_MISSING', 'nexus doctor'],
  ["unknown shorthand flag: 'f' in -f\nSee 'docker --help'.", 'TOOL_MISSING', 'nexus doctor'],
  [
    'Error response from daemon: driver failed programming external connectivity on endpoint x (1a): Bind for 127.0.0.1:32800 failed: port is already allocated',
    'PORT_CONFLICT',
    ':32800',
  ],
  [
    'Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint x: failed to bind host port for 127.0.0.1:32800:172.18.0.2:22/tcp: address already in use',
    'PORT_CONFLICT',
    'ss -ltnp',
  ],
  [
    'Error response from daemon: driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 127.0.0.1:32800: bind: address already in use',
    'PORT_CONFLICT',
    ':32800',
  ],
  ...[
    'Error response from daemon: driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp6 [::1]:32800: bind: address already in use',
    'Error response from daemon: failed to set up container networking: failed to bind host port for [::1]:32800:172.18.0.2:22/tcp: address already in use',
    'Error response from daemon: failed to bind host port [::1]:32800/tcp: address already in use',
    'Error response from daemon: Bind for :::32800 failed: port is already allocated',
    'Error response from daemon: Bind for ::1:32800 failed: port is already allocated',
    'Error response from daemon: Bind for 0.0.0.0:32800 failed: port is already allocated',
    'Error response from daemon: Ports are not available: exposing port TCP 127.0.0.1:32800 -> 127.0.0.1:0: listen tcp 127.0.0.1:32800: bind: address already in use',
  ].map((text): [string, ErrorCode, string] => [text, 'PORT_CONFLICT', 'sport = :32800']),
  ['write /var/lib/docker/tmp/x: no space left on device', 'DISK_FULL', 'docker system df'],
  [
    'failed to create network x: Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
    'RESOURCE_EXHAUSTED',
    'docker network prune',
  ],
  [
    'failed to create network x: Error response from daemon: Pool overlaps with other one on this address space',
    'RESOURCE_EXHAUSTED',
    'docker network inspect',
  ],
  [
    'failed to create network x: Error response from daemon: cannot create network 1a (br-1a): conflicts with network 2b (br-2b): networks have overlapping IPv4',
    'RESOURCE_EXHAUSTED',
    'docker network inspect',
  ],
  [
    'Error response from daemon: could not select device driver "nvidia" with capabilities: [[gpu]]',
    'TOOL_MISSING',
    'docker info',
  ],
  [
    'Error response from daemon: image with reference nexus-1a2b3c4d:5e6f was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64',
    'UNSUPPORTED',
    'unset DOCKER_DEFAULT_PLATFORM',
  ],
  [
    'Error response from daemon: image with reference nexus-1a2b3c4d:5e6f was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)',
    'UNSUPPORTED',
    'unset DOCKER_DEFAULT_PLATFORM',
  ],
  ['Error response from daemon: something new', 'CONTAINER_ERROR', '-V'],
  [
    'environment variable "NEXUS_VALUE_API_KEY" required by file "nexus-x-k3v9q2xa_key" is not set',
    'CONFIG_INVALID',
    'nexus config set env.pass API_KEY',
  ],
]

suite('docker failures', (test) => {
  for (const [stderr, code, hint] of DOCKER) {
    test(`${code}: ${stderr.slice(0, 60)}`, () => {
      const error = explainDockerFailure(failed(['docker', 'compose', '--progress', 'quiet', '-f', 'x', 'up'], stderr))
      assert.is(error.code, code)
      assert.match(error.message, /^[^\n]+\.?$/)
      assert.ok(error.hint?.includes(hint), `${error.hint}`)
    })
  }

  test('the command is named, however many files it was given', () => {
    const argv = ['/x/docker-compose', '--progress', 'plain', '-p', 'p', '-f', 'a', '-f', 'b', 'up', '--detach']
    assert.is(explainDockerFailure(failed(argv, 'odd.')).message, '`docker compose up` failed: odd.')
  })

  test('a required variable that is missing has a hint that helps', () => {
    const said = 'error while interpolating services.web.build.args.V: required variable V is missing a value: set V'
    const { message, hint } = explainResolveFailure(failed(['docker', 'compose', 'config'], said))
    assert.match(message, /required variable V/)
    assert.match(hint ?? '', /\.worktreeinclude.*`nexus config set env\.pass V`/)
  })

  test('a .env that cannot be read is told without what stands in it', () => {
    const reasons = [
      'line 5: unterminated quoted value "hunter2\nB=hunter2\n',
      'line 2: unexpected character "\\"" in variable name "hunter2=1"',
      'Invalid template: "${hunter2"',
    ]
    for (const reason of reasons) {
      const said = `failed to read /p/.env: ${reason}`
      const { message, hint } = explainResolveFailure(failed(['docker', 'compose', 'config'], said))
      assert.match(message, /failed to read \/p\/\.env: .*(value|character|template)\.$/)
      assert.not.match(message + hint, /hunter2/)
    }
  })

  test('a port conflict names the port', () => {
    const { details } = explainDockerFailure(failed(['docker'], DOCKER[4]?.[0] ?? ''))
    assert.is(details?.port, 32_800)
  })

  test('subnets that overlap can be told from pools that are used up', () => {
    const details = DOCKER.filter(([, code]) => code === 'RESOURCE_EXHAUSTED').map(
      ([stderr]) => explainDockerFailure(failed(['docker'], stderr)).details?.subnet === true,
    )
    assert.equal(details, [false, true, true])
  })

  test('a build that failed says why first, and then what the step said that failed', () => {
    const { message, output } = explainDockerFailure(failed(['docker', 'build'], BUILD))
    assert.is(
      message,
      'An image of the project could not be built: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1.',
    )
    assert.ok(output?.startsWith('> [web 3/4] RUN npm ci:\n0.412 npm ERR! no lock file'), output)
    assert.not.match(output ?? '', /CANCELED|apt-get/)
  })

  test('an image to work in that has no apt-get is told as such, also where the build says more', () => {
    const said =
      '#6 0.2 nexus: no apt-get in this image\nERROR: failed to solve: process "x" did not complete: exit code: 1'
    assert.is(explainBuildFailure(failed(['docker', 'build'], said)).code, 'UNSUPPORTED')
  })

  test('variables that are not set are one warning', () => {
    const said = ['A', 'B', 'C', 'A'].map(
      (name) => `level=warning msg="The \\"${name}\\" variable is not set. Defaulting"`,
    )
    const names = unsetVariables(said.join('\n'))
    assert.match(
      tellMissing(names).join('\n'),
      /^the compose files use the variables A, B and C, which are not set: put them[^\n]*$/,
    )
    assert.match(tellMissing(['A']).join('\n'), /^the compose files use the variable A, which is not set: put it into/)
    assert.equal(tellMissing([]), [])
  })

  test('the beginning of a build is told when a step does something, and not of one out of the cache', () => {
    const tellsOf = (lines: readonly string[]) => {
      const told: string[] = []
      const report = createBuildReport((text) => told.push(text), 'building')
      for (const line of lines) report(line)
      return told
    }
    const cached = ['#1 [internal] load build definition', '#1 DONE 0.0s', '#5 [2/3] RUN apt-get install', '#5 CACHED']
    assert.equal(tellsOf(cached), [])
    const works = [
      '#5 [2/3] RUN apt-get install',
      '#5 0.312 Reading package lists',
      '#6 [3/3] COPY . .',
      '#6 DONE 0.1s',
    ]
    assert.equal(tellsOf(works), ['building', '[2/3] RUN apt-get install', '[3/3] COPY . .'])
  })

  test('a full disk while building is a full disk, not a failed build', () => {
    const argv = ['docker', 'build', '--progress', 'plain']
    const full = 'ERROR: failed to solve: failed to copy files: copy file range failed: no space left on device'
    assert.is(explainBuildFailure(failed(argv, full)).code, 'DISK_FULL')
    const other = explainBuildFailure(failed(argv, `${'line\n'.repeat(50)}E: Unable to locate package nope`))
    assert.is(other.code, 'BUILD_FAILED')
    assert.match(other.output ?? '', /Unable to locate package nope$/)
    assert.ok((other.output?.split('\n').length ?? 99) <= 20)
  })
})

const GIT: readonly (readonly [string, ErrorCode])[] = [
  ["fatal: 'feature' is already checked out at '/home/u/app'", 'BRANCH_IN_USE'],
  ["fatal: 'feature' is already used by worktree at '/home/u/app/.worktree/feature'", 'BRANCH_IN_USE'],
  ["fatal: detected dubious ownership in repository at '/home/u/app'", 'PERMISSION_DENIED'],
  ['error: unable to write file x: No space left on device', 'DISK_FULL'],
  ['git-lfs filter-process: 1: git-lfs: not found\nfatal: the remote end hung up unexpectedly', 'TOOL_MISSING'],
  [
    "This repository is configured for Git LFS but 'git-lfs' was not found on your path. If you no longer wish",
    'TOOL_MISSING',
  ],
  ["error: external filter 'git-lfs filter-process' failed\nfatal: a.bin: smudge filter lfs failed", 'GIT_ERROR'],
  ['fatal: something new', 'GIT_ERROR'],
]

suite('git failures', (test) => {
  for (const [stderr, code] of GIT) {
    test(`${code}: ${stderr.slice(0, 60)}`, () => {
      const error = explainGitFailure(failed(['git', '-C', '/r', 'worktree', 'add'], stderr))
      assert.is(error.code, code)
      assert.ok((error.hint ?? '') !== '')
    })
  }
})
