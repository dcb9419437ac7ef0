/**
 * A name means this repository's workspace, and ports that are taken while a workspace is stopped move truly. Each failed on the code of
 * 5953773.
 *
 * | finding | what happened | where | since |
 * |---|---|---|---|
 * | 2.1 | `delete`, `stop` and all other verbs took the one workspace of that name from another repository | `workspace/names/find.ts` | the first commit |
 * | S9 | `<alias>/<name>` worked in `up` alone, and `up nope/x` made a branch | `workspace/names/find.ts` | the first commit |
 * | S22 | `nexus api` created in the only repository that was known, not in the current one | `api/context.ts` | the first commit |
 * | B1, F16 | with compose files a taken port was leased anew and the override kept the old one: no start, then a record that nothing served | `backends/docker/backend.ts` (configure) | the first commit |
 * | item 8 | a verb on a stopped workspace answered 500 | `workspace/observe.ts` | the first commit |
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { BUILD_LIMIT_MS, requireTestImage } from '../support/images.ts'
import { assert, suite } from '../support/suite.ts'
import { must, openRepo, openScene, type Scene } from './scene.ts'

async function withThief<T>(port: number, address: string, body: () => Promise<T>): Promise<T> {
  const thief = createServer()
  await new Promise<void>((done, fail) => thief.once('error', fail).listen(port, address, done))
  try {
    return await body()
  } finally {
    await new Promise((done) => thief.close(done))
  }
}

/** Ports of this machine that the containers of the workspace publish now. */
async function publishedBy(id: string): Promise<readonly number[]> {
  const ids = (await must(['docker', 'ps', '-q', '--filter', `label=dev.nexus.workspace=${id}`])).trim().split('\n')
  const format = '{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}} {{end}}{{end}}'
  const text = await must(['docker', 'container', 'inspect', '--format', format, ...ids])
  return [...new Set(text.split(/\s+/).filter(Boolean).map(Number))].sort((a, b) => a - b)
}

async function agrees(scene: Scene): Promise<void> {
  const [found] = await scene.list()
  const hosts = (found?.ports ?? []).map(({ host }) => host ?? 0).sort((a, b) => a - b)
  assert.equal(await publishedBy(found?.id ?? ''), hosts)
  const folder = join(scene.home, '.nexus', 'workspaces', found?.id ?? '')
  const override = await readFile(join(folder, 'project-override.yml'), 'utf8')
  for (const host of hosts) assert.match(override, new RegExp(`\\b${host}\\b`))
  assert.match(await readFile(join(folder, 'ssh', 'known_hosts'), 'utf8'), /./)
  await scene.inside('q', 'true')
}

suite('names and ports', (test) => {
  test(
    'a compose project beside another repository',
    async () => {
      const image = await requireTestImage('base')
      const web = `{image: "${image}", init: true, command: ["sleep", "infinity"], ports: ["8080:80"]}`
      await using scene = await openScene({ files: { 'compose.yaml': `services: {web: ${web}}\n`, 'a.txt': 'a\n' } })
      const blog = openRepo(join(scene.root, 'blog'))
      await must(['git', 'clone', '--quiet', scene.repo.path, blog.path])
      const there = { cwd: blog.path }
      await scene.ok(['config', 'set', 'workspaces.shop.path', scene.repo.path])
      await scene.up('q')

      for (const verb of ['delete', 'stop', 'restart', 'pause', 'merge', 'push', 'exec']) {
        const rest = verb === 'exec' ? ['--', 'true'] : []
        const { hint } = await scene.refused([verb, 'q', ...rest], 3, 'WORKSPACE_NOT_FOUND', there)
        assert.is(hint, `To mean it, run \`${['nexus', verb, 'repo/q', ...rest].join(' ')}\``)
      }
      await scene.ok(['status', 'q'], there)
      await scene.ok(['exec', 'shop/q', '--', 'true'], there)
      await scene.refused(['up', 'nope/x'], 3, 'REPOSITORY_NOT_FOUND', there)
      const body = '{"name":"x","start":false,"backend":"mock"}'
      const made = JSON.parse(await scene.ok(['api', '/workspaces', '--data', body], there))
      assert.is(made.repo, blog.path)
      await scene.refused(['api', '/workspaces/q/stop', '-X', 'POST'], 3, 'WORKSPACE_NOT_FOUND', there)
      await scene.ok(['api', '/workspaces/shop%2Fq/stop', '-X', 'POST'], there)
      const exec = ['api', '/workspaces/shop%2Fq/exec', '--data', '{"command":["true"]}']
      await scene.refused(exec, 4, 'WORKSPACE_NOT_RUNNING', there)
      await scene.ok(['delete', 'x'], there)
      await scene.ok(['serve', 'stop'])

      for (const [address, name] of [
        ['::1', 'ssh'],
        ['0.0.0.0', 'web'],
      ] as const) {
        const [before] = await scene.list()
        const port = before?.ports.find((one) => one.name === name)?.host ?? 0
        await withThief(port, address, async () => {
          const { code, stderr } = await scene.run(['up', 'q'])
          assert.is(code, 0, stderr)
          assert.is(stderr.match(/is taken by/g)?.length, 1, stderr)
          assert.match(stderr, new RegExp(`port ${port} is taken by .*pid ${process.pid}`))
          await agrees(scene)
        })
        await scene.ok(['stop', 'q'])
      }

      // as an older version left it: the record says other ports than the containers have
      await scene.ok(['start', 'q'])
      const [found] = await scene.list()
      const file = join(scene.home, '.nexus', 'workspaces', found?.id ?? '', 'workspace.json')
      const record = JSON.parse(await readFile(file, 'utf8'))
      const ports = record.ports.map((port: { host: number }) => ({ ...port, host: port.host + 100 }))
      await writeFile(file, JSON.stringify({ ...record, ports }))
      assert.match((await scene.run(['doctor'])).stdout, /Workspace q: its containers publish/)
      const { stdout, stderr } = await scene.run(['doctor', '--fix'])
      assert.not.match((await scene.run(['doctor'])).stdout, /its containers publish/, `${stdout}${stderr}`)
      await agrees(scene)
    },
    BUILD_LIMIT_MS,
  )
})
