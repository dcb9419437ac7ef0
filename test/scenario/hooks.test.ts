/** Hooks, secrets and dotfiles beyond the ordinary day: left out, changed, unapproved, rotated, gone, and never told. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const configOf = (scene: Scene, name: string) => join(scene.repo.path, '.worktree', name, '.nexus', 'config.yaml')

/** Runs it, approves what it asks for. */
async function approve(scene: Scene, ...args: string[]): Promise<void> {
  const { details } = await scene.refused(args, 4, 'APPROVAL_REQUIRED')
  await scene.ok(['trust', 'approve', String(details.hash)])
}

async function setUser(scene: Scene, text: string): Promise<void> {
  await mkdir(join(scene.home, '.nexus'), { recursive: true })
  await writeFile(join(scene.home, '.nexus', 'config.yaml'), text)
}

/** What Docker knows of a service's container. */
async function inspect(scene: Scene, service: string): Promise<string> {
  const labels = [`dev.nexus.repo=${scene.repo.path}`, `com.docker.compose.service=${service}`]
  const ids = await must(['docker', 'ps', '-aq', ...labels.flatMap((label) => ['--filter', `label=${label}`])])
  return must(['docker', 'inspect', ids.trim()])
}

suite('hooks', (test) => {
  test(
    'left out on request, they are owed; their log says all, with no secret in it',
    async () => {
      const config = `hooks:
  post-create: echo first; for i in 1 2 3; do cat /run/secrets/pem; done; exit 4
  pre-stop: exit 5
  pre-delete: exit 6
`
      await using scene = await openScene({ files: { '.nexus/config.yaml': config } })
      const pem = join(scene.root, 'key.pem')
      await writeFile(pem, 'line-one-of-it\nline-two-of-it\n')
      await setUser(scene, `secrets: {pem: "file://${pem}"}\n`)
      assert.match(await scene.ok(['up', 'a', '--dry-run']), /\+ post-create echo first; .*container.*configured/)

      await scene.up('a', '--no-hooks')
      assert.not(existsSync(join(scene.home, '.nexus', 'logs')))
      const failed = await scene.run(['up', 'a', '-V'])
      assert.is(failed.code, 1)
      assert.match(failed.stderr, / {2}first\n {2}\*\*\*\n.*ended with code 4/s)
      assert.not.match(failed.stdout + failed.stderr, /line-(one|two)/)
      const { details, hint } = await scene.refused(['up', 'a'], 1, 'HOOK_FAILED')
      assert.equal([details.hook, details.code], ['post-create', 4])
      assert.match(hint ?? '', /--no-hooks/)
      assert.match(await readFile(String(details.log), 'utf8'), /^first\n\*\*\*\n/)
      assert.not.match(await must(['sh', '-c', `cat '${scene.home}'/.nexus/logs/*/*`]), /line-(one|two)/)

      const stopped = await scene.run(['stop', 'a'])
      assert.is(stopped.code, 0)
      assert.match(stopped.stderr, /warning: The hook pre-stop of a ended with code 5/)
      assert.is((await scene.run(['start', 'a', '--no-hooks'])).code, 0)
      await scene.refused(['delete', 'a'], 1, 'HOOK_FAILED')
      await scene.ok(['delete', 'a', '--no-hooks'])
    },
    2 * LIMIT_MS,
  )

  test(
    'what a branch asks for on this machine keeps nobody from stopping it, and does not run',
    async () => {
      await using scene = await openScene({ files: { '.nexus/config.yaml': 'hooks: {post-start: "true"}\n' } })
      const mark = join(scene.root, 'mark')
      await scene.up('a')
      const evil = ['pre-stop', 'post-stop', 'pre-delete'].map((hook) => `  ${hook}: {run: touch ${mark}, on: host}\n`)
      await writeFile(configOf(scene, 'a'), `hooks:\n${evil.join('')}`)
      const stopped = await scene.run(['stop', 'a'])
      assert.is(stopped.code, 0, stopped.stderr)
      assert.match(stopped.stderr, /no hooks are run: This project asks for 3 things/)
      await scene.repo.git('-C', '.worktree/a', 'commit', '--quiet', '--all', '--message', 'evil')
      await scene.refused(['delete', 'a'], 4, 'APPROVAL_REQUIRED')
      await scene.ok(['delete', 'a', '--force', '--delete-branch'])

      const command = `printf 'hooks: {pre-delete: {run: "touch ${mark}", on: host}}\\n' > .nexus/config.yaml`
      const ran = await scene.run(['run', '--', 'sh', '-c', command])
      assert.is(ran.code, 0, ran.stderr)
      assert.equal(await scene.list(), [])
      assert.not(existsSync(mark))
    },
    3 * LIMIT_MS,
  )

  test(
    'on this machine they see little of it, and a hang ends',
    async () => {
      await using scene = await openScene({ files: { '.gitignore': 'seen\n' } })
      await setUser(
        scene,
        'env: {pass: [NAMED]}\nhooks:\n  pre-start: {run: env > seen, on: host}\n  post-start: {run: sleep 4323, on: host, timeout: 1s}\n',
      )
      const env = { UNNAMED: 'a-private-word', NAMED: 'a-named-word', SSH_AUTH_SOCK: '/nowhere' }
      const { message } = await scene.refused(['up', 'a'], 1, 'HOOK_FAILED', { env })
      assert.match(message, /post-start of a did not end within 1s/)
      assert.is((await scene.list())[0]?.state, 'running')
      const seen = await readFile(join(scene.repo.path, '.worktree', 'a', 'seen'), 'utf8')
      assert.match(seen, /^NEXUS_WS_NAME=a$/m)
      assert.match(seen, /^NAMED=a-named-word$/m)
      assert.not.match(seen, /a-private-word|SSH_AUTH_SOCK/)
      assert.not.match(await must(['ps', '-eo', 'args']), /^sleep 4323$/m)
    },
    LIMIT_MS,
  )
})

