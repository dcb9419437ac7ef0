/** What an agent's services mount from below the worktree, and what is made of it. */

import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { renderComposeFiles } from '../../../lib/backends/docker/compose-file.ts'
import { gitFileMounts } from '../../../lib/backends/docker/work-mounts.ts'
import { NexusError } from '../../../lib/core/errors.ts'
import { homePaths, workspacePaths } from '../../../lib/core/paths.ts'
import { localOf } from '../../../lib/core/record-parts.ts'
import { heldPaths, heldVolumeName, movedPaths, settleMounts } from '../../../lib/stack/held-mounts.ts'
import type { ComposeModel, ServiceVolume } from '../../../lib/stack/model.ts'
import { parseCompose, type YamlMap } from '../../../lib/system/render.ts'
import { requireSubpaths } from '../../../lib/tools/docker-endpoint.ts'
import { assert, suite } from '../../support/suite.ts'

const { home, record, ...facts } = JSON.parse(readFileSync('test/golden/compose/private.json', 'utf8'))
const TREE = String(record.local?.worktree)
const AGENT = { name: 'x', isolation: 'agent' }

/** Follows one link, as the kernel does where its folder is named. */
function leads(links: Readonly<Record<string, string>>) {
  return (path: string) => {
    const link = Object.keys(links).find((one) => path === one || path.startsWith(`${one}/`))
    return link === undefined ? path : `${links[link]}${path.slice(link.length)}`
  }
}

const bind = (source: string, target: string, more = {}) => ({ type: 'bind', source, target, ...more })

const MODEL: ComposeModel = {
  name: 'x',
  services: {
    web: {
      image: 'x',
      volumes: [
        bind(TREE, '/app'),
        bind(`${TREE}/da$$ta`, '/data', { read_only: true, bind: { create_host_path: true } }),
        bind(`${TREE}/file`, '/file', { bind: { create_host_path: false } }),
        bind('/srv/x', '/x'),
        { type: 'volume', source: 'v', target: '/v' },
      ],
      secrets: [{ source: 'inner' }, { source: 'outer', target: '/o' }],
      configs: [{ source: 'inner', target: 'etc/c' }],
      networks: { default: null },
    },
    plain: { image: 'x', volumes: [{ type: 'volume', source: 'v', target: '/v' }], networks: { default: null } },
  },
  networks: { default: {} },
  volumes: { v: {} },
  secrets: { inner: { file: `${TREE}/secret` }, outer: { file: '/srv/secret' } },
  configs: { inner: { file: `${TREE}/conf` } },
}

function overrideOf(model: ComposeModel, more = {}, stack_ = {}) {
  const base = { kind: 'default' }
  const stack = { files: ['compose.yaml'], profiles: [], pass: [], main: 'workspace', base, holds: true, ...stack_ }
  const agent = { ...record, isolation: 'agent', docker: { ...record.docker, stack }, ...more }
  const paths = workspacePaths(homePaths(home), record.id)
  const text = renderComposeFiles({ ...facts, record: agent, paths, model }).override ?? ''
  const { services, volumes } = parseCompose(text) as Record<'services' | 'volumes', Record<string, YamlMap>>
  return { text, services, volumes }
}

const held = (target: string, subpath: string, readOnly = true) => ({
  type: 'volume',
  source: 'nexus-worktree',
  target,
  ...(readOnly ? { read_only: true } : {}),
  volume: { nocopy: true, subpath },
})

