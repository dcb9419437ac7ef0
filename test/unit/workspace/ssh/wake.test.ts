/** Who gets a workspace started by connecting, and how the aliases name the program that does it, for every shell there is. */

import { execFileSync } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { NexusError } from '../../../../lib/core/errors.ts'
import { newWorkspaceId } from '../../../../lib/core/names.ts'
import { homePaths } from '../../../../lib/core/paths.ts'
import { escapeForAnyShell } from '../../../../lib/core/shell.ts'
import { programOf, proxyCommand, proxyScript, requireTellable } from '../../../../lib/ssh/client/proxy-script.ts'
import { parseTarget } from '../../../../lib/ssh/client/target.ts'
import { BY_HAND_MS, refusal, UNUSED_STARTS_MAX, type WakeFacts, wake } from '../../../../lib/workspace/ssh/wake.ts'
import { appWorld, makeRecord } from '../../../support/app.ts'
import { runProcess } from '../../../support/process.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'
import { tempDir } from '../../../support/temp.ts'

const NOW = Date.parse('2026-11-26T20:00:00Z')
const facts = (some: Partial<WakeFacts>): WakeFacts => ({
  client: 'program',
  wanted: true,
  stopped: undefined,
  unused: 0,
  now: NOW,
  ...some,
})
const stoppedAgo = (ms: number, by: 'user' | 'idle' = 'user') => ({
  stopped: { at: new Date(NOW - ms).toISOString(), by },
})

suite('who gets it started', (test) => {
  test('a client without a terminal, unless it was stopped by hand in the last ten minutes', () => {
    assert.is(refusal(facts({})), undefined)
    assert.match(refusal(facts(stoppedAgo(0))) ?? '', /stopped by hand 0 s ago/)
    assert.match(refusal(facts(stoppedAgo(BY_HAND_MS - 1))) ?? '', /stopped by hand 10 min ago/)
    assert.is(refusal(facts(stoppedAgo(BY_HAND_MS))), undefined)
    assert.is(refusal(facts(stoppedAgo(1_000, 'idle'))), undefined)
    assert.is(refusal(facts(stoppedAgo(-60_000))), undefined, 'a clock that was set back keeps nothing closed')
  })

  test('not a fourth time when three starts were of no use', () => {
    assert.is(refusal(facts({ unused: UNUSED_STARTS_MAX - 1 })), undefined)
    assert.match(refusal(facts({ unused: UNUSED_STARTS_MAX })) ?? '', /3 times .* without a terminal/)
  })

  test('a person at a terminal always, except where no start is wanted at all', () => {
    const worst = { ...stoppedAgo(0), unused: 9 }
    assert.is(refusal(facts({ client: 'terminal', ...worst })), undefined)
    for (const client of ['terminal', 'program'] as const) {
      assert.match(refusal(facts({ client, wanted: false })) ?? '', /ssh\.wake/)
    }
  })
})

suite('a refusal', (test) => {
  test('names the workspace in a way that is understood in any folder', async () => {
    await using world = await appWorld()
    const stopped = { at: new Date().toISOString(), by: 'user' } as const
    const one = await world.record('demo', { stopped })
    const hint = async () => (await rejects(() => wake(world.app, one, 'program'), 'WORKSPACE_START_FAILED')).hint ?? ''
    assert.match(await hint(), /`nexus start demo`$/)
    await world.record('demo', { repo: '/elsewhere', stopped })
    assert.match(await hint(), new RegExp(`\`nexus start ${one.id}\`$`))
  })
})

/** Characters that mean something to some shell, to ssh, or to nobody. */
const CHARACTERS = [...' \\\'"$`!#&*()[]{}<>|;?~^=%,@:+-_./aZ0', 'ü', '日', '🎉', 'é']
const homes = fc.string({ unit: fc.constantFrom(...CHARACTERS), minLength: 1, maxLength: 12 })

