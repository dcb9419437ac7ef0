/** How what a delete keeps is said, what of it has room, what tools make again, whose data a volume has, and who is in a workspace. */
import { describeVolumes } from '../../../../lib/backends/docker/data-volumes.ts'
import { findGuests } from '../../../../lib/backends/docker/guests.ts'
import { isDropped } from '../../../../lib/core/made-again.ts'
import { hasSameImage } from '../../../../lib/network/network.ts'
import { chooseData, findOverfull, formatData, type KeptData } from '../../../../lib/workspace/trash/kept-data.ts'
import { assert, suite } from '../../../support/suite.ts'

const notes: KeptData = { what: 'notes/', files: 3, bytes: 12_000 }
const env: KeptData = { what: '.env', files: 1, bytes: 40 }
const db: KeptData = { what: 'db', volume: 'v-db', bytes: 48_000_000 }
const closed: KeptData = { what: 'pgdata/', files: 1, bytes: null }

suite('what a delete keeps', (test) => {
  test('is said with its sizes', () => {
    assert.is(formatData([]), '')
    assert.is(formatData([notes, db]), 'notes/ (3 files, 12 kB) and the data of db (48 MB)')
    assert.is(formatData([env]), '.env (40 B)')
    assert.is(formatData([closed]), 'pgdata/ (size unknown)')
    assert.is(formatData([{ ...notes, of: 'db' }]), 'notes/, the data of db (3 files, 12 kB)')
    assert.is(formatData([{ ...notes, files: 1 }]), 'notes/ (1 file, 12 kB)')
    assert.is(
      formatData([env, env, env, notes, db]),
      '.env (40 B), .env (40 B), .env (40 B) and 2 more (48 MB)',
      'a long list is cut',
    )
  })

  test('has room up to the budget: the small first, each thing alone, what may not be measured always', () => {
    const choose = (data: readonly KeptData[], budget: number, trash: Parameters<typeof chooseData>[2] = []) =>
      chooseData(data, budget, trash).kept.map(({ what }) => what)
    assert.equal(choose([notes, env, db], 1e9), ['notes/', '.env', 'db'])
    assert.equal(choose([notes, env, db], 1e6), ['notes/', '.env'])
    assert.equal(choose([notes, env], 12_010), ['.env'])
    assert.equal(choose([closed, db], 10), ['pgdata/'])
    // what lies beside work that was refused for cannot make room, data alone can
    assert.equal(choose([db], 50e6, [{ key: 'a', lost: [' M a'], data: [db] }]), [])
    assert.equal(choose([db], 50e6, [{ key: 'a', lost: [], data: [db] }]), ['db'])
  })

  test('beyond the budget the oldest entries of data alone go', () => {
    const entry = (key: string, lost: readonly string[] = []) => ({ key, lost, data: [db] })
    const trash = [entry('new'), entry('middle'), entry('work', [' M a']), entry('old')]
    const over = (budget: number, made?: string) => findOverfull(trash, budget, made).map(({ key }) => key)
    assert.equal(over(200e6), [])
    assert.equal(over(150e6, 'new'), ['old'])
    assert.equal(over(100e6, 'new'), ['old', 'middle'])
    assert.equal(over(1, 'new'), ['old', 'middle'], 'never work, nor what was just put there')
  })

  test('is not what tools make again', () => {
    const made = ['node_modules/', 'packages/a/node_modules/', '.venv/', '.venv/bin/', 'target/', 'a/__pycache__/']
    for (const path of [...made, 'a/b.pyc', '.DS_Store']) assert.ok(isDropped(path), path)
    for (const path of ['notes/', '.env', 'build/', 'dist/', 'target', 'target/x', 'venv/notes', 'node_modules.txt'])
      assert.not.ok(isDropped(path), path)
  })
})

suite('volumes with data', (test) => {
  const CREATED = '2026-11-23T08:00:00Z'
  const nameless = (letter: string) => letter.repeat(64)

  test('are named by the services that mount them; empty ones and older nameless ones do not count', () => {
    const volume = (Name: string, key: string) => ({ Name, Labels: { 'com.docker.compose.volume': key } })
    const container = (service: string, ...names: string[]) => ({
      Id: service,
      Names: [],
      State: 'exited',
      Labels: { 'com.docker.compose.service': service },
      Mounts: names.map((Name) => ({ Type: 'volume', Name })),
    })
    const measured = new Map(
      [
        ['p_data', 48e6],
        ['p_empty', 0],
        ['p_light', 0],
        ['p_old', -1],
        [nameless('a'), 12],
        [nameless('b'), 12, '2020-01-01T00:00:00Z'],
      ].map(([Name, Size, at]) => [
        String(Name),
        {
          Name: String(Name),
          CreatedAt: String(at ?? '2026-11-23T09:00:00Z'),
          Labels: null,
          UsageData: { Size: Number(Size) },
        },
      ]),
    )
    const named = [
      volume('p_data', 'data'),
      volume('p_empty', 'empty'),
      volume('p_light', 'light'),
      volume('p_old', 'old'),
    ]
    const containers = [
      container('db', 'p_data', 'p_empty', nameless('a')),
      container('backup', 'p_data', nameless('b')),
    ]
    assert.equal(
      describeVolumes({ createdAt: CREATED }, named, [nameless('a'), nameless('b')], containers, measured, ['p_light']),
      [
        { name: 'p_data', of: 'backup and db', bytes: 48e6, nameless: false },
        { name: 'p_light', of: 'light', bytes: 0, nameless: false },
        { name: 'p_old', of: 'old', bytes: null, nameless: false },
        { name: nameless('a'), of: 'db', bytes: 12, nameless: true },
      ],
    )
  })
})

suite('who is in', (test) => {
  test('is who runs something over SSH, or in tmux; an open connection alone is nobody', () => {
    const rows = [
      ['1', '0', '/sbin/init'],
      ['7', '1', 'sshd:', '/usr/sbin/sshd', '-D'],
      ['20', '7', 'sshd:', 'nexus', '[priv]'],
      ['21', '20', 'sshd:', 'nexus@notty'],
    ]
    assert.equal(findGuests(rows), [])
    const shell = ['30', '21', '-bash']
    const child = ['31', '30', 'vim', 'a.txt']
    const tmux = ['40', '1', 'tmux', 'new-session', '-d']
    assert.equal(findGuests([...rows, shell]), ['-bash'])
    assert.equal(findGuests([...rows, shell, child, tmux, ['41', '40', 'claude']]), ['vim a.txt', 'claude'])
  })
})

suite('the image of a workspace that is made again (B5)', (test) => {
  test('is another one as soon as its container is made of something else', () => {
    const stack = (more: object) =>
      ({
        files: ['compose.yaml'],
        profiles: [],
        pass: [],
        main: 'workspace',
        base: { kind: 'default' },
        ...more,
      }) as never
    const web = { main: 'web', base: { kind: 'service' }, under: 'python:3' }
    assert.ok(hasSameImage(undefined, stack({})))
    assert.ok(hasSameImage(stack({}), stack({ main: 'nexus-workspace' })))
    assert.not.ok(hasSameImage(stack({}), stack(web)))
    assert.not.ok(hasSameImage(stack(web), stack({ ...web, main: 'api' })))
    assert.not.ok(hasSameImage(stack(web), stack({ ...web, under: 'python:4' })))
  })
})
