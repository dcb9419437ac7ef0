/**
 * Looking after the whole on the real engine, in one scene: `doctor` names what was broken by hand and mends it, `gc` removes
 * what is left of a workspace whose record is gone and nothing of another home's, `list --size` measures, `prune --merged`
 * deletes what arrived in main.
 */
import { existsSync } from 'node:fs'
import { chmod, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DoctorFinding } from '../../lib/core/finding.ts'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { assert, suite } from '../support/suite.ts'
import { cleanEngine, commitLongAgo, LIMIT_MS, leaveAlone, listParts, must, openScene, type Scene } from './scene.ts'

interface Health {
  readonly healthy: boolean
  readonly findings: readonly DoctorFinding[]
  readonly fixed: readonly DoctorFinding[]
}

async function doctor(scene: Scene, ...args: string[]): Promise<Health> {
  return JSON.parse((await scene.run(['doctor', '--json', ...args])).stdout) as Health
}

/** What is the machine's own affair. */
const MACHINE = ['docker-versions', 'docker-addresses', 'docker-disk', 'disk', 'port-range', 'inotify']

/** Checks that name a trouble, but for those. */
async function troubles(scene: Scene): Promise<readonly string[]> {
  const { findings } = await doctor(scene)
  return findings.filter(({ status, check }) => status !== 'ok' && !MACHINE.includes(check)).map(({ check }) => check)
}

suite('looking after the whole', (test) => {
  test(
    'doctor mends, gc removes, list measures, prune deletes',
    async () => {
      await using scene = await openScene()
      const demo = await scene.up('demo')
      const home = join(scene.home, '.nexus')
      assert.equal(await troubles(scene), [])

      await measures(scene, demo)
      await mends(scene, home)
      await collects(scene, demo, home)
      await prunes(scene)
    },
    LIMIT_MS,
  )

  test(
    'an engine that does not answer is one error, and every other check goes on',
    async () => {
      await using scene = await openScene()
      const env = { DOCKER_HOST: `unix://${scene.root}/nobody.sock` }
      const { code, stdout } = await scene.run(['doctor', '--json'], { env })
      const { findings, healthy } = JSON.parse(stdout) as Health
      const wrong = findings.filter(({ status, check }) => status !== 'ok' && !MACHINE.includes(check))
      assert.equal(
        wrong.map(({ check, message }) => `${check}: ${message}`),
        ['docker-engine: The Docker engine does not answer.'],
      )
      assert.equal([code, healthy], [1, false])
      assert.ok(findings.some(({ check, status }) => check === 'tools' && status === 'ok'))
      await scene.ok(['gc', '--dry-run'], { env })
    },
    LIMIT_MS,
  )
})

async function measures(scene: Scene, demo: WorkspaceResource): Promise<void> {
  await scene.inside('demo', 'sudo', 'dd', 'if=/dev/zero', 'of=/root/big', 'bs=1M', 'count=5', 'status=none')
  await writeFile(join(demo.worktree ?? '', 'ignored'), Buffer.alloc(2_000_000))
  await rm(join(demo.worktree ?? '', 'README.md'))
  await scene.repo.git('-C', demo.worktree ?? '', 'checkout', '--quiet', '.')
  const [measured] = await scene.list('--size')
  const size = measured?.size
  assert.ok((size?.layers ?? 0) >= 5_000_000, JSON.stringify(size))
  assert.ok((size?.worktree ?? 0) >= 2_000_000 && (size?.state ?? 0) > 0, JSON.stringify(size))
  assert.is(size?.volumes, 0)
  await rm(join(demo.worktree ?? '', 'ignored'))
}

