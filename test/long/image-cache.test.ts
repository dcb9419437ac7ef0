/**
 * What a CI job takes from the one before: the workspace image, and the layers of what the project builds. The engine's own
 * cache is emptied of this test's layers between two jobs, as on a fresh machine.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMIT_MS, must, openScene, type Scene } from '../scenario/scene.ts'
import { eventually } from '../support/eventually.ts'
import { BUILD_LIMIT_MS, requireTestImage } from '../support/images.ts'
import { runProcess } from '../support/process.ts'
import { httpGet } from '../support/projects.ts'
import { assert, suite } from '../support/suite.ts'

suite('the image cache', (test) => {
  test(
    'in a folder: the second job builds only what changed, and leaves nothing on the engine',
    async () => {
      await using scene = await openScene()
      const marker = await addProject(scene, { own: true })
      const cache = join(scene.root, 'cache dir')
      const first = await job(scene, cache)
      assert.match(first.stderr, /leaving 2 built images/)
      assert.equal((await readdir(cache)).filter((name) => name.startsWith('build-')).sort(), [
        'build-app.tar',
        'build-web.tar',
      ])

      // an engine that has forgotten makes the layers again
      await forget(scene, marker)
      const alone = (await must(['docker', 'build', '--quiet', scene.repo.path])).trim()
      assert.is.not(await must(['docker', 'run', '--rm', alone, 'cat', '/all']), first.stdout.split('\n', 2).join('\n'))
      await must(['docker', 'image', 'rm', alone])

      await forget(scene, marker)
      await writeFile(join(scene.repo.path, 'late.txt'), 'two')
      await scene.repo.git('commit', '--quiet', '--all', '--message', 'late')
      const changed = await job(scene, cache)
      assert.is(changed.stdout, first.stdout.replace(/one/g, 'two'), changed.stderr)
      assert.match(changed.stderr, /leaving 2 built images/)

      await forget(scene, marker)
      const same = await job(scene, cache)
      assert.is(same.stdout, changed.stdout, same.stderr)
      assert.match(same.stderr, /taking the workspace image from/)
      assert.not.match(same.stderr, /building the workspace image|leaving/)
      assert.is(await must(['docker', 'image', 'ls', '--quiet', '--filter', 'reference=nexus-cache']), '')
    },
    8 * LIMIT_MS + BUILD_LIMIT_MS,
  )

  test(
    'in a registry',
    async () => {
      await using scene = await openScene()
      const marker = await addProject(scene, { own: false })
      await using registry = await startRegistry()
      const place = `${registry.host}/team/nexus`
      const first = await job(scene, place)
      assert.not.match(first.stderr, /could not be/)
      await forget(scene, marker)
      const second = await job(scene, place)
      assert.is(second.stdout, first.stdout, second.stderr)
      assert.match(second.stderr, /taking the workspace image from/)
      assert.not.match(second.stderr, /building the workspace image|could not be/)
      assert.is(await must(['docker', 'image', 'ls', '--quiet', '--filter', `reference=${place}`]), '')
    },
    6 * LIMIT_MS + BUILD_LIMIT_MS,
  )

  test(
    'one that cannot be used costs a warning and the build; a word that is no place is refused',
    async () => {
      await using scene = await openScene()
      const cache = join(scene.root, 'cache')
      await mkdir(cache)
      await addProject(scene, { own: false })
      await writeFile(join(cache, 'build-web.tar'), 'no archive')
      const { stderr } = await job(scene, cache)
      assert.match(stderr, /the image cache .* could not be used/)

      const nothing = await scene.made()
      const refused = await scene.run(['run', '--image-cache', 'registry.example.org/Team', '--', 'true'])
      assert.is(refused.code, 2)
      assert.match(refused.stderr, /registry\.example\.org\/Team/)
      assert.equal(await scene.made(), nothing)
    },
    4 * LIMIT_MS,
  )
})

/** Built services that tell what was made when their first layer was; with `own`, one of them is the workspace's own container. */
async function addProject({ repo }: Scene, { own }: { own: boolean }): Promise<string> {
  const marker = randomUUID()
  // on top of the marker's layer a workspace image would install all of its packages anew, each time
  const base = own ? await requireTestImage('base') : 'debian:bookworm-slim'
  const dockerfile = `FROM ${base}
RUN : ${marker} && cat /proc/sys/kernel/random/uuid > /made
COPY late.txt /late.txt
RUN : ${marker} && cat /made /late.txt > /all
CMD ["sleep", "infinity"]
`
  const server =
    '$s=IO::Socket::INET->new(Listen=>5,LocalPort=>8000);while($c=$s->accept){open F,"/all";print $c <F>;close $c}'
  const web = {
    build: { context: '.', dockerfile: 'web.Dockerfile' },
    init: true,
    command: ['perl', '-MIO::Socket', '-e', server.replaceAll('$', '$$$$')],
  }
  await mkdir(join(repo.path, '.nexus'))
  await Promise.all([
    writeFile(join(repo.path, 'Dockerfile'), dockerfile),
    writeFile(join(repo.path, 'web.Dockerfile'), dockerfile.replace('> /made', '> /made && : web')),
    writeFile(join(repo.path, 'late.txt'), 'one'),
    writeFile(
      join(repo.path, 'compose.yaml'),
      JSON.stringify({ services: { web, ...(own ? { app: { build: '.' } } : {}) } }),
    ),
    writeFile(join(repo.path, '.nexus', 'config.yaml'), own ? 'workspace: {service: app}\n' : ''),
  ])
  await repo.git('add', '--all')
  await repo.git('commit', '--quiet', '--message', 'project')
  return marker
}