suite('the ProxyCommand', (test) => {
  test('one word stays one word in sh and bash, and in zsh, fish and tcsh where they are', async () => {
    const words = fc.sample(homes, { numRuns: 300, seed: 7 })
    for (const [shell, print] of SHELLS.filter(([name]) => isInstalled(name))) {
      const script = `${print} ${words.map(escapeForAnyShell).join(' ')}`
      const { stdout, stderr } = await runProcess([shell, '-c', script])
      assert.equal(stdout.split('\n').slice(0, -1), words, `${shell}: ${stderr}`)
    }
    assert.ok(isInstalled('sh') && isInstalled('bash'))
  })

  test('from a home of any spelling, ssh calls node with the program and the id', async () => {
    await using dir = await tempDir()
    const id = newWorkspaceId()
    for (const name of ['plain', "it's a \\ home", '50% $HOME `id`', 'größe 日本 🎉', '~ #; &|<>(){}[]*?!^=']) {
      const home = homePaths(join(dir.path, name))
      const program = { node: join(home.home, 'no de'), proxy: join(home.home, "pro'xy.js") }
      await mkdir(home.sshDir, { recursive: true })
      await writeFile(program.node, '#!/bin/sh\nprintf "%s\\n" "$@" "$NEXUS_HOME" "${NODE_OPTIONS-unset}" "$PATH"\n')
      await chmod(program.node, 0o755)
      await writeFile(program.proxy, '')
      await writeFile(home.sshProxy, proxyScript(home, program))
      assert.equal(programOf(proxyScript(home, program)), program)
      const config = join(dir.path, 'config')
      await writeFile(config, `Host x\n  ProxyCommand ${proxyCommand(home, id)}\n`)
      // what ssh would run: `ssh -G` tells it with its tokens, which it then replaces
      const { stdout } = await runProcess(['ssh', '-G', '-F', config, 'x'])
      const command = /^proxycommand (.*)$/m.exec(stdout)?.[1]?.replaceAll('%%', '%') ?? ''
      const ran = await runProcess(['bash', '-c', `exec ${command}`], {
        env: { NODE_OPTIONS: '--inspect', PATH: '/bin' },
      })
      const path = '/bin:/usr/local/bin:/usr/bin:/bin'
      assert.equal(ran.stdout.split('\n').slice(0, -1), [program.proxy, id, home.home, 'unset', path], ran.stderr)
    }
  })

  test('a node that is gone is looked for, a Nexus that is gone is told', async () => {
    await using dir = await tempDir()
    const home = homePaths(dir.path)
    const proxy = join(dir.path, 'proxy.js')
    await mkdir(home.sshDir, { recursive: true })
    await writeFile(home.sshProxy, proxyScript(home, { node: join(dir.path, 'v20', 'node'), proxy }))
    const run = (env?: Record<string, string>) =>
      runProcess(['/bin/sh', home.sshProxy, newWorkspaceId()], env === undefined ? {} : { env })
    const lost = await run()
    assert.is(lost.code, 255)
    assert.match(lost.stderr, /^nexus: error: .*proxy\.js is not there any more\.\nnexus: {3}To .*`nexus up`/)
    await writeFile(proxy, 'console.log(process.argv[2])')
    assert.match((await run()).stdout, /^ws-/)
    const none = await run({ PATH: dir.path })
    assert.is(none.code, 255)
    assert.match(none.stderr, /v20\/node is not there any more\./)
  })

  test('a home that ssh cannot be told of is refused before anything is made', () => {
    for (const name of ['/a"b', '/a\nb', '/a${HOME}']) {
      assert.throws(
        () => requireTellable(homePaths(name)),
        (error: unknown) => error instanceof NexusError && error.code === 'CONFIG_INVALID',
        name,
      )
    }
    for (const name of ['/a b', "/it's", '/$HOME', '/50%', '/ü']) requireTellable(homePaths(name))
  })

  test('whatever a record holds, the way in reads it or leaves it to the start', () => {
    const id = newWorkspaceId()
    const nothing = { name: id, reach: undefined, answers: 'no' }
    for (const text of ['', '{', 'null', '[]', '{"ports":3}', '{"ports":[null]}'])
      assert.equal(parseTarget(text, id), nothing)
    const port = { name: 'ssh', container: 22, host: 32_800, protocol: 'tcp' } as const
    const record = makeRecord('x', '/r', { id, desired: 'running', ports: [port] })
    assert.equal(parseTarget(JSON.stringify(record), id), {
      name: 'x',
      reach: { name: 'localhost', host: '127.0.0.1', port: 32_800 },
      answers: 'now',
    })
    const other = { ...record, desired: 'frozen', ports: [{ ...port, host: 'x' }] }
    assert.equal(parseTarget(JSON.stringify(other), id), { name: 'x', reach: undefined, answers: 'no' })
  })
})

const SHELLS = [
  ['sh', "printf '%s\\n'"],
  ['bash', "printf '%s\\n'"],
  ['zsh', "printf '%s\\n'"],
  ['fish', "printf '%s\\n'"],
  ['tcsh', "printf '%s\\n'"],
] as const

function isInstalled(shell: string): boolean {
  try {
    execFileSync(shell, ['-c', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
