/** What services write outside of their workspace, where two workspaces meet in it, and which external volumes are copied. */
import type { WorkspaceRecord } from '../../../lib/core/workspace.ts'
import { buildArgs } from '../../../lib/stack/caches.ts'
import type { ComposeModel } from '../../../lib/stack/model.ts'
import { copiedVolumes, leftCopies, outsideData, sharedData } from '../../../lib/stack/outside-data.ts'
import { makeOverride } from '../../../lib/stack/override.ts'
import { Reset } from '../../../lib/system/render.ts'
import { findUnapproved } from '../../../lib/trust/allow-list.ts'
import { assert, suite } from '../../support/suite.ts'

const FACTS = {
  worktree: '/r/.worktree/w',
  repo: '/r',
  home: '/home/u',
  isFolder: (path: string) => !/\.(sock|conf)$/.test(path),
}

const recordOf = (stack: object = {}) =>
  ({ docker: { stack: { files: [], profiles: [], ...stack } } }) as unknown as WorkspaceRecord

const EXTERNAL = { data: { name: 'shop-db', external: true }, own: { name: 'p_own' } }

const modelOf = (volumes: readonly object[], more: object = {}) =>
  ({ name: 'p', services: { db: { image: 'x', volumes } }, volumes: EXTERNAL, ...more }) as unknown as ComposeModel

const bind = (source: string, more: object = {}) => ({ type: 'bind', source, target: '/t', ...more })
const volume = (source: string, more: object = {}) => ({ type: 'volume', source, target: '/t', ...more })

const told = (volumes: readonly object[], stack: object = {}, more: object = {}) =>
  outsideData(recordOf(stack), modelOf(volumes, more), FACTS).map(({ path, text }) => `${path}: ${text}`)

suite('data outside', (test) => {
  test('external volumes and folders that are written, and nothing else', () => {
    const mounts = [
      volume('data'),
      volume('own'),
      bind('/srv/pg'),
      bind('/home/u/data'),
      bind('/r/shared'),
      bind('/r/.worktree/w/data'),
      bind('/srv/read', { read_only: true }),
      volume('data', { read_only: true }),
      bind('/var/run/docker.sock'),
      bind('/etc/my.conf'),
      bind('/dev/shm'),
      { type: 'tmpfs', target: '/x' },
    ]
    assert.equal(told(mounts), [
      'volumes.data: external volume shop-db',
      'services.db.volumes: folder /srv/pg',
      'services.db.volumes: folder <home>/data',
      'services.db.volumes: folder <repo>/shared',
    ])
  })

  test('what a volume of its own only stands for', () => {
    const options = {
      here: { driver_opts: { type: 'none', o: 'bind', device: '/srv/pg' } },
      net: { driver_opts: { type: 'nfs', o: 'addr=10.0.0.1', device: ':/export' } },
      memory: { driver_opts: { type: 'tmpfs', device: 'tmpfs' } },
    }
    assert.equal(
      told(
        ['here', 'net', 'memory'].map((name) => volume(name)),
        {},
        { volumes: options },
      ),
      ['volumes.here: folder /srv/pg', 'volumes.net: device :/export'],
    )
  })

  test('volumes of a container outside', () => {
    const from = { services: { db: { image: 'x', volumes_from: ['container:pg', 'container:other:ro', 'web'] } } }
    assert.equal(told([], {}, from), ['services.db.volumes_from: volumes of the container pg'])
  })

  test('services that do not run, or run once for all, write nothing here', () => {
    assert.equal(told([volume('data')], { shared: { services: ['db'] } }), [])
    const idle = { services: { db: { image: 'x', profiles: ['more'], volumes: [volume('data')] } } }
    assert.equal(told([], {}, idle), [])
    assert.is(told([], { profiles: ['more'] }, idle).length, 1)
  })

  test('two meet in the same volume, and in folders of which one holds the other', () => {
    const of = (...volumes: readonly object[]) => outsideData(recordOf(), modelOf(volumes), FACTS)
    const meet = (one: object, other: object) => sharedData(of(one), of(other)).length
    assert.is(meet(volume('data'), volume('data')), 1)
    assert.is(meet(bind('/srv/pg'), bind('/srv')), 1)
    assert.is(meet(bind('/srv'), bind('/srv/pg')), 1)
    assert.is(meet(bind('/srv/pg'), bind('/srv/pg2')), 0)
    assert.is(meet(bind('/srv/pg'), volume('data')), 0)
  })
})

suite('compose.external: private', (test) => {
  const model = modelOf([volume('data')])

  test('copies what its own services mount, and then shares nothing', () => {
    const copies = recordOf({ external: 'private' })
    assert.equal(copiedVolumes(copies, model), [{ key: 'data', from: 'shop-db' }])
    assert.equal(copiedVolumes(recordOf(), model), [])
    assert.equal(copiedVolumes(recordOf({ external: 'private', shared: { services: ['db'] } }), model), [])
    assert.equal(told([volume('data')], { external: 'private' }), [])
  })

  test('of what was copied and is so no more, the copy is named', () => {
    const copies = recordOf({ external: 'private' })
    assert.equal(leftCopies(copies, recordOf(), model), [{ key: 'data', from: 'shop-db' }])
    assert.equal(leftCopies(copies, copies, model), [])
    assert.equal(leftCopies(recordOf(), copies, model), [])
  })

  test("the volume is the workspace's own in the override", () => {
    const facts = { model, project: 'p', active: new Set(['db']), ports: [], addresses: [], labels: { l: 'x' } }
    const override = makeOverride({
      ...facts,
      buildArgs: buildArgs('a'),
      environment: {},
      subnets: new Map(),
      copied: ['data'],
    })
    const { data, ...others } = override.volumes as Readonly<Record<string, unknown>>
    assert.equal(data, { external: new Reset(), name: new Reset(), labels: { l: 'x' } })
    assert.equal(Object.keys(others), ['own'])
  })

  test('is asked about in its own words, as sharing is', () => {
    const [shared] = findUnapproved(model, FACTS)
    assert.is(shared?.value, 'external shop-db')
    assert.match(shared?.why ?? '', /your other branches too; `nexus config set compose\.external private`/)
    const [copy] = findUnapproved(model, FACTS, true)
    assert.is(copy?.value, 'a copy of external shop-db')
    assert.match(findUnapproved(modelOf([bind('/srv/pg')]), FACTS)[0]?.why ?? '', /as your other branches do/)
    const reads = findUnapproved(modelOf([bind('/srv/pg', { read_only: true })]), FACTS)[0]?.why ?? ''
    assert.not.match(reads, /branches/)
  })
})
