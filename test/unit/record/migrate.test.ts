/**
 * The record of a workspace: its shape and the check that is generated from it, the records of schema 1 that lie in
 * test/fixtures/records-1, and that no moment of the first write after an update loses one.
 */
import { existsSync, linkSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { problemOf } from 'shape:record'
import fc from 'fast-check'
import { newWorkspaceId } from '../../../lib/core/names.ts'
import { workspacePaths } from '../../../lib/core/paths.ts'
import { recordShape } from '../../../lib/core/record-shape.ts'
import type { WorkspaceRecord } from '../../../lib/core/workspace.ts'
import { peekRecord } from '../../../lib/doctor/scan.ts'
import { migrateRecord } from '../../../lib/record/migrate.ts'
import { parseRecord } from '../../../lib/record/reader.ts'
import { observeAll } from '../../../lib/workspace/observe.ts'
import { recover } from '../../../lib/workspace/recover.ts'
import { listTrash } from '../../../lib/workspace/trash/trash.ts'
import { type AppWorld, appWorld, makeRecord } from '../../support/app.ts'
import { FUZZ, FUZZ_LIMIT_MS } from '../../support/fuzz.ts'
import { assert, rejects, suite } from '../../support/suite.ts'

type Fields = Readonly<Record<string, unknown>>

const FOLDER = join(process.cwd(), 'test', 'fixtures', 'records-1')
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
const textOf = (name: string) => readFileSync(join(FOLDER, name), 'utf8')
const first = (name: string) => JSON.parse(textOf(name)) as Fields
const second = (name: string) => migrateRecord(first(name)) as Fields & WorkspaceRecord
const GOOD = NAMES.map(second)

suite('a record of schema 1', (test) => {
  for (const name of NAMES) {
    test(`${name} becomes one of schema 2 that has all that was in it`, () => {
      const [old, now] = [first(name), second(name)]
      assert.is(old.schema, 1)
      assert.is(problemOf(now), undefined)
      assert.ok(recordShape.safeParse(now).success)
      const places: Fields = { ...now, ...now.local, ...now.docker }
      const known = old.backend === 'docker' ? old : without(old, ['image', 'uid', 'gid', 'sudo'])
      for (const [key, value] of Object.entries(without(known, ['schema', 'worktree', 'gitDir'])))
        assert.equal(places[key], value, key)
      assert.equal([now.local?.worktree ?? null, now.local?.gitDir ?? null], [old.worktree, old.gitDir])
      assert.equal(migrateRecord(now), now, 'nothing is done twice')
    })
  }

  test('has the parts that its backend gives it, and an address where its ports have one', () => {
    const parts = (name: string) => {
      const { local, docker, address } = second(`${name}.json`)
      return [local?.adopted ?? null, docker !== undefined, address?.name ?? null]
    }
    assert.equal(parts('docker-standard'), [false, true, 'localhost'])
    assert.equal(parts('docker-adopted'), [true, true, 'localhost'])
    assert.equal(parts('docker-cut-create-worktree'), [false, true, 'localhost'])
    assert.equal(parts('mock-standard'), [false, false, 'localhost'])
    assert.equal(parts('mock-no-ports'), [false, false, 'localhost'])
    assert.equal(parts('mock-carried'), [null, false, null])
  })

  test('of an older version gets what there was before there was a choice', () => {
    const old = without(first('docker-standard.json'), ['gitMode', 'network', 'pids', 'agentMode', 'editors'])
    const { gitMode, network, pids, agentMode, docker } = migrateRecord(old) as WorkspaceRecord
    assert.equal([gitMode, network, pids, agentMode, docker?.editors], ['shared', 'open', 4096, 'proxy', false])
    const { agentMode: off } = migrateRecord({ ...old, forwardAgent: false }) as WorkspaceRecord
    assert.is(off, 'off')
  })

  test('of which anything necessary is missing is no record', () => {
    const old = first('docker-agent.json')
    for (const key of ['id', 'worktree', 'gitDir', 'uid', 'ports', 'author', 'operation', 'image', 'desired'])
      assert.ok(problemOf(migrateRecord(without(old, [key]))) !== undefined, key)
  })
})

suite('the check of a record', (test) => {
  test('says what is wrong', () => {
    const record = makeRecord('x', '/r')
    assert.is(problemOf(record), undefined)
    assert.is(problemOf({ ...record, branch: 3 }), 'it.branch is no string')
    assert.is(problemOf({ ...record, desired: 'frozen' }), 'it.desired is not running or paused or stopped')
    const port = { name: 'ssh', container: 22, protocol: 'tcp', host: 1.5 }
    assert.is(problemOf({ ...record, ports: [{ ...port, host: 1 }, port] }), 'it.ports.1.host is no integer')
    assert.is(problemOf({ ...record, env: { A: null } }), 'it.env.A is no string')
    assert.is(problemOf({ ...record, docker: { ...record.docker, image: undefined } }), 'it.docker.image is no string')
    for (const none of [null, undefined, [], 'x', 7, {}]) assert.ok(problemOf(none) !== undefined)
  })

  test(
    'and the shape itself agree on whole records and on broken ones',
    () => {
      let broken = 0
      const value = fc.oneof(
        fc.constantFrom(null, undefined, '', 'tcp', 0, 1.5, -1, true, {}, [], 'ws-aaaaaaaa', ['x'], {
          kind: 'service',
        }),
        fc.jsonValue({ maxDepth: 2 }),
      )
      const property = fc.property(
        fc.constantFrom(...GOOD),
        fc.array(fc.nat(), { minLength: 1 }),
        value,
        (good, at, new_) => {
          const changed = changeAt(structuredClone(good), at, new_)
          const isWhole = recordShape.safeParse(changed).success
          if (!isWhole) broken++
          assert.is(problemOf(changed) === undefined, isWhole, JSON.stringify(changed))
        },
      )
      fc.assert(property, FUZZ)
      assert.ok(broken > FUZZ.numRuns / 4, `only ${broken} were broken`)
    },
    FUZZ_LIMIT_MS,
  )
})

suite('a record on the disk', (test) => {
  test('keeps fields that this Nexus does not know, at every level', async () => {
    await using world = await appWorld()
    const { app } = world
    const made = makeRecord('x', world.repo.path)
    const extra = { later: { a: 1 }, docker: { ...made.docker, later: true }, author: { ...made.author, later: [] } }
    await app.records.save({ ...made, ...extra } as WorkspaceRecord)
    const loaded = (await app.records.load(made.id)) as WorkspaceRecord
    await app.records.save({ ...loaded, branch: 'other' })
    assert.equal(JSON.parse(await readFile(fileOf(world, made.id), 'utf8')), { ...made, ...extra, branch: 'other' })
  })

  test('of schema 1 is read as it is, and written in the new form at the first write', async () => {
    await using world = await appWorld()
    const { id } = await put(world, textOf('mock-standard.json'))
    const [listed] = await world.app.records.list()
    assert.equal(listed, second('mock-standard.json'))
    assert.equal(peekRecord(world.app, id), listed)
    assert.is(await readFile(fileOf(world, id), 'utf8'), textOf('mock-standard.json'), 'a look writes nothing')
    await world.app.records.save(listed as WorkspaceRecord)
    assert.equal(JSON.parse(await readFile(fileOf(world, id), 'utf8')), second('mock-standard.json'))
    assert.equal(world.warnings, [])
  })

  test('of a newer schema is refused and left alone', async () => {
    await using world = await appWorld()
    const { id } = await put(world, JSON.stringify({ ...second('mock-standard.json'), schema: 3 }))
    const { hint } = await rejects(() => world.app.records.list(), 'UNSUPPORTED')
    assert.match(hint ?? '', /install the newer Nexus/)
    assert.is(peekRecord(world.app, id), undefined)
    assert.ok(existsSync(fileOf(world, id)))
  })

  // killed after the link, while the new text is in its temporary file; and torn by a power cut after the rename, which is not synced
  test('is there whatever moment of the first write is the last one', async () => {
    const old = textOf('mock-standard.json')
    const after = `${JSON.stringify({ ...second('mock-standard.json'), operation: second('mock-cut-stop-stop.json').operation }, null, 1)}\n`
    await using world = await appWorld()
    for (let length = 0; length <= after.length; length += 53) {
      const { id } = await put(world, old)
      const file = fileOf(world, id)
      linkSync(file, `${file}.before`)
      await writeFile(`${file}.nexus-1-0.tmp`, after.slice(0, length))
      assert.equal(await world.app.records.load(id), second('mock-standard.json'), 'before the rename')
      await world.app.records.journal(second('mock-standard.json'))
      await writeFile(file, after.slice(0, length))
      const torn = await world.app.records.load(id)
      assert.equal(torn?.branch, second('mock-standard.json').branch, `cut at ${length}`)
      assert.is(torn?.schema, 2)
      await world.app.records.remove(id)
    }
  })

  test('in the trash is brought to the present schema too, and a damaged one takes no other with it', async () => {
    await using world = await appWorld()
    const { trash } = world.app.home
    const note = (key: string, record: unknown, schema = 1) => {
      const entry = {
        schema,
        key,
        deletedAt: '2026-11-23T08:00:00Z',
        record,
        files: null,
        branch: null,
        head: null,
        lost: [],
      }
      return mkdir(join(trash, key), { recursive: true }).then(() =>
        writeFile(join(trash, key, 'entry.json'), JSON.stringify(entry)),
      )
    }
    await note('old', first('docker-standard.json'))
    await note('new', second('docker-agent.json'), 2)
    await note('bad', { ...second('docker-agent.json'), ports: 7 }, 2)
    const entries = await listTrash(world.app)
    assert.equal(
      entries.map(({ key, schema, record }) => [key, schema, record]),
      [
        ['new', 2, second('docker-agent.json')],
        ['old', 2, second('docker-standard.json')],
      ],
    )
    assert.match(world.warnings.join(), /a note in the trash was damaged: see .*bad\/entry\.json\.damaged-/)
  })

  test('is undefined to those who only look where it is another file', () => {
    const { id, ...record } = makeRecord('x', '/r')
    assert.is(parseRecord({ ...record, id }, id)?.name, 'x')
    assert.is(parseRecord({ ...record, id }, newWorkspaceId()), undefined)
    for (const none of [null, 7, 'x', [], { schema: 1 }, { schema: 2 }]) assert.is(parseRecord(none, id), undefined)
  })
})

suite('a record of schema 1 that was cut off', (test) => {
  for (const name of NAMES.filter((one) => /^mock-cut-.*-\w+\.json$/.test(one) && !one.includes('before'))) {
    test(`${name} is listed, and finished by the next command`, async () => {
      await using world = await appWorld({ NEXUS_MOCK_WITH: 'worktree,local-ports' })
      const { app, repo } = world
      const base = await repo.git('rev-parse', 'HEAD')
      const old = { ...(JSON.parse(textOf(name).replaceAll('/home/u/app', repo.path)) as Fields), base }
      const { id, worktree } = await put(world, JSON.stringify(old))
      const kind = /mock-cut-(\w+)-/.exec(name)?.[1] ?? ''
      if (kind !== 'create') await repo.git('worktree', 'add', '--quiet', '-b', 'nexus/x', String(worktree), base)
      const state = { stop: 'running', pause: 'running', resume: 'paused', rebuild: 'running' }[kind]
      await mkdir(join(app.home.home, 'state'), { recursive: true })
      const states = { schema: 1, workspaces: state === undefined ? {} : { [id]: state } }
      await writeFile(join(app.home.home, 'state', 'mock.json'), JSON.stringify(states))
      const records = await app.records.list()
      const [seen] = await observeAll(app, records)
      assert.match(seen?.reason ?? '', new RegExp(`^${kind} was interrupted`))
      const finished = await recover(app, records[0] as WorkspaceRecord)
      const now = await app.records.load(id)
      assert.equal(finished, now)
      if (kind === 'delete') assert.is(now, undefined)
      else assert.equal([now?.schema, now?.operation], [2, null])
    })
  }
})

function without(fields: Fields, keys: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key)))
}

/** Goes down by the numbers while there is something below, and puts the value there; undefined takes it away. */
function changeAt(root: Fields, at: readonly number[], value: unknown): unknown {
  let place = root as Record<string, unknown>
  for (const [depth, number] of at.entries()) {
    const keys = Object.keys(place)
    const key = keys[number % Math.max(1, keys.length)] ?? 'new'
    const below = place[key]
    const isLast = depth === at.length - 1 || typeof below !== 'object' || below === null
    if (!isLast) place = below as Record<string, unknown>
    else if (value === undefined) delete place[key]
    else place[key] = value
    if (isLast) break
  }
  // as it would be read
  return JSON.parse(JSON.stringify(root))
}

function fileOf({ app }: AppWorld, id: WorkspaceRecord['id']): string {
  return workspacePaths(app.home, id).record
}

async function put(world: AppWorld, text: string): Promise<{ readonly id: WorkspaceRecord['id']; worktree: unknown }> {
  const record = JSON.parse(text)
  await mkdir(dirname(fileOf(world, record.id)), { recursive: true, mode: 0o700 })
  await writeFile(fileOf(world, record.id), text)
  return record
}