/** Its output is what the layers of both services were made with. */
async function job(scene: Scene, cache: string | undefined) {
  const place = cache === undefined ? [] : ['--image-cache', cache]
  const command = ['sh', '-c', 'cat /all 2>/dev/null; echo; until nc web 8000; do sleep 0.2; done']
  const result = await scene.run(['run', ...place, '--', ...command], { timeoutMs: 3 * LIMIT_MS })
  assert.is(result.code, 0, result.stderr)
  return result
}

/** Takes from the engine what a fresh one would not have. */
async function forget(scene: Scene, marker: string): Promise<void> {
  const instance = (await readFile(join(scene.home, '.nexus', 'state', 'instance'), 'utf8')).trim()
  const label = `label=dev.nexus.instance=${instance}`
  const images = await must(['docker', 'image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', label])
  for (const image of images.split('\n').filter(Boolean)) await must(['docker', 'image', 'rm', image])
  // what was built on a layer goes before it
  for (let layers = await builtWith(marker); layers.length > 0; layers = await builtWith(marker)) {
    for (const id of layers) await must(['docker', 'buildx', 'prune', '--force', '--all', '--filter', `id=${id}`])
  }
}

/** Ids of the engine's build cache: the layers with the marker, and what stands on them. */
async function builtWith(marker: string): Promise<readonly string[]> {
  const text = await must(['docker', 'buildx', 'du', '--verbose'])
  const records = text.split('\n\n').map((record) => ({
    id: /^ID:\s*(\S+)/m.exec(record)?.[1] ?? '',
    parent: /^Parent:\s*(\S+)/m.exec(record)?.[1],
    marked: record.includes(marker),
  }))
  const found = new Set<string>()
  for (let size = -1; size !== found.size; ) {
    size = found.size
    for (const { id, parent, marked } of records) if (marked || found.has(parent ?? '')) found.add(id)
  }
  return [...found].reverse()
}

async function startRegistry() {
  const image = await requireTestImage('registry')
  const labels = ['--label', 'dev.nexus.test=1']
  const id = (await must(['docker', 'run', '--detach', ...labels, '--publish', '127.0.0.1::5000', image])).trim()
  const published = (await must(['docker', 'port', id, '5000/tcp'])).trim()
  const port = Number(published.split(':').at(-1))
  const stop = async () => void (await must(['docker', 'rm', '--force', '--volumes', id]))
  await eventually(() => httpGet(port, '/v2/'), { timeoutMs: LIMIT_MS }).catch(async (error) => {
    const { stdout, stderr } = await runProcess(['docker', 'logs', id])
    await stop()
    throw new Error(`the registry does not answer: ${stdout}${stderr}`, { cause: error })
  })
  // not `localhost`: on ::1 another may listen at the same port
  return { host: `127.0.0.1:${port}`, [Symbol.asyncDispose]: stop }
}
