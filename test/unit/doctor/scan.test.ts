/** `doctor` on an engine that is not well: a docker program of the test's own gives the answers, and each fault is named once. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DoctorFinding } from '../../../lib/core/finding.ts'
import { examine } from '../../../lib/doctor/doctor.ts'
import { thisMachine } from '../../../lib/doctor/scan.ts'
import { appWorld } from '../../support/app.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const WELL = {
  version: '{"Version":"28.3.3","Platform":{"Name":""},"Components":[{"Name":"Engine","Version":"28.3.3"}]}',
  clock: '$(date -u +%Y-%m-%dT%H:%M:%SZ)',
  folder: '/',
  compose: 'echo 2.40.0',
  networks: 'seq 1 5',
  all: 'true',
}

const script = (answers: typeof WELL) => `#!/bin/bash
${answers.all}
case "$*" in
"version --format"*) echo '${answers.version}' ;;
"info --format {{.SystemTime}}"*) printf '%s\\t%s\\n' "${answers.clock}" "${answers.folder}" ;;
"info --format"*) printf '28.3.3\\t[]\\n' ;;
"compose version"*) ${answers.compose} ;;
"network ls --quiet --filter driver=bridge --filter"*) echo 1 ;;
"network ls --quiet --filter driver=bridge"*) ${answers.networks} ;;
esac
`

/** What is wrong with the engine, as doctor tells it. */
async function findingsOn(answers: Partial<typeof WELL>): Promise<readonly DoctorFinding[]> {
  await using bin = await tempDir()
  await writeFile(join(bin.path, 'docker'), script({ ...WELL, ...answers }), { mode: 0o755 })
  for (const tool of ['git', 'ssh', 'ssh-keygen', 'ss', 'seq', 'date'])
    await symlink(`/usr/bin/${tool}`, join(bin.path, tool))
  await using world = await appWorld({
    PATH: bin.path,
    NEXUS_BACKEND: 'docker',
    DOCKER_HOST: undefined,
    DOCKER_CONTEXT: undefined,
    DOCKER_CONFIG: bin.path,
  })
  await mkdir(world.app.home.home, { mode: 0o700 })
  const machine = { ...thisMachine, read: () => undefined, resolve: async () => ['127.0.0.1'], free: async () => 1e12 }
  const { findings } = await examine(world.app, { fix: false, machine })
  return findings.filter(({ status, check }) => status !== 'ok' && check !== 'docker-disk')
}

suite('doctor on an engine', (test) => {
  test('that is well says so', async () => {
    assert.equal(await findingsOn({}), [])
  })

  const faults: readonly (readonly [string, Partial<typeof WELL>, string, RegExp, RegExp])[] = [
    [
      'that does not answer',
      { all: 'echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1' },
      'docker-engine',
      /^The Docker engine does not answer\.$/,
      /`sudo systemctl start docker`/,
    ],
    [
      'that this user may not use',
      {
        all: 'echo "permission denied while trying to connect to the Docker daemon socket at unix:///x" >&2; exit 1',
      },
      'docker-engine',
      /^This user may not use the Docker engine\.$/,
      /`sudo usermod -aG docker \$USER`/,
    ],
    [
      'with an old compose',
      { compose: 'echo 2.20.1' },
      'docker-compose',
      /^The docker compose plugin is 2\.20\.1; Nexus needs 2\.24\.4 or newer\.$/,
      /package manager/,
    ],
    [
      'without compose',
      { compose: `echo "docker: 'compose' is not a docker command." >&2; exit 1` },
      'docker-compose',
      /^The docker compose plugin is missing or too old\.$/,
      /package manager/,
    ],
    [
      'with a known hole',
      { version: WELL.version.replaceAll('28.3.3', '28.3.2') },
      'docker-versions',
      /^Engine 28\.3\.2 lacks a fix: it came with 28\.3\.3 \(.*CVE-2025-54388\)\.$/,
      /`docker version`/,
    ],
    [
      'whose clock is wrong',
      { clock: '2020-01-01T00:00:00Z' },
      'docker-clock',
      /^The clock of the Docker engine is \d+ s behind this machine's\.$/,
      /set-ntp/,
    ],
    [
      'with few addresses left',
      { networks: 'seq 1 30' },
      'docker-addresses',
      /^29 of about 31 networks of Docker's own address pools are in use\.$/,
      /`docker network prune`/,
    ],
  ]
  for (const [title, answers, check, message, hint] of faults) {
    test(title, async () => {
      const wrong = await findingsOn(answers)
      const [finding] = wrong
      assert.equal(
        wrong.map((one) => one.check),
        [check],
        JSON.stringify(wrong),
      )
      assert.match(finding?.message ?? '', message)
      assert.match(finding?.hint ?? '', hint)
    })
  }
})
