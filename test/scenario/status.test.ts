/** What a person, and a program, is told of a workspace: `status`, `logs`, `top`, while it runs, stopped, and without the engine. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogEntry, ProcessResource, ServiceLoad, WorkspaceStatus } from '../../lib/core/status.ts'
import { eventually } from '../support/eventually.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, openDemo, type Scene, startProcess } from './scene.ts'

// the engine reads both streams at once: what comes too close together it may note in another order
const SAY = 'trap "exit 0" TERM; echo $$1 says hello; sleep 0.2; echo to stderr >&2; while :; do sleep 60 & wait; done'
const service = (name: string, check: string) => ({
  image: 'debian:bookworm-slim',
  command: ['bash', '-c', SAY, 'bash', name],
  healthcheck: { test: ['CMD', check], interval: '1s', retries: 1 },
})
const FILES = {
  'README.md': 'one\n',
  'compose.yaml': JSON.stringify({
    services: {
      well: service('well', 'true'),
      ill: service('ill', 'false'),
      mute: { ...service('mute', 'true'), logging: { driver: 'none' } },
    },
  }),
}

suite('looking at a workspace', (test) => {
  test(
    'status, logs and top tell what is so',
    async () => {
      await using scene = await openDemo({ files: FILES, args: ['--git-mode', 'private'] })
      await tellsRunning(scene)
      await tellsLogs(scene)
      await tellsTop(scene)
      await followsRestart(scene)
      await tellsStopped(scene)
    },
    2 * LIMIT_MS,
  )
})

const look = async (scene: Scene, ...args: string[]) =>
  JSON.parse(await scene.ok(['status', 'demo', '--json', ...args])) as WorkspaceStatus

async function tellsRunning(scene: Scene): Promise<void> {
  const commit = 'echo two >> README.md && touch new "b c" && git commit --quiet --allow-empty --message inside'
  await scene.inside('demo', 'bash', '-c', `${commit}; mkdir -p .git-not`)
  const { worktree } = await look(scene)
  const status = await look(scene, '--size')
  const states = status.services?.map(({ name, state, health }) => [name, state, health])
  assert.equal(states, [
    ['workspace', 'running', null],
    ['ill', 'running', 'unhealthy'],
    ['mute', 'running', 'healthy'],
    ['well', 'running', 'healthy'],
  ])
  for (const { since } of status.services ?? []) assert.ok(Date.now() - Date.parse(since ?? '') < 120_000, since ?? '')
  assert.is(status.services?.[0]?.ports[0]?.name, 'ssh')
  const { git } = status
  assert.equal([git?.modified, git?.untracked, git?.conflicts, status.dirty], [1, 2, 0, true])
  // the exec above has brought the commit back
  assert.equal([git?.against?.name, git?.ahead, git?.behind, git?.notBroughtBack], ['main', 1, 0, 0])
  assert.ok((status.size?.total ?? 0) > 0)
  assert.ok(Date.now() - Date.parse(status.lastActivity ?? '') < 120_000)

  const text = await scene.ok(['status'], { cwd: worktree ?? '' })
  for (const part of [/^demo\n/, /ill +running \(unhealthy\)/, /1 ahead of main/, /1 modified, 2 untracked/, /ssh /]) {
    assert.match(text, part)
  }
  assert.match(await scene.ok(['status']), /^NAME .*\ndemo /)
  assert.match(await scene.ok(['status', 'demo'], { env: { DOCKER_HOST: 'unix:///nowhere.sock' } }), /state +unknown/)
}

async function tellsLogs(scene: Scene): Promise<void> {
  assert.is(await scene.ok(['logs', 'demo', 'well']), 'well | well says hello\nwell | to stderr\n')
  const lines = (await scene.ok(['logs', 'demo', 'ill', 'well', '--json'])).trim().split('\n')
  const entries = lines.map((line) => JSON.parse(line) as LogEntry)
  assert.equal([...new Set(entries.map((entry) => entry.service))].sort(), ['ill', 'well'])
  assert.equal(
    entries.map(({ time }) => time),
    entries.map(({ time }) => time).sort(),
  )
  assert.is(entries.filter(({ stream }) => stream === 'stderr').length, 2)
  const all = await scene.run(['logs', 'demo'])
  assert.match(all.stderr, /service mute has the logging driver none/)
  assert.match(all.stdout, /^ill +. ill says hello$/m, 'one that keeps nothing hides no other')
  assert.is(await scene.ok(['logs', 'demo', 'well', '--tail', '1']), 'well | to stderr\n')
  assert.is(await scene.ok(['logs', 'demo', 'well', '--since', '2030-01-01T00:00:00Z']), '')
  assert.match(await scene.ok(['logs', 'demo', 'well', '--timestamps']), /^well \| \d{4}-\S+Z well says hello\n/)
  const error = await scene.refused(['logs', 'demo', 'wel'], 2, 'INVALID_ARGUMENT')
  assert.match(error.message, /there are workspace, ill, mute, well/)
  assert.match(error.hint ?? '', /nexus logs demo well/)
}

async function tellsTop(scene: Scene): Promise<void> {
  type One = { services: ServiceLoad[]; list: ProcessResource[]; memory: number }
  const one = JSON.parse(await scene.ok(['top', 'demo', '--json'])) as One
  assert.equal(
    one.services.map(({ name }) => name),
    ['workspace', 'ill', 'mute', 'well'],
  )
  for (const { cpu, memory, processes } of one.services) {
    assert.ok(cpu !== null && cpu >= 0 && memory !== null && memory > 100_000 && (processes ?? 0) > 0)
  }
  assert.ok(one.list.some(({ service, command }) => service === 'workspace' && command.includes('sshd')))
  assert.match(await scene.ok(['top']), /^NAME +CPU .*\ndemo +\d/)
}

/** Nothing of it is told twice, and nothing is left of it. */
async function followsRestart(scene: Scene): Promise<void> {
  const program = [process.execPath, join(process.cwd(), 'dist', 'nexus.js')]
  const env = { ...process.env, HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus') }
  const out = join(scene.root, 'followed')
  await writeFile(out, '')
  const argv = ['bash', '-c', `exec "$@" > "${out}"`, 'bash', ...program, 'logs', 'demo', 'well', '--follow']
  const following = startProcess(argv, { cwd: scene.repo.path, env })
  const told = async (times: number) => {
    const { readFile } = await import('node:fs/promises')
    assert.is((await readFile(out, 'utf8')).split('well says hello').length - 1, times)
  }
  await eventually(() => told(1))
  await scene.ok(['stop', 'demo'])
  const { code, stderr } = await scene.run(['start', 'demo'])
  assert.is(code, 0, stderr)
  assert.match(stderr, /service ill is unhealthy; its next check may pass/, 'why it takes so long')
  await eventually(() => told(2))
  following.child.kill('SIGINT')
  assert.is((await following.ended).code, 130)
}

async function tellsStopped(scene: Scene): Promise<void> {
  await scene.ok(['stop', 'demo'])
  const status = await look(scene)
  assert.is(status.state, 'stopped')
  assert.equal(
    status.services?.map(({ state, exitCode, health }) => [state, exitCode, health]),
    [0, 1, 2, 3].map(() => ['exited', 0, null]),
  )
  assert.is(status.git?.modified, 1, 'git has looked from beside the files')
  assert.match(await scene.ok(['logs', 'demo', 'well']), /says hello\n(.*\n)*well . well says hello/)
  const error = await scene.refused(['top', 'demo'], 4, 'WORKSPACE_NOT_RUNNING')
  assert.match(error.hint ?? '', /nexus start demo/)
  assert.match(await scene.ok(['top']), /no workspace runs/)
}
