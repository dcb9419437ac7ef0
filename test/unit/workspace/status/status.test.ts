import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toLoad } from '../../../../lib/backends/docker/parts.ts'
import { parseName } from '../../../../lib/core/names.ts'
import { createDockerApi, type UsageSample } from '../../../../lib/tools/docker-api.ts'
import { type LogLine, mergeByTime, readLogLines, sinceOf } from '../../../../lib/tools/docker-log.ts'
import { fitted } from '../../../../lib/verbs/top.ts'
import { findDrift } from '../../../../lib/workspace/drift.ts'
import { countChanges, standingOf } from '../../../../lib/workspace/git/git-standing.ts'
import { parseSince, readHookLogs } from '../../../../lib/workspace/status/logs.ts'
import { statusOf } from '../../../../lib/workspace/status/status.ts'
import { appWorld, localIn } from '../../../support/app.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'
import { writeFiles } from '../../../support/temp.ts'

const TIME = '2026-11-26T20:14:26.619346047Z'

suite('the log stream of the engine', (test) => {
  const frame = (stream: 1 | 2, text: string | Buffer) => {
    const header = Buffer.alloc(8)
    header[0] = stream
    header.writeUInt32BE(Buffer.byteLength(text), 4)
    return Buffer.concat([header, Buffer.from(text)])
  }

  test('is cut into the same lines wherever the reads end', async () => {
    const bytes = Buffer.concat([
      frame(1, `${TIME} first ü line\n`),
      frame(2, `${TIME} an err`),
      frame(1, `${TIME} \n`),
      frame(2, 'or\n'),
      frame(1, `${TIME} without an end`),
    ])
    const wanted = [
      ['stdout', 'first ü line'],
      ['stdout', ''],
      ['stderr', 'an error'],
      ['stdout', 'without an end'],
    ]
    for (let size = 1; size <= bytes.length; size++) {
      const lines = await all(readLogLines(pieces(bytes, size), false))
      assert.equal(
        lines.map(({ stream, text }) => [stream, text]),
        wanted,
        `pieces of ${size}`,
      )
      assert.ok(lines.every(({ time }) => time === TIME))
    }
    // a long line has its time at each piece; what two runs left without an end are two lines
    const long = 'ü'.repeat(20_000)
    const [head, tail] = [Buffer.from(long).subarray(0, 16_385), Buffer.from(long).subarray(16_385)]
    const raw = Buffer.concat([Buffer.from(`${TIME} `), head, Buffer.from(`${TIME} `), tail, Buffer.from('\n')])
    const later = TIME.replace('26.6', '27.6')
    const framed = [raw.subarray(0, 16_385 + 31), raw.subarray(16_385 + 31)].map((piece) => frame(1, piece))
    const runs = [...framed, frame(1, `${TIME} left`), frame(1, `${later} left`)]
    assert.equal(
      (await all(readLogLines(pieces(Buffer.concat(runs), 7_000), false))).map(({ time, text }) => [time, text]),
      [
        [TIME, long],
        [TIME, 'left'],
        [later, 'left'],
      ],
    )
    assert.equal(
      (await all(readLogLines(pieces(raw, 7_000), true))).map(({ text }) => text === long),
      [true],
    )
    const terminal = Buffer.from(`${TIME} one\r\n${TIME} two\r\n`)
    assert.equal(
      (await all(readLogLines(pieces(terminal, 5), true))).map(({ text }) => text),
      ['one', 'two'],
    )
  })

  test('of several services is told in order of time', async () => {
    const stream = async function* (...times: string[]): AsyncGenerator<LogLine> {
      for (const time of times) yield { stream: 'stdout', time, text: '' }
    }
    const merged = await all(mergeByTime([stream('1', '4', '5'), stream(), stream('2', '3', '6')]))
    assert.equal(
      merged.map(({ time }) => time),
      ['1', '2', '3', '4', '5', '6'],
    )
  })

  test('a beginning keeps its nanoseconds; what is no time or age is refused', async () => {
    assert.is(sinceOf(TIME), '1795724066.619346047')
    assert.is(sinceOf('2026-11-26T20:14:26Z'), '1795724066.000000000')
    assert.is(parseSince(undefined), '')
    assert.is(parseSince('1m30s', 100_000), '10.000')
    assert.is(parseSince('1h', 100_000), '0.000')
    assert.is(parseSince('2026-11-26T20:14:26Z'), '1795724066.000')
    for (const text of ['', 'soon', '10', '-5m', '2026', '2026-13-45T99:00:00Z', '1h 2m']) {
      await rejects(() => parseSince(text), 'INVALID_ARGUMENT')
    }
  })
})