suite('mounts of an agent', (test) => {
  test('from below the worktree are paths of a volume; the worktree itself and what lies elsewhere stay', () => {
    const { text, services, volumes } = overrideOf(MODEL)
    assert.equal(services.web?.volumes, [
      bind(TREE, '/app'),
      // `$$` is how compose reads `$`
      held('/data', 'da$$ta'),
      held('/file', 'file', false),
      bind('/srv/x', '/x'),
      { type: 'volume', source: 'v', target: '/v' },
      held('/run/secrets/inner', 'secret'),
      held('/etc/c', 'conf'),
      held('/app/.git', '.git'),
    ])
    assert.equal(services.web?.secrets, [{ source: 'outer', target: '/o' }])
    assert.equal(services.web?.configs, [])
    // merged with the project's own they would all be there
    for (const key of ['volumes', 'secrets', 'configs']) assert.match(text, `    ${key}: !override`)
    assert.is(services.plain?.volumes, undefined)
    assert.equal(volumes['nexus-worktree'], { external: true, name: heldVolumeName(record) })
    const own = services.workspace?.volumes as readonly { readonly target: string; readonly type: string }[]
    assert.equal(own.find(({ target }) => target === `${TREE}/.git`)?.type, 'volume')
    assert.equal(own.find(({ target }) => target === TREE)?.type, 'bind')
  })

  test('are held with the shared git dir too, and left alone where nothing is to hold', () => {
    const { services } = overrideOf(MODEL, { gitMode: 'shared' })
    assert.equal((services.web?.volumes as readonly unknown[]).length, 7)
    assert.not.match(overrideOf(MODEL, {}, { holds: undefined }).text, 'nexus-worktree')
  })

  test('a volume of the project cannot stand in for the worktree', () => {
    assert.throws(
      () => overrideOf({ ...MODEL, volumes: { 'nexus-worktree': {} } }),
      (error: unknown) => error instanceof NexusError && error.code === 'UNSUPPORTED',
    )
    assert.not.match(heldVolumeName(record), '_')
    assert.is.not(
      heldVolumeName(record),
      heldVolumeName({ ...record, local: { ...localOf(record), worktree: '/elsewhere' } }),
    )
  })

  test('are settled as what they lead to, within the worktree under its own name', () => {
    const links = { [TREE]: '/real/tree' }
    const inner = {
      [`${TREE}/da$ta`]: '/real/tree/deep',
      [`${TREE}/file`]: '/srv/file',
      [`${TREE}/secret`]: '/real/tree',
    }
    const model = settleMounts(MODEL, TREE, leads({ ...inner, ...links }))
    const sources = model.services.web?.volumes?.map(({ source }) => source)
    assert.equal(sources, [TREE, `${TREE}/deep`, '/srv/file', '/srv/x', 'v'])
    assert.is(model.secrets?.inner?.file, TREE)
    assert.equal(heldPaths(model, TREE), [
      { path: `${TREE}/deep`, made: true },
      { path: `${TREE}/conf`, made: false },
    ])
    assert.is(settleMounts(MODEL, TREE, leads({})).services.web?.volumes?.[1]?.source, `${TREE}/da$$ta`)
  })

  test('that lead elsewhere later are told, also to another place in the worktree', () => {
    const paths = heldPaths(MODEL, TREE).map(({ path }) => path)
    assert.equal(paths, [`${TREE}/da$ta`, `${TREE}/file`, `${TREE}/secret`, `${TREE}/conf`])
    assert.equal(movedPaths(paths, TREE, leads({})), [])
    assert.equal(movedPaths(paths, TREE, leads({ [TREE]: '/real' })), [])
    for (const target of ['/etc', TREE, `${TREE}/other`])
      assert.equal(movedPaths(paths, TREE, leads({ [`${TREE}/file`]: target })), [`${TREE}/file`])
  })

  test('are refused where the engine would mount the whole volume and say nothing', () => {
    requireSubpaths(AGENT, { engine: '26.0.0', compose: 'v2.26.0' })
    requireSubpaths(AGENT, { engine: '28.1.1', compose: '2.35.0-desktop.1' })
    for (const [engine, compose] of [
      ['25.0.5', '2.30.0'],
      ['27.0.0', '2.25.0'],
      ['', ''],
    ] as const) {
      const refuses = (error: unknown) => error instanceof NexusError && error.code === 'UNSUPPORTED'
      assert.throws(() => requireSubpaths(AGENT, { engine, compose }), refuses)
    }
  })

  test('say for a private git dir in standard what to do without it', () => {
    const versions = { engine: '25.0.5', compose: '2.30.0' }
    assert.throws(() => requireSubpaths({ name: 'x', isolation: 'standard' }, versions), /git mode "private"/)
  })
})

suite('the .git file of a worktree', (test) => {
  const volumesOf = (volumes: readonly ServiceVolume[], defined: ComposeModel['volumes'] = {}, more = {}) => {
    const model = { name: 'x', services: { web: { image: 'x', volumes } }, volumes: defined }
    return gitFileMounts({ ...record, ...more }, 'web', model).map(({ target }) => target)
  }

  test('is read-only wherever a mount brings it in: the worktree, a folder above it, a volume that is one', () => {
    const above = dirname(TREE)
    const device = (path: string) => ({ driver_opts: { type: 'none', o: 'bind', device: path } })
    assert.equal(volumesOf([bind(TREE, '/a'), bind(`${TREE}/`, '/b'), bind(`${TREE}/x/..`, '/c')]), [
      '/a/.git',
      '/b/.git',
      '/c/.git',
    ])
    assert.equal(volumesOf([bind(above, '/up'), bind('/', '/disk')]), [
      `/up/${basename(TREE)}/.git`,
      `/disk${TREE}/.git`,
    ])
    const volumes = ['tree', 'up'].map((source) => ({ type: 'volume', source, target: `/${source}` }))
    assert.equal(volumesOf(volumes, { tree: device(TREE), up: device(above) }), [
      '/tree/.git',
      `/up/${basename(TREE)}/.git`,
    ])
    const subpath = { type: 'volume', source: 'up', target: '/s', volume: { subpath: basename(TREE) } }
    assert.equal(volumesOf([subpath], { up: device(above) }), ['/s/.git'])
  })

  test('is nothing to other mounts, and in a repository that is shared anyway', () => {
    const others = [bind(`${TREE}/sub`, '/s'), bind(`${TREE}-2`, '/t'), { type: 'volume', source: 'v', target: '/v' }]
    assert.equal(volumesOf(others, { v: { driver_opts: { type: 'nfs', device: ':/x' } } }), [])
    assert.equal(volumesOf([bind(TREE, '/a')], {}, { gitMode: 'shared' }), [])
  })
})