suite('secrets', (test) => {
  test(
    'a start gives the value of now, also as a variable, and goes on when one is taken away',
    async () => {
      await using scene = await openScene({})
      const big = join(scene.root, 'big')
      await writeFile(big, 'x'.repeat(300_000))
      const config = (more: string) =>
        setUser(scene, `secrets:\n  token: {from: "env://TOKEN", variable: TOKEN}\n  kept: "env://KEPT"\n${more}`)
      await config(`  big: "file://${big}"\n`)
      const env = { TOKEN: "one $x '", KEPT: 'kept-to-a-file' }
      await scene.ok(['up', 'a'], { env })
      const shown = () => scene.inside('a', 'sh', '-c', 'cat /run/secrets/token; echo; printenv TOKEN; ls /run/secrets')
      assert.is(await shown(), "one $x '\none $x '\nbig\nkept\ntoken\n")
      assert.is(await scene.inside('a', 'sh', '-c', 'wc -c < /run/secrets/big'), '300000\n')
      assert.not.match(await inspect(scene, 'workspace'), /kept-to-a-file/)

      await config('')
      await scene.ok(['stop', 'a'])
      await scene.ok(['start', 'a'], { env: { ...env, TOKEN: 'two' } })
      assert.match(await shown(), /^two\ntwo\nkept\ntoken\n$/)
      await scene.ok(['stop', 'a'])
      await scene.refused(['start', 'a'], 1, 'SECRET_UNRESOLVED')
      assert.is((await scene.list())[0]?.state, 'stopped')
      const own = (await readdir('/dev/shm')).filter((name) => name.startsWith('nexus-'))
      const left = await Promise.all(own.map((name) => readdir(join('/dev/shm', name)).catch(() => [])))
      const { id = '' } = (await scene.list())[0] ?? {}
      assert.not(left.flat().includes(id))
    },
    3 * LIMIT_MS,
  )

  test(
    'go to the services that are named, and to no other',
    async () => {
      const service = 'image: debian:bookworm-slim\n    init: true\n    command: sleep infinity\n'
      const config = (where: string) => `secrets: {token: {from: "env://TOKEN", services: [${where}], variable: TOKEN}}
hooks: {post-start: {run: "true", on: host}}
`
      const files = {
        'compose.yaml': `services:\n  web:\n    ${service}  other:\n    ${service}`,
        '.nexus/config.yaml': config('web'),
      }
      await using scene = await openScene({ files })
      const env = { TOKEN: 'for-web-alone' }
      await approve(scene, 'up', 'a')
      // less than what was approved
      await scene.ok(['up', 'a', '--no-hooks'], { env })
      const at = async (name: string) => {
        const filters = [`dev.nexus.repo=${scene.repo.path}`, `com.docker.compose.service=${name}`]
        const id = await must(['docker', 'ps', '-q', ...filters.flatMap((label) => ['--filter', `label=${label}`])])
        return must(['docker', 'exec', id.trim(), 'sh', '-c', 'cat /run/secrets/token; printenv TOKEN; true'])
      }
      assert.is(await at('web'), 'for-web-alonefor-web-alone\n')
      assert.is(await at('other'), '')
      assert.not.match(await scene.inside('a', 'sh', '-c', 'ls /run/secrets; env'), /token|for-web-alone/)
      await scene.ok(['stop', 'a'])
      await scene.ok(['start', 'a'], { env: { TOKEN: 'rotated' } })
      assert.is(await at('web'), 'rotatedrotated\n')

      await writeFile(join(scene.repo.path, '.nexus', 'config.yaml'), config('wbe'))
      await scene.repo.git('commit', '--quiet', '--all', '--message', 'typo')
      const nothing = await scene.made()
      const { message } = await scene.refused(['up', 'b'], 2, 'CONFIG_INVALID', { env })
      assert.match(message, /secrets\.token\.services names "wbe"; there are .*web/)
      assert.equal(await scene.made(), nothing)
    },
    3 * LIMIT_MS,
  )
})