async function mends(scene: Scene, home: string): Promise<void> {
  await chmod(home, 0o755)
  await writeFile(join(home, 'ssh', 'config'), 'Nonsense yes\n')
  await rm(join(home, 'state', 'ports.json'))
  await scene.repo.git('config', 'core.fsmonitor', '/tmp/evil')
  const broken = ['home', 'leases', 'git-config', 'ssh-alias']
  assert.equal(await troubles(scene), broken)
  const { fixed } = await doctor(scene, '--fix')
  assert.equal(
    fixed.map(({ check }) => check),
    ['home', 'leases', 'ssh-alias'],
  )
  assert.equal(await troubles(scene), ['git-config'])
  await must(['ssh', '-G', '-F', join(home, 'ssh', 'config'), 'demo.nexus'])
  await scene.repo.git('config', '--unset', 'core.fsmonitor')
  const key = join(home, 'ssh', 'id_ed25519')
  await rename(key, `${key}.away`)
  assert.equal(await troubles(scene), ['ssh-alias'])
  await rename(`${key}.away`, key)
  assert.equal(await troubles(scene), [])
}

/**
 * A record that was lost leaves container and network, which stay while its worktree does; another home's on the same engine are
 * never named.
 */
async function collects(scene: Scene, demo: WorkspaceResource, home: string): Promise<void> {
  const instance = (await must(['cat', join(home, 'state', 'instance')])).trim()
  const label = (name: string, value: string) => ['--label', `dev.nexus.${name}=${value}`]
  const own = label('instance', instance)
  const cache = `nexus-cache-${instance}`
  await must(['docker', 'volume', 'create', ...own, ...label('cache', 'true'), ...label('repo', '/nowhere'), cache])
  const foreign = ['docker', 'network', 'create', '--subnet', '10.249.250.0/29']
  const other = `${instance.startsWith('f') ? 'e' : 'f'}${instance.slice(1)}`
  await must([...foreign, ...label('instance', other), ...label('workspace', demo.id), `nexus-foreign-${instance}`])
  try {
    await rm(join(home, 'workspaces', demo.id), { recursive: true })
    const before = await listParts(scene.home)
    const planned = async () => {
      const { items } = JSON.parse(await scene.ok(['gc', '--dry-run', '--json'])) as {
        items: { kind: string; cause: string }[]
      }
      return items.map(({ kind, cause }) => `${kind}: ${cause}`).sort()
    }
    const nowhere = 'volume: cache of /nowhere, which is gone'
    assert.equal(await planned(), [nowhere], 'it can be adopted')
    assert.equal(await troubles(scene), ['leases', 'subnets', 'worktrees'])
    await scene.repo.git('worktree', 'remove', '--force', demo.worktree ?? '')
    const parts = ['container', 'network', 'volume'].map((kind) => `${kind}: workspace ${demo.id} is gone`)
    assert.equal(await planned(), [...parts, nowhere].sort())
    assert.equal(await listParts(scene.home), before, 'a dry run removes nothing')
    assert.equal(await troubles(scene), ['leases', 'subnets', 'leftovers'])
    await scene.ok(['gc'])
    assert.equal(await listParts(scene.home), [])
    assert.match(
      await must(['docker', 'network', 'ls', '--format', '{{.Name}}']),
      new RegExp(`nexus-foreign-${instance}`),
    )
  } finally {
    await must(['docker', 'network', 'rm', `nexus-foreign-${instance}`])
    await cleanEngine(scene.home)
  }
  await doctor(scene, '--fix')
  assert.equal(await troubles(scene), [])
}

async function prunes(scene: Scene): Promise<void> {
  const [one, two] = [await scene.up('one', '--no-start'), await scene.up('two', '--no-start')]
  for (const { name, worktree } of [one, two]) {
    await writeFile(join(worktree ?? '', 'work'), name)
    await scene.repo.git('-C', worktree ?? '', 'add', 'work')
    await commitLongAgo(worktree ?? '', 'work')
  }
  await scene.repo.git('merge', '--quiet', '--no-edit', one.branch)
  assert.match(await scene.ok(['prune', '--merged']), /made or used in the last 24 hours/)
  for (const { id, worktree } of [one, two]) await leaveAlone(scene, id, worktree ?? '')
  const answer = JSON.parse(await scene.ok(['prune', '--merged', '--json'])) as Record<string, { name: string }[]>
  assert.equal([answer.pruned?.map(({ name }) => name), answer.kept?.map(({ name }) => name)], [['one'], ['two']])
  assert.equal(
    (await scene.list()).map(({ name }) => name),
    ['two'],
  )
  assert.not.ok(existsSync(one.worktree ?? ''))
}
