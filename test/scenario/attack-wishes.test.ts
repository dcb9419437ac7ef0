/**
 * What whoever works in an agent's workspace writes into its files, and what the user's next command makes of it.
 *
 * | finding | what the attack did | where | since |
 * |---|---|---|---|
 * | B5.3, kind 5 | a service `{image: <any local one>, user: root, volumes: ["./:/w"]}` in compose.yaml of an agent's worktree was started by the user's next `rebuild`, or by the `up` that mends; a command, a variable or a mount of another service was taken, too | `workspace/stack/project-stack.ts`, `workspace/lifecycle/rebuild.ts` | e160a28 |
 * | B5.3, kind 5 | ready services, caches and ports in .nexus/config.yaml of an agent's worktree likewise | `workspace/lifecycle/rebuild.ts` | e160a28 |
 * | kind 5 | what the user approved in one agent's workspace was allowed in all others of the repository | `trust/approvals.ts` | e469f85 |
 * | section 2 | `ports.db.host: 15432` of the project's: an agent could wait there for the user's own tools | `workspace/lifecycle/up-actions.ts` | 66faf1f |
 */
import { existsSync } from 'node:fs'
import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkspaceRecord, WorkspaceResource } from '../../lib/core/workspace.ts'
import type { Finding } from '../../lib/stack/model.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene, shareScene } from './scene.ts'

const COMPOSE = `services:
  db:
    image: debian:bookworm-slim
    init: true
    command: sleep infinity
    volumes: ["./data:/data"]
`
const CONFIG = 'ports:\n  db: {container: 5432, host: 15432}\n'
const FILES = { 'compose.yaml': COMPOSE, 'data/own': 'own\n', '.nexus/config.yaml': CONFIG }

/** As the agent would write them. */
const WISHES = `services:
  db:
    image: debian:bookworm-slim
    init: true
    command: sleep 1000000
    user: root
    environment: {BASH_ENV: "$$(id)"}
    sysctls: {net.ipv4.ip_forward: "1"}
    volumes: ["./data:/data", ".:/w"]
  evil:
    image: debian:bookworm-slim
    init: true
    command: sleep infinity
    user: root
    volumes: [".:/w"]
    ports: ["5432"]
`
const WISHED = [
  'services.db.command: ["sleep","infinity"] -> ["sleep","1000000"]',
  'services.db.environment: (new) {"BASH_ENV":"$(id)"}',
  'services.db.sysctls: (new) {"net.ipv4.ip_forward":"1"}',
  'services.db.user: (new) root',
  'services.db.volumes: (new) {"type":"bind","source":"<worktree>","target":"/w","bind":{"create_host_path":true}}',
  'services.evil.command: (new) ["sleep","infinity"]',
  'services.evil.image: (new) debian:bookworm-slim',
  'services.evil.init: (new) true',
  'services.evil.networks: (new) {"default":null}',
  'services.evil.ports: (new) [{"mode":"ingress","target":5432,"protocol":"tcp"}]',
  'services.evil.user: (new) root',
  'services.evil.volumes: (new) [{"type":"bind","source":"<worktree>","target":"/w","bind":{"create_host_path":true}}]',
]

const scene = shareScene(() => openScene({ files: FILES }))

const place = ({ worktree }: WorkspaceResource, file: string) => join(worktree ?? '', file)
const folderOf = ({ home }: Scene, { id }: WorkspaceResource) => join(home, '.nexus', 'workspaces', id)

async function servicesOf({ id }: WorkspaceResource): Promise<string> {
  const format = '{{.Label "com.docker.compose.service"}}'
  return must(['docker', 'ps', '-a', '--filter', `label=dev.nexus.workspace=${id}`, '--format', format])
}

/** The findings of a refusal, as they are told, and what approves them. */
async function asked(play: Scene, args: readonly string[]) {
  const { details, message, hint } = await play.refused(args, 4, 'APPROVAL_REQUIRED')
  const { findings, hash } = details as { findings: readonly Finding[]; hash: string }
  return { told: findings.map(({ path, value }) => `${path}: ${value}`), hash, message, hint: hint ?? '' }
}

let first: WorkspaceResource

