/** Who asked and what is approved by it; data outside that two workspaces would write; copies of it; and what is never shown. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene, type Scene } from './scene.ts'

const SERVICE = 'image: debian:bookworm-slim\n    init: true\n    command: sleep infinity\n'

async function commit(scene: Scene, file: string, text: string): Promise<void> {
  await writeFile(join(scene.repo.path, file), text)
  await scene.repo.git('add', '--all')
  await scene.repo.git('commit', '--quiet', '--message', file)
}

const said = (error: object) => JSON.stringify(error)

suite('who asked', (test) => {
  test(
    'all is the last refusal alone; several are asked one by one on a terminal',
    async () => {
      await using scene = await openScene({ files: { 'README.md': 'x\n' } })
      await scene.ok(['config', 'set', 'defaults.backend', 'mock'])
      const branch = async (name: string, command: string) => {
        await scene.repo.git('switch', '--quiet', '--create', name, 'main')
        await mkdir(join(scene.repo.path, '.nexus'), { recursive: true })
        await commit(scene, '.nexus/config.yaml', `hooks: {pre-start: {run: "${command}", on: host}}\n`)
        await scene.repo.git('switch', '--quiet', 'main')
      }
      await branch('evil', 'touch evil-ran')
      await branch('mine', 'true')
      await branch('more', 'true more')

      const evil = ['up', 'evil', '--branch', 'evil']
      await scene.refused(evil, 4, 'APPROVAL_REQUIRED')
      const { details, hint } = await scene.refused(['up', 'm', '--branch', 'mine'], 4, 'APPROVAL_REQUIRED')
      assert.match(hint ?? '', `\`nexus trust approve ${details?.hash} && nexus up m --branch mine\``)
      const withValue = await scene.refused(
        ['up', 'm', '--branch', 'mine', '--env', 'A=hunter2'],
        4,
        'APPROVAL_REQUIRED',
      )
      assert.not.match(withValue.hint ?? '', /hunter2|&&/)
      const shown = await scene.ok(['trust'])
      assert.match(shown, /asked for by branch evil, \d+s ago \(workspace evil\), not approved/)
      assert.match(shown, /asked for by branch mine, \d+s ago \(workspace m\), not approved/)
      assert.match(await scene.ok(['trust', 'approve', 'all']), /by branch mine/)
      await scene.refused(evil, 4, 'APPROVAL_REQUIRED')
      await scene.up('m', '--branch', 'mine')

      await scene.refused(['up', 'n', '--from', 'more'], 4, 'APPROVAL_REQUIRED')
      const nexus = [process.execPath, join(process.cwd(), 'dist', 'nexus.js')].join(' ')
      const asked = await runProcess(['script', '-qefc', `${nexus} trust approve all`, '/dev/null'], {
        cwd: scene.repo.path,
        env: { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus') },
        input: 'y\nn\n',
      })
      assert.match(asked.stdout, /by branch nexus\/n, .*true more.*Allow it\?.*by branch evil, .*evil-ran.*Allow it\?/s)
      await scene.up('n', '--from', 'more')
      await scene.refused(evil, 4, 'APPROVAL_REQUIRED')
      await scene.ok(['trust', 'approve', 'evil'])
      await scene.up('evil', '--branch', 'evil')
    },
    LIMIT_MS,
  )

  test(
    'a variable that is not set is told and not asked about, and no value of the .env is shown',
    async () => {
      const files = {
        'compose.yaml': `services:\n  web:\n    ${SERVICE}    volumes: ["\${CONFIG}/web:/config"]\n`,
        '.env': 'LD_HOST_PORT=9090\nLD_SUPERUSER_PASSWORD=hunter2-of-it\nLD_PRELOAD=hunter2-lib.so\n',
      }
      await using scene = await openScene({ files })
      const asked = await scene.refused(['up', 'a'], 4, 'APPROVAL_REQUIRED')
      assert.equal(asked.details?.findings, [
        { path: '.env', value: 'LD_PRELOAD', why: 'directs Docker and other programs of this machine' },
      ])
      await scene.ok(['trust', 'approve', 'all'])
      const unset = await scene.run(['up', 'a'])
      assert.is(unset.code, 2, unset.stderr)
      assert.match(
        unset.stderr,
        /warning: .*variable CONFIG, .*\n.*error: services\.web\.volumes uses the variable CONFIG/s,
      )
      assert.match(
        unset.stderr,
        /not set, so that it would mean \/web on \/config\.\n.*`echo CONFIG=<value> >> \.env`/s,
      )
      const passed = await scene.run(['up', 'a'], { env: { CONFIG: '/srv' } })
      assert.match(passed.stderr, /`nexus config set env\.pass CONFIG`/)
      assert.match(await scene.ok(['trust']), /^nx-\S+ {2}approved/)

      await commit(
        scene,
        'compose.yaml',
        `services:\n  web:\n    ${SERVICE}    ports: ["\${LD_SUPERUSER_PASSWORD}:80"]\n`,
      )
      const broken = await scene.refused(['up', 'a'], 2, 'CONFIG_INVALID')
      assert.match(broken.message, /\$\{LD_SUPERUSER_PASSWORD\}/)
      const mount = '{driver_opts: {type: cifs, device: "//h/s", o: "username=u,password=${LD_SUPERUSER_PASSWORD}"}}'
      await commit(
        scene,
        'compose.yaml',
        `services:\n  web:\n    ${SERVICE}    volumes: ["share:/s"]\nvolumes:\n  share: ${mount}\n`,
      )
      const options = await scene.refused(['up', 'a'], 4, 'APPROVAL_REQUIRED')
      // of one that git does not track, a value without a sign that it is secret is not shown either
      await scene.repo.git('rm', '--quiet', '--cached', '.env')
      for (const file of ['.gitignore', '.worktreeinclude']) await commit(scene, file, '.env\n')
      const label = 'security_opt: ["label:user:${LD_SUPERUSER_PASSWORD}"]'
      await commit(scene, 'compose.yaml', `services:\n  web:\n    ${SERVICE}    ${label}\n`)
      const labelled = await scene.refused(['up', 'a'], 4, 'APPROVAL_REQUIRED')
      assert.match(said(labelled), /label:user:\$\{LD_SUPERUSER_PASSWORD\} \(sha256 /)
      const kept = await readFile(join(scene.home, '.nexus', 'state', 'approvals.json'), 'utf8')
      for (const text of [said(asked), said(broken), said(options), said(labelled), unset.stderr, kept])
        assert.not.match(text, /hunter2/)
      const { records, leases, docker } = await scene.made()
      assert.equal({ records, leases, docker }, { records: [], leases: 0, docker: [] })
    },
    2 * LIMIT_MS,
  )
})

suite('data outside', (test) => {
  test(
    'a second workspace that would write it is refused, gets a copy, or is let through',
    async () => {
      const shop: string = `shop-${randomBytes(4).toString('hex')}`
      const compose = `services:\n  db:\n    ${SERVICE}    volumes: ["data:/data"]\nvolumes: {data: {external: true, name: ${shop}}}\n`
      await must(['docker', 'volume', 'create', shop])
      try {
        await using scene = await openScene({ files: { 'compose.yaml': compose } })
        const idOf = async (name: string) => (await scene.list()).find((one) => one.name === name)?.id ?? ''
        const inDb = async (name: string, script: string) => {
          const labels = [`dev.nexus.workspace=${await idOf(name)}`, 'com.docker.compose.service=db']
          const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
          const id = (await must(['docker', 'ps', '-q', ...filters])).trim()
          return (await must(['docker', 'exec', id, 'sh', '-c', script])).trim()
        }
        const first = await scene.refused(['up', 'a'], 4, 'APPROVAL_REQUIRED')
        assert.match(said(first), /your other branches too; `nexus config set compose\.external private`/)
        await scene.ok(['trust', 'approve', 'a'])
        await scene.up('a')
        await inDb('a', 'echo row of a > /data/rows && chmod 600 /data/rows && chown 7:8 /data/rows')

        const made = await scene.made()
        const second = await scene.refused(['up', 'b'], 4, 'APPROVAL_REQUIRED')
        const hint = second.hint ?? ''
        assert.is(
          second.message,
          `Workspace a is running and writes the external volume ${shop}, which b would write too.`,
        )
        assert.match(
          hint,
          '`nexus config set compose.external private && nexus up b`; to stop the other, run `nexus stop a`',
        )
        assert.match(hint, /to let both write, run `nexus trust approve nx-\w+ && nexus up b`$/)
        assert.equal(await scene.made(), made)

        await scene.ok(['config', 'set', 'compose.external', 'private'])
        const copied = await scene.run(['up', 'b'])
        assert.is(copied.code, 0, copied.stderr)
        assert.match(copied.stderr, new RegExp(`data is a copy of the external volume ${shop}: [\\d.]+ k?B`))
        assert.match(copied.stderr, new RegExp(`${shop} was in use by nexus-a-\\S+-db-1 while it was copied`))
        assert.is(
          await inDb('b', 'stat -c "%a %u %g" /data/rows; cat /data/rows; ls -A /data'),
          '600 7 8\nrow of a\nrows',
        )
        await inDb('b', 'echo row of b > /data/rows')
        await scene.ok(['rebuild', 'b'])
        assert.is(await inDb('b', 'cat /data/rows'), 'row of b')
        assert.is(await inDb('a', 'cat /data/rows'), 'row of a')
        const own = await must([
          'docker',
          'volume',
          'ls',
          '-q',
          '--filter',
          `label=dev.nexus.workspace=${await idOf('b')}`,
        ])
        assert.match(own, /^nexus-b-\w+_data$/m)
        await scene.ok(['config', 'unset', 'compose.external'])
        const leaves = await scene.run(['rebuild', 'b', '--dry-run'])
        assert.match(leaves.stderr, new RegExp(`b leaves its copy of ${shop}, which stays as nexus-b-\\w+_data: `))
        await scene.ok(['delete', 'b', '--force'])
        const volumes = (await must(['docker', 'volume', 'ls', '-q'])).split('\n')
        assert.equal([volumes.includes(own.trim()), volumes.includes(shop)], [false, true])

        await scene.ok(['trust', 'approve', String(second.details?.hash)])
        const both = await scene.run(['up', 'c'])
        assert.is(both.code, 0, both.stderr)
        assert.match(both.stderr, new RegExp(`c and a both write the external volume ${shop}, as you approved`))
        assert.is(await inDb('c', 'cat /data/rows'), 'row of a')

        // two that start at once: one of them alone
        await scene.ok(['trust', 'revoke', String(second.details?.hash)])
        await scene.ok(['stop', 'a'])
        await scene.ok(['stop', 'c'])
        const starts = await Promise.all(['a', 'c'].map((name) => scene.run(['start', name])))
        assert.equal(starts.map(({ code }) => code).sort(), [0, 4], starts.map(({ stderr }) => stderr).join('\n'))
        assert.match(starts.map(({ stderr }) => stderr).join(''), /compose\.external private && nexus rebuild [ac]`/)
      } finally {
        await must(['docker', 'volume', 'rm', shop])
      }
    },
    3 * LIMIT_MS,
  )
})