suite('dotfiles', (test) => {
  test(
    'join folders that are there already; a repository is no option, and its password is not told',
    async () => {
      const files = { '.config/tool/rc': 'mine\n', '.vimrc': 'set nu\n', '.gitignore': 'x\n' }
      await using scene = await openScene({ files })
      // owed until post-create ends well, so that they meet a home that is lived in
      await setUser(scene, 'hooks: {post-create: "mkdir ~/.config && touch ~/.config/own; exit 3"}\n')
      await scene.refused(['up', 'a'], 1, 'HOOK_FAILED')
      await setUser(scene, `dotfiles: {repository: ${scene.repo.path}}\nhooks: {post-create: cat ~/.vimrc}\n`)
      const up = await scene.run(['up', 'a'])
      assert.is(up.code, 0, up.stderr)
      assert.match(up.stderr, /installing the dotfiles.*post-create.* {2}set nu/s)
      assert.is(
        await scene.inside('a', 'sh', '-c', 'cat ~/.config/tool/rc; ls ~/.config; test -e ~/.gitignore || echo none'),
        'mine\nown\ntool\nnone\n',
      )

      const option = '--upload-pack=touch /tmp/dotfiles-ran'
      await setUser(scene, `dotfiles: {repository: "${option}"}\n`)
      const odd = await scene.run(['up', 'b'])
      assert.is(odd.code, 0, odd.stderr)
      assert.match(odd.stderr, /dotfiles could not be installed/)
      assert.is((await scene.run(['exec', 'b', '--', 'test', '-e', '/tmp/dotfiles-ran'])).code, 1)

      await setUser(scene, 'dotfiles: {repository: "https://me:pass-word@127.0.0.1:1/x.git"}\n')
      const plan = await scene.ok(['up', 'c', '--dry-run'])
      const secret = await scene.run(['up', 'c'])
      assert.is(secret.code, 0, secret.stderr)
      assert.not.match(plan + secret.stderr + secret.stdout, /pass-word/)
    },
    3 * LIMIT_MS,
  )
})
