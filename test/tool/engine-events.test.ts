/**
 * The watch over an engine that goes away and comes back, with a stand-in for the docker CLI that does as a file says; and, on the
 * real one, what compose says of containers that keep it waiting.
 */
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tellSlowParts } from '../../lib/backends/docker/slow-parts.ts'
import type { Event } from '../../lib/core/events.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createDocker } from '../../lib/tools/docker.ts'
import { watchEngine } from '../../lib/tools/docker-events.ts'
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

/** Answers while the file `up` is there; the follower ends when it is not, and tells each change of `events`. */
const STAND_IN = `#!/bin/bash
cd "$(dirname "$0")"
case "$1" in
  info) if [ -e up ]; then printf '26.1\\t[]\\n'; else echo 'Cannot connect to the Docker daemon' >&2; exit 1; fi ;;
  events) echo "$$" >> followers; tail -n +1 -F events 2>/dev/null & while [ -e up ]; do sleep 0.02; done; kill %1; exit 1 ;;
esac
`

suite('engine events', (test) => {
  test('told once that it is gone and once that it is back, with new followers; nothing is left at the end', async () => {
    await using dir = await tempDir()
    const file = (name: string) => join(dir.path, name)
    await writeFile(file('docker'), STAND_IN)
    await chmod(file('docker'), 0o755)
    await writeFile(file('up'), '')
    const env = { ...process.env, PATH: `${dir.path}:${process.env.PATH}` }
    const runner = createRunner(() => {}, env, createInterruption())
    const reach: (string | null)[] = []
    let changes = 0
    const ending = new AbortController()
    const watcher = { onChange: () => void changes++, onReach: (trouble: string | null) => void reach.push(trouble) }
    const watching = watchEngine(runner, createDocker(runner, env), 'a=b', watcher, ending.signal)
    await eventually(() => reach.length === 1)
    await writeFile(file('events'), 'start\n')
    await eventually(() => changes === 1)
    await rm(file('up'))
    await eventually(() => reach.length === 2)
    await writeFile(file('up'), '')
    await eventually(() => reach.length === 3)
    assert.is(reach[0], null)
    assert.match(reach[1] ?? '', /Docker/)
    assert.is(reach[2], null)
    await eventually(() => changes > 1)
    ending.abort()
    await watching
  })
})

suite('what compose waits for', (test) => {
  test('a service that others need, and one that does not end when it is asked to, are named', async () => {
    await using dir = await tempDir()
    const project = `nexus-slow-${process.pid}`
    const deaf = ['bash', '-c', 'trap "" TERM; sleep 0.5; touch /ready; while :; do sleep 1; done']
    const healthcheck = { test: ['CMD', 'test', '-e', '/ready'], interval: '0.2s', retries: 30 }
    const image = 'debian:bookworm-slim'
    const services = {
      db: { image, command: deaf, healthcheck, stop_grace_period: '1s' },
      app: { image, command: ['true'], depends_on: { db: { condition: 'service_healthy' } } },
    }
    const file = join(dir.path, 'compose.yaml')
    await writeFile(file, JSON.stringify({ name: project, services }))
    const docker = createDocker(
      createRunner(() => {}, process.env, createInterruption()),
      process.env,
    )
    const told: string[] = []
    const emit = (event: Event) => void (event.type === 'progress' && told.push(event.text))
    try {
      await tellSlowParts(emit, project, (onLine) => docker.up(file, { onLine }), 200)
      assert.equal(told.splice(0), ['waiting for db, which others need to be ready'])
      await tellSlowParts(emit, project, (onLine) => docker.stop({ file }, { ownTime: true, onLine }), 200)
      assert.is(told.length, 1, told.join())
      assert.match(told[0] ?? '', /^waiting for db to end: .*stop_grace_period/)
    } finally {
      await docker.down({ file })
    }
  })
})