suite('wishes of an agent', (test) => {
  test(
    'a canonical port of the project is not published for an agent, and what was chosen is noted',
    async () => {
      const play = await scene.get()
      const { code, stderr, stdout } = await play.run(['up', 'a', '--isolation', 'agent', '--json'])
      assert.is(code, 0, stderr)
      first = JSON.parse(stdout) as WorkspaceResource
      assert.match(stderr, /port 15432 is not published/)
      const folder = folderOf(play, first)
      const record = JSON.parse(await readFile(join(folder, 'workspace.json'), 'utf8')) as WorkspaceRecord
      assert.is(record.ports.find(({ name }) => name === 'db')?.canonical, undefined)
      assert.not(/15432/.test(await readFile(join(folder, 'project-override.yml'), 'utf8')))
      assert.is((await stat(join(folder, 'choice.json'))).mode & 0o777, 0o600)
    },
    2 * LIMIT_MS,
  )

  test(
    'a rebuild of changed files lists each change, and stops nobody',
    async () => {
      const play = await scene.get()
      await writeFile(place(first, 'compose.yaml'), WISHES)
      const { told, message } = await asked(play, ['rebuild', 'a'])
      assert.equal(told.slice(1), WISHED)
      const generated = join(folderOf(play, first), 'docker-compose.yml')
      assert.not(/evil/.test(await must(['docker', 'compose', '-f', generated, 'config'])), 'by hand it starts as well')
      assert.is(told[0], `workspace: ${first.id}`)
      assert.match(message, /^12 things in the files of workspace a are not as you chose/)
      assert.is((await play.list())[0]?.state, 'running')
      assert.not(/evil/.test(await servicesOf(first)))
    },
    2 * LIMIT_MS,
  )

  test(
    'an up that mends takes nothing unasked',
    async () => {
      const play = await scene.get()
      const ids = await must(['docker', 'ps', '-q', '--filter', `label=dev.nexus.workspace=${first.id}`])
      await must(['docker', 'rm', '-f', ...ids.trim().split('\n')])
      assert.equal((await asked(play, ['up', 'a'])).told.slice(1), WISHED)
      assert.not(/evil/.test(await servicesOf(first)))
    },
    2 * LIMIT_MS,
  )

  test(
    'what is approved is taken, for this workspace alone, and is then what was chosen',
    async () => {
      const play = await scene.get()
      const { hash, hint } = await asked(play, ['rebuild', 'a'])
      assert.match(hint, `nexus trust approve ${hash}`)
      await play.ok(['trust', 'approve', hash])
      await play.ok(['rebuild', 'a'])
      assert.match(await servicesOf(first), /evil/)
      const other = await play.up('b', '--isolation', 'agent')
      await writeFile(place(other, 'compose.yaml'), WISHES)
      const again = await asked(play, ['rebuild', 'b'])
      assert.is.not(again.hash, hash)
      assert.is(again.told[0], `workspace: ${other.id}`)
      await play.ok(['delete', 'b', '--force', '--no-trash'])
    },
    3 * LIMIT_MS,
  )

  test(
    'what only takes away is taken and told',
    async () => {
      const play = await scene.get()
      await writeFile(place(first, 'compose.yaml'), WISHES.slice(0, WISHES.indexOf('  evil:')))
      const { code, stderr } = await play.run(['rebuild', 'a'])
      assert.is(code, 0, stderr)
      assert.match(stderr, /changed since you chose: services\.evil/)
      assert.not(/evil/.test(await servicesOf(first)))
    },
    2 * LIMIT_MS,
  )

  test(
    'configuration is asked about by a rebuild, and a start goes on with what was chosen',
    async () => {
      const play = await scene.get()
      const mark = join(play.root, 'ran')
      const file = place(first, '.nexus/config.yaml')
      await writeFile(
        file,
        `${CONFIG}  web: 3000\ncaches: [/var/lib/tools]\nshared: [db]\nhooks: {post-start: "touch /workspace/hook"}\n`,
      )
      const { told } = await asked(play, ['rebuild', 'a'])
      assert.equal(told.slice(1), [
        'caches: (new) ["/var/lib/tools"]',
        'ports.web.container: (new) 3000',
        'shared: (new) ["db"]',
      ])
      await play.ok(['stop', 'a'])
      await writeFile(file, `${CONFIG}hooks: {pre-start: {run: "touch ${mark}", on: host}}\n`)
      await play.ok(['start', 'a'])
      await play.refused(['rebuild', 'a'], 4, 'APPROVAL_REQUIRED')
      assert.not(existsSync(mark), 'a hook that nobody chose ran on this machine')
      await writeFile(file, CONFIG)
    },
    2 * LIMIT_MS,
  )

  test(
    'without the note of what was chosen, all that is there is asked about once',
    async () => {
      const play = await scene.get()
      const choice = join(folderOf(play, first), 'choice.json')
      await truncate(choice, 100)
      const cut = await asked(play, ['rebuild', 'a'])
      assert.match(cut.message, /^Nexus has no note of what you chose for workspace a/)
      assert.ok(cut.told.includes('services.db.image: (new) debian:bookworm-slim'), cut.told.join('\n'))
      await play.ok(['rebuild', 'a', '--approve', cut.hash])
    },
    2 * LIMIT_MS,
  )

  test('the scene ends clean', () => scene.close(), 2 * LIMIT_MS)
})