suite('what a container uses', (test) => {
  const sample = (read: string, used: number, more = {}): UsageSample => ({
    read,
    cpu_stats: { cpu_usage: { total_usage: used } },
    memory_stats: { usage: 1000, limit: 5000, stats: { inactive_file: 400 } },
    pids_stats: { current: 3 },
    ...more,
  })
  const part = { id: 'x', container: 'p-web-1', service: 'web', running: true }

  test('is its share between two looks, its memory without the cache of files', () => {
    const before = sample('2026-11-26T08:00:00.000Z', 1_000_000_000)
    const load = toLoad(part, before, sample('2026-11-26T08:00:00.500Z', 1_750_000_000), '2026-11-26T07:00:00.123Z')
    assert.equal([load.cpu, load.memory, load.memoryLimit, load.processes], [150, 600, 5000, 3])
    assert.equal([load.received, load.since], [null, '2026-11-26T07:00:00Z'])
    assert.is(fitted('title\nlong line ü\nthird\nfourth', { columns: 11, rows: 3 }), 'title\nlong line ü')
    assert.is(fitted('a\nbcd', { columns: 2, rows: Number.POSITIVE_INFINITY }), 'a\nbc')
    // one that ended in between is told with zeros by the engine
    const ended = sample('0001-01-01T00:00:00Z', 0, { memory_stats: {}, pids_stats: {} })
    assert.equal([toLoad(part, before, ended).cpu, toLoad(part, before, ended).memory], [null, null])
  })
})

suite('status', (test) => {
  test('tells what can be told of a workspace whose engine, worktree or branch is not there', async () => {
    await using world = await appWorld({ DOCKER_HOST: 'unix:///nonexistent/docker.sock' })
    const { app, repo } = world
    const local = localIn(repo.path, join(repo.path, '.worktree', 'x'))
    const record = await world.record('x', { backend: 'docker', local })
    const status = await statusOf(app, record, { size: true })
    assert.is(status.services, null)
    assert.is(status.git?.ahead, null)
    assert.is(status.git?.modified, null)
    assert.is(status.dirty, null)
    assert.ok(status.lastActivity !== null)
    await rejects(() => createDockerApi(app.env).list('a=b'), 'BACKEND_UNAVAILABLE')

    const mock = await world.record('m')
    const plain = await statusOf(app, mock, { size: false })
    assert.equal([plain.services, plain.git, plain.dirty, plain.operation], [null, null, null, null])
    const cut = { kind: 'create', done: [], step: 'worktree', startedAt: '2026-11-26T08:00:00Z' } as const
    const half = await world.record('half', { operation: { ...cut, pid: 1, pidStart: 'never', bootId: 'none' } })
    const told = await statusOf(app, half, { size: false })
    assert.equal(told.operation, { kind: 'create', step: 'worktree', startedAt: cut.startedAt, running: false })
    assert.match(told.reason, /create was interrupted/)
  })

  test('counts commits against the upstream, else against what the main worktree is on', async () => {
    await using world = await appWorld()
    const { app, repo } = world
    const branch = 'feature/größe#1+"x"'
    const worktree = join(world.folder, 'tree')
    await repo.git('worktree', 'add', '--quiet', '-b', branch, worktree)
    const record = await world.record('x', { branch, local: localIn(repo.path, worktree) })
    const commit = (folder: string, text: string) =>
      repo.git('-C', folder, 'commit', '--quiet', '--allow-empty', '--message', text)
    await commit(worktree, 'one')
    await commit(worktree, 'two')
    await commit(repo.path, 'on main')
    await writeFiles(worktree, { 'new file': 'x' })
    const main = (await repo.git('symbolic-ref', '--short', 'HEAD')).trim()
    const first = await standingOf(app, record, branch, false)
    assert.equal([first?.against, first?.ahead, first?.behind], [{ name: main, kind: 'main-worktree' }, 2, 1])
    assert.equal([first?.modified, first?.untracked, first?.upstream], [0, 1, null])

    await repo.git('update-ref', 'refs/remotes/origin/up', `refs/heads/${branch}~1`)
    await repo.git('config', 'remote.origin.url', '/nowhere')
    await repo.git('config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*')
    await repo.git('config', `branch.${branch}.remote`, 'origin')
    await repo.git('config', `branch.${branch}.merge`, 'refs/heads/up')
    const second = await standingOf(app, record, branch, false)
    assert.equal([second?.against, second?.ahead, second?.behind], [{ name: 'origin/up', kind: 'upstream' }, 1, 0])
    await repo.git('update-ref', '-d', 'refs/remotes/origin/up')
    assert.is((await standingOf(app, record, branch, false))?.against?.kind, 'main-worktree')

    // on no branch it is what is checked out that counts; in the midst of a rebase git has only lent the branch
    await repo.git('-C', worktree, 'checkout', '--quiet', '--detach', 'HEAD~1')
    const detached = (await statusOf(app, record, { size: false })).git
    assert.equal([detached?.against?.name, detached?.ahead, detached?.behind], [main, 1, 1])
    assert.is(findDrift(record)?.kind, 'branch')
    await repo.git('-C', worktree, 'checkout', '--quiet', branch)
    await writeFiles(worktree, { clash: 'a' })
    await writeFiles(repo.path, { clash: 'b' })
    for (const folder of [worktree, repo.path]) {
      await repo.git('-C', folder, 'add', 'clash')
      await commit(folder, 'clash')
    }
    await repo.git('-C', worktree, 'rebase', '--quiet', main).catch(() => undefined)
    assert.equal((await standingOf(app, record, null, false))?.unfinished, ['rebase'])
    assert.is(findDrift(record), undefined)
    assert.is(findDrift({ ...record, branch: main })?.kind, 'branch')
  })

  test('sorts changes by kind, and reads what hooks have said', async () => {
    assert.equal(countChanges([' M a', 'A  b', '?? c', 'UU d', 'AA e', ' ? sub', 'R  f']), {
      modified: 4,
      untracked: 1,
      conflicts: 2,
    })
    await using world = await appWorld()
    const record = await world.record(parseName('x'))
    assert.equal(await readHookLogs(world.app, record, undefined), [])
    await writeFiles(join(world.app.home.logs, record.id), {
      'post-start-2026-11-26T080001Z.log': 'b\nc\n',
      'post-create-2026-11-26T080000Z.log': 'a\n',
    })
    await writeFile(join(world.app.home.logs, record.id, 'other'), 'no')
    const entries = await readHookLogs(world.app, record, '2')
    assert.equal(
      entries.map(({ service, time, text }) => [service, time, text]),
      [
        ['post-start', '2026-11-26T08:00:01Z', 'b'],
        ['post-start', '2026-11-26T08:00:01Z', 'c'],
      ],
    )
    assert.is((await readHookLogs(world.app, record, 'all')).length, 3)
    assert.match((await rejects(() => readHookLogs(world.app, record, 'ALL'), 'INVALID_ARGUMENT')).message, /nor `all`/)
  })
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}
