/**
 * The whole CLI as a function, on the mock backend: what each verb answers, as text and as JSON, with which exit code, and
 * that words reach it as they were typed. The process is a fake one with a home of its own.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ERROR_TABLE } from '../../../../lib/core/errors.ts'
import { VERBS } from '../../../../lib/verbs/all-verbs.ts'
import { portWords } from '../../../../lib/verbs/list.ts'
import { optionsOf } from '../../../../scripts/commands/options.ts'
import { parse } from '../../../../scripts/commands/parse.ts'
import { nexus, type Outcome, VERSION } from '../../../support/called.ts'
import { runProcess } from '../../../support/process.ts'
import { assert, suite } from '../../../support/suite.ts'
import { type TempRepo, tempDir, tempRepo, writeFiles } from '../../../support/temp.ts'

interface Scene extends AsyncDisposable {
  readonly repo: TempRepo
  readonly home: string
  (...args: readonly string[]): Promise<Outcome>
}

async function scene(env: NodeJS.ProcessEnv = {}): Promise<Scene> {
  const dir = await tempDir()
  const repo = await tempRepo()
  const call = (...args: readonly string[]) => nexus(repo.path, dir.path, args, env)
  const dispose = async () => {
    await repo[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  }
  return Object.assign(call, { repo, home: dir.path, [Symbol.asyncDispose]: dispose })
}

const ok = (outcome: Outcome) => {
  assert.is(outcome.code, 0, `${outcome.stdout}${outcome.stderr}`)
  return outcome
}

/** All files below a folder, with their bytes. */
function tree(folder: string): Readonly<Record<string, string>> {
  if (!existsSync(folder)) return {}
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    files.map((entry) => join(entry.parentPath, entry.name)).map((path) => [path, readFileSync(path, 'utf8')]),
  )
}

const RESOURCE_KEYS =
  'backend branch createdAt displayName gitMode host id idleTimeout isolation name network ports reason repo ssh state worktree'

suite('verbs on the mock backend', (test) => {
  test('a workspace from create to delete', async () => {
    await using cli = await scene()
    const created = ok(await cli('create', 'x', '--json')).json
    assert.is(created.state, 'running')
    const state = async () => ok(await cli('status', 'x', '--json')).json.state
    for (const [verb, after] of [
      ['stop', 'stopped'],
      ['start', 'running'],
      ['pause', 'paused'],
      ['resume', 'running'],
      ['restart', 'running'],
      ['down', 'stopped'],
      ['up', 'running'],
    ] as const) {
      const answer = ok(await cli(verb, 'x', '--json')).json
      assert.is(answer.state, after, verb)
      assert.is(answer.id, created.id, verb)
      assert.is(await state(), after, verb)
    }
    const deleted = ok(await cli('delete', 'x', '--json')).json
    assert.equal(deleted, { deleted: { id: created.id, name: 'x' }, keptBranch: null, trash: null })
    assert.equal(ok(await cli('list', '--json')).json, { workspaces: [] })
    assert.is((await cli('status', 'x')).code, 3)
    assert.equal(readdirSync(join(cli.home, '.nexus', 'workspaces')), [])
  })

  test('a list shows the ports that are leased: one that was restored has none before its start', () => {
    const port = { name: 'ssh', container: 22, protocol: 'tcp', host: null } as const
    const url = 'http://localhost:20002'
    assert.is(portWords([port]), '-')
    assert.is(portWords([{ ...port, host: 20001 }]), 'ssh 20001')
    assert.is(portWords([port, { ...port, name: 'web', host: 20002, url }]), url)
  })

  test('the resource has the fields of the contract', async () => {
    await using cli = await scene()
    const resource = ok(await cli('up', 'feature/Auth', '--port', 'web=3000', '--json')).json
    assert.is(Object.keys(resource).sort().join(' '), RESOURCE_KEYS)
    assert.match(resource.id, /^ws-[a-z2-7]{8}$/)
    assert.match(resource.name, /^feature-auth-[a-z2-7]{4}$/)
    assert.match(resource.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.is(resource.repo, cli.repo.path)
    assert.is(resource.branch, `nexus/${resource.name}`)
    assert.is(resource.backend, 'mock')
    assert.is(resource.worktree, null)
    assert.is(resource.idleTimeout, '30m')
    assert.equal(resource.ports, [{ name: 'web', container: 3000, protocol: 'tcp', host: null }])
    assert.is(resource.ssh.workspaceId, resource.id)
    assert.is(resource.ssh.enabled, false)
    for (const key of ['host', 'port', 'user', 'forwardAgent', 'connectionCommand']) assert.ok(key in resource.ssh, key)
    // it looks closer, beside what every answer has
    const { services, git, connected, operation, stopped, dirty, lastActivity, ...status } = ok(
      await cli('status', 'feature/Auth', '--json'),
    ).json
    assert.equal(status, resource)
    assert.equal([services, git, operation, stopped, dirty], Array(5).fill(null))
    assert.type(connected, 'boolean')
    assert.ok(Date.parse(lastActivity) > 0)
    assert.equal(ok(await cli('list', '--json')).json, { workspaces: [resource] })
    assert.equal(ok(await cli('ports', resource.id, '--json')).json, { ports: resource.ports })
  })

  test('done already is done', async () => {
    await using cli = await scene()
    ok(await cli('up', 'x'))
    assert.match(ok(await cli('up', 'x')).stdout, /x is already running/)
    assert.match(ok(await cli('start', 'x')).stdout, /already running/)
    assert.match(ok(await cli('resume', 'x')).stdout, /already running/)
    ok(await cli('pause', 'x'))
    assert.match(ok(await cli('pause', 'x')).stdout, /already paused/)
    ok(await cli('stop', 'x'))
    assert.match(ok(await cli('stop', 'x')).stdout, /already stopped/)
  })

  test('--no-start makes everything and starts nothing', async () => {
    await using cli = await scene()
    assert.is(ok(await cli('create', 'x', '--no-start', '--json')).json.state, 'stopped')
    assert.is(ok(await cli('status', 'x', '--json')).json.state, 'stopped')
    assert.is(ok(await cli('up', 'x', '--json')).json.state, 'running')
  })

  test('stdout carries the answer and nothing else', async () => {
    await using cli = await scene()
    const { stdout, stderr } = ok(await cli('up', 'x'))
    assert.match(stdout, /^x is running\n/)
    assert.match(stderr, /\+ start x/)
    assert.is(ok(await cli('stop', 'x', '--quiet')).stderr, '')
    assert.is(ok(await cli('start', 'x', '--json')).stderr, '')
  })

  test('list shows this repository, --all every one', async () => {
    await using cli = await scene()
    await using other = await tempRepo()
    ok(await cli('up', 'here'))
    ok(await nexus(other.path, cli.home, ['up', 'there']))
    const names = (outcome: Outcome) =>
      ok(outcome)
        .json.workspaces.map(({ name }: { name: string }) => name)
        .sort()
    assert.equal(names(await cli('list', '--json')), ['here'])
    assert.equal(names(await cli('ls', '--all', '--json')), ['here', 'there'])
    assert.equal(names(await cli('ls', '--repo', other.path, '--json')), ['there'])
    assert.equal(names(await nexus(cli.home, cli.home, ['ls', '--json'])), ['here', 'there'])
    const text = ok(await cli('ls', '--all')).stdout
    assert.match(text, /^NAME +STATE +BRANCH +PORTS +AGE +REPOSITORY\n/)
    assert.ok(text.includes(other.path))
  })

  test('the everyday prefix means the same', async () => {
    await using cli = await scene()
    ok(await cli('ws', 'up', 'x'))
    ok(await cli('workspace', 'stop', 'x'))
    ok(await cli('--json', 'ws', 'start', 'x'))
    assert.is(ok(await cli('ws', 'ls', '--json')).json.workspaces[0].state, 'running')
    ok(await cli('ws', 'rm', 'x'))
  })

  for (const name of ['0123', '1e3', '0x10', '007', '1', 'true', 'null', 'undefined', 'nan']) {
    test(`"${name}" stays the name that was typed`, async () => {
      await using cli = await scene()
      assert.is(ok(await cli('up', name, '--json')).json.name, name)
      assert.is(ok(await cli('status', name, '--json')).json.name, name)
      ok(await cli('rm', name))
    })
  }

  test('values of options stay as typed', async () => {
    assert.equal(parse(['cp', '-', 'x:y', '--', '-z']).args, ['-', 'x:y'])
    // short flags written together are all of them meant
    assert.equal(Object.keys(parse(['logs', 'x', '-fq', '--tail', '-fq']).options), ['follow', 'quiet', 'tail'])
    assert.equal(parse(['cp', '-rp', 'a', 'x:', '--', '-rp']).rest, ['-rp'])
    await using cli = await scene()
    ok(await cli('up', 'x', '--env', 'A=007', '--env', 'B=-1', '--env=C=a=b c'))
    const [id = ''] = readdirSync(join(cli.home, '.nexus', 'workspaces'))
    const record = JSON.parse(readFileSync(join(cli.home, '.nexus', 'workspaces', id, 'workspace.json'), 'utf8'))
    assert.equal(record.env, { A: '007', B: '-1', C: 'a=b c' })
  })
})

suite('--dry-run', (test) => {
  test('of a create prints the plan and changes nothing', async () => {
    await using cli = await scene()
    const git = () =>
      cli.repo
        .git('for-each-ref')
        .then(async (refs) => refs + (await cli.repo.git('status', '--porcelain', '--ignored')))
    const before = await git()
    const text = ok(await cli('up', 'x', '--dry-run')).stdout
    assert.match(text, /^\+ record x {3}no workspace of this name yet\n/)
    assert.match(text, /^\+ start x/m)
    const { json } = ok(await cli('create', 'x', '--dry-run', '--json'))
    assert.is(json.dryRun, true)
    assert.equal(
      json.plan.map(({ step }: { step: string }) => step),
      ['record', 'provision', 'configure', 'start'],
    )
    assert.is(await git(), before)
    assert.equal(ok(await cli('ls', '--json')).json.workspaces, [])
    assert.not(existsSync(join(cli.home, '.nexus', 'workspaces')))
  })

  test('of every verb leaves record and state as they are', async () => {
    await using cli = await scene()
    ok(await cli('up', 'x'))
    const before = tree(join(cli.home, '.nexus'))
    for (const [verb, plan] of [
      ['stop', /^\+ stop x/],
      ['pause', /^\+ pause x/],
      ['restart', /^\+ stop x/],
      ['delete', /^\+ remove x/],
      ['resume', /^nothing to do for x/],
      ['start', /^nothing to do for x/],
      ['up', /^nothing to do for x/],
    ] as const) {
      assert.match(ok(await cli(verb, 'x', '--dry-run')).stdout, plan, verb)
      assert.equal(tree(join(cli.home, '.nexus')), before, verb)
    }
  })
})

suite('errors', (test) => {
  for (const [what, args, code, exit] of [
    ['an unknown command', ['frobnicate'], 'INVALID_ARGUMENT', 2],
    ['a mistyped command', ['lsit'], 'INVALID_ARGUMENT', 2],
    ['an unknown option', ['up', 'x', '--frob'], 'INVALID_ARGUMENT', 2],
    ['an option without its value', ['up', 'x', '--from'], 'INVALID_ARGUMENT', 2],
    ['a missing name', ['stop'], 'INVALID_ARGUMENT', 2],
    ['up without a name', ['up'], 'INVALID_ARGUMENT', 2],
    ['a word too many', ['stop', 'x', 'y'], 'INVALID_ARGUMENT', 2],
    ['a command that takes none after --', ['stop', 'x', '--', 'ls'], 'INVALID_ARGUMENT', 2],
    ['a bad name', ['up', 'a b'], 'INVALID_ARGUMENT', 2],
    ['a reserved name', ['up', 'all'], 'INVALID_ARGUMENT', 2],
    ['a name like an option', ['up', '--', '-x'], 'INVALID_ARGUMENT', 2],
    ['a bad port', ['up', 'x', '--port', '99999'], 'INVALID_ARGUMENT', 2],
    ['a bad pull request', ['up', '--pr', '0x1'], 'INVALID_ARGUMENT', 2],
    ['a bad variable', ['up', 'x', '--env', '1=2'], 'INVALID_ARGUMENT', 2],
    ['an unknown revision', ['up', 'x', '--from', 'nowhere'], 'INVALID_ARGUMENT', 2],
    ['an unknown workspace', ['status', 'x'], 'WORKSPACE_NOT_FOUND', 3],
    ['an unknown id', ['delete', 'ws-aaaaaaaa'], 'WORKSPACE_NOT_FOUND', 3],
    ['an unknown repository', ['up', 'x', '--repo', '/nowhere/at/all'], 'REPOSITORY_NOT_FOUND', 3],
    ['an unknown key', ['config', 'get', 'defaults.backned'], undefined, 2],
    ['an unknown shell', ['completion', 'tcsh'], 'INVALID_ARGUMENT', 2],
    ['help for nothing', ['help', 'frobnicate'], 'INVALID_ARGUMENT', 2],
  ] as const) {
    test(`${what}: exit ${exit}, as text and as JSON`, async () => {
      await using cli = await scene()
      const json = await cli('--json', ...args)
      assert.is(json.code, exit, json.stdout + json.stderr)
      const { error, ...others } = json.json
      assert.equal(others, {})
      assert.is(Object.keys(error).sort().join(' '), 'code details hint message retryable')
      if (code !== undefined) assert.is(error.code, code)
      assert.is(ERROR_TABLE[error.code as keyof typeof ERROR_TABLE].exit, exit)
      assert.match(error.hint ?? '', /`[^`]+`/)
      const text = await cli(...args)
      assert.is(text.code, exit)
      assert.is(text.stdout, '')
      assert.ok(text.stderr.includes(error.message), text.stderr)
      assert.not.match(text.stderr, /\bat .*:\d+:\d+|undefined/)
    })
  }

  test('the first of two words alone is told what may follow it', async () => {
    for (const args of [['trash'], ['trash', '--help'], ['--json', 'trash'], ['help', 'trash']]) {
      const { code, stdout, stderr } = await nexus('/', '/nowhere', args)
      assert.is(code, 2)
      const said = stdout + stderr
      assert.match(said, /`nexus trash` needs one more word: list, restore, empty\..*`nexus trash list --help`/s)
    }
    assert.match((await nexus('/', '/nowhere', ['trash', 'lst'])).stderr, /`trash lst`.*`nexus trash list`/s)
  })

  test('a second create is a conflict, exit 4', async () => {
    await using cli = await scene()
    ok(await cli('create', 'x'))
    const again = await cli('create', 'x', '--json')
    assert.is(again.code, 4)
    assert.is(again.json.error.code, 'WORKSPACE_ALREADY_EXISTS')
  })

  test('two creates at once: exactly one wins', async () => {
    await using cli = await scene()
    const codes = (await Promise.all([cli('create', 'x'), cli('create', 'x'), cli('create', 'x')])).map(
      ({ code }) => code,
    )
    assert.equal([...codes].sort(), [0, 4, 4])
    assert.is(ok(await cli('list', '--json')).json.workspaces.length, 1)
  })

  test('what the backend lacks is UNSUPPORTED, exit 2', async () => {
    await using cli = await scene()
    ok(await cli('up', 'x'))
    for (const args of [
      ['ssh', 'x'],
      ['logs', 'x'],
    ]) {
      const outcome = await cli(...args, '--json')
      assert.is(outcome.code, 2, args.join(' '))
      assert.is(outcome.json.error.code, 'UNSUPPORTED', args.join(' '))
    }
  })

  test('only a running one is paused, only a paused one resumed', async () => {
    await using cli = await scene()
    ok(await cli('create', 'x', '--no-start'))
    assert.is((await cli('pause', 'x', '--json')).json.error.code, 'WORKSPACE_NOT_RUNNING')
    assert.is((await cli('resume', 'x', '--json')).json.error.code, 'WORKSPACE_NOT_RUNNING')
  })

  test('exec of a stopped workspace is our own failure, 125, with JSON', async () => {
    await using cli = await scene()
    ok(await cli('create', 'x', '--no-start'))
    const outcome = await cli('exec', 'x', '--json', '--', 'true')
    assert.is(outcome.code, 125)
    assert.is(outcome.json.error.code, 'WORKSPACE_NOT_RUNNING')
    assert.is((await cli('exec', 'nobody', '--', 'true')).code, 3)
    assert.is((await cli('exec', 'x')).code, 2)
  })

  test('an ambiguous name lists the candidates', async () => {
    await using cli = await scene()
    await using other = await tempRepo()
    ok(await cli('up', 'x'))
    ok(await nexus(other.path, cli.home, ['up', 'x']))
    const outcome = await nexus(cli.home, cli.home, ['status', 'x', '--json'])
    assert.is(outcome.code, 4)
    assert.is(outcome.json.error.code, 'NAME_AMBIGUOUS')
    assert.is(outcome.json.error.details.candidates.length, 2)
  })

  test('outside of a repository', async () => {
    await using cli = await scene()
    const outcome = await nexus(cli.home, cli.home, ['up', 'x', '--json'])
    assert.is(outcome.json.error.code, 'REPOSITORY_NOT_FOUND')
  })

  test('in a folder that was removed, as a worktree is under a shell in it', async () => {
    await using cli = await scene()
    const gone = () => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT' })
    }
    const outcome = await nexus(gone, cli.home, ['current', '--json'])
    assert.is(outcome.code, 3)
    assert.match(outcome.json.error.message, /folder .* is not there any more/)
  })

  test('in such a folder, what needs none works', async () => {
    await using cli = await scene()
    const gone = () => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT' })
    }
    for (const args of [
      ['version'],
      ['list', '--all'],
      ['help'],
      ['completion', 'bash'],
      ['up', 'y', '--repo', cli.repo.path],
    ])
      assert.is((await nexus(gone, cli.home, args)).code, 0, args.join(' '))
    assert.is((await nexus(gone, cli.home, ['up', 'z', '--json'])).code, 3)
  })

  test('a home that is not named from the root is refused before anything is made', async () => {
    await using cli = await scene()
    const before = readdirSync(cli.repo.path)
    for (const [env, hint] of [
      [{ NEXUS_HOME: 'here' }, 'export NEXUS_HOME="$PWD/"here'],
      [{ NEXUS_HOME: '~/.nexus' }, 'export NEXUS_HOME="$HOME/.nexus"'],
      [{ NEXUS_HOME: '', HOME: 'here' }, 'export HOME="$PWD/"here'],
    ] as const) {
      const outcome = await nexus(cli.repo.path, cli.home, ['up', 'x', '--json'], env)
      assert.is(outcome.code, 2)
      assert.is(outcome.json.error.code, 'INVALID_ARGUMENT')
      assert.ok(outcome.json.error.hint.includes(hint), outcome.json.error.hint)
    }
    assert.equal(readdirSync(cli.repo.path), before)
  })

  test('a bug of ours is exit 70, and its stack is in a log', async () => {
    await using cli = await scene()
    ok(await cli('up', 'x'))
    // a folder that is no text is nothing that a user can bring about
    const outcome = await nexus(7 as unknown as string, cli.home, ['list', '--json'])
    assert.is(outcome.code, 70)
    assert.is(outcome.json.error.code, 'INTERNAL')
    const { log } = outcome.json.error.details
    assert.ok(existsSync(log), log)
    // of such logs the newest stay, and nothing else goes
    const older = Array.from({ length: 25 }, (_, i) => `crash-2020-01-${10 + i}.log`)
    await writeFiles(dirname(log), Object.fromEntries(['run.log', ...older].map((name) => [name, ''])))
    await nexus(7 as unknown as string, cli.home, ['list'])
    const left = readdirSync(dirname(log)).sort()
    assert.equal(left.slice(0, -3), older.slice(-18))
    assert.ok(left.includes(basename(log)) && left.includes('run.log'))
  })
})

suite('configuration', (test) => {
  test('--backend sets the default unless a variable does, which is said', async () => {
    await using cli = await scene({ NEXUS_BACKEND: 'mock' })
    const outcome = ok(await cli('create', 'x', '--backend', 'docker', '--dry-run'))
    assert.match(outcome.stderr, /NEXUS_BACKEND/)
    assert.match(outcome.stderr, /--backend/)
    await using plain = await scene({ NEXUS_BACKEND: undefined })
    assert.is(ok(await plain('up', 'x', '--backend', 'mock', '--json')).json.backend, 'mock')
  })

  test('an unknown backend names the known ones', async () => {
    await using cli = await scene({ NEXUS_BACKEND: 'moke' })
    const outcome = await cli('up', 'x', '--json')
    assert.is(outcome.code, 2)
    assert.match(outcome.json.error.message, /mock/)
  })

  test('set, get, show and unset', async () => {
    await using cli = await scene()
    ok(await cli('config', 'set', 'defaults.idle_timeout', '1h'))
    assert.is(ok(await cli('config', 'get', 'defaults.idle_timeout')).stdout.trim(), '1h')
    const { settings } = ok(await cli('config', 'show', '--origin', '--json')).json
    const one = settings.find(({ key }: { key: string }) => key === 'defaults.idle_timeout')
    assert.is(one.value, '1h')
    assert.match(one.origin, /config\.yaml/)
    ok(await cli('up', 'wide'))
    const narrowed = ok(await cli('config', 'set', 'ssh.agent_keys', 'me@laptop'))
    assert.match(narrowed.stderr, /reaches further .*: wide \(/)
    assert.not.match(ok(await cli('config', 'unset', 'ssh.agent_keys')).stderr, /reaches/)
    ok(await cli('config', 'unset', 'defaults.idle_timeout'))
    assert.is(ok(await cli('config', 'get', 'defaults.idle_timeout')).stdout.trim(), '30m')
  })
})

suite('help and completion', (test) => {
  for (const command of VERBS.filter(({ hidden }) => hidden !== true)) {
    test(`help of ${command.name}`, async () => {
      const asked = ok(await nexus('/', '/nowhere', [...command.name.split(' '), '--help'])).stdout
      for (const { flag, text } of optionsOf(command)) {
        assert.ok(asked.includes(flag), `${flag} is missing`)
        assert.ok(asked.includes(text), `${text} is missing`)
      }
      assert.ok(asked.includes(command.example), command.example)
      assert.ok(asked.includes(`Usage: nexus ${command.name}`))
      assert.is(ok(await nexus('/', '/nowhere', ['help', ...command.name.split(' ')])).stdout, asked)
      assert.not.match(asked, /undefined/)
    })
  }

  test('without a command, all of them', async () => {
    for (const args of [[], ['--help'], ['-h'], ['help']]) {
      const { stdout } = ok(await nexus('/', '/nowhere', args))
      for (const { name, hidden } of VERBS) assert.is(stdout.includes(`\n  ${name}`), hidden !== true, name)
    }
  })

  test('version', async () => {
    await using cli = await scene()
    assert.is(ok(await cli('version', '--json')).json.version, VERSION)
  })

  for (const [shell, check] of [
    ['bash', ['bash', '-n']],
    ['zsh', ['zsh', '-n']],
    ['fish', ['fish', '--no-execute']],
  ] as const) {
    test(`completion for ${shell}`, async () => {
      const script = ok(await nexus('/', '/nowhere', ['completion', shell])).stdout
      assert.match(script, /nexus complete/)
      const [program = '', ...options] = check
      const there = await runProcess(['which', program])
      if (there.code !== 0) return assert.is.not(shell, 'bash', 'bash is needed')
      const { code, stderr } = await runProcess([program, ...options], { input: script })
      assert.is(code, 0, stderr)
    })
  }

  for (const [words, expected] of [
    [['st'], ['start', 'stop', 'status']],
    [['ws', 'paus'], ['pause']],
    [
      ['stop', ''],
      ['one', 'two'],
    ],
    [['ws', 'stop', 't'], ['two']],
    [
      ['config', 's'],
      ['show', 'set'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['config', 'get', 'defaults.b'], ['defaults.backend']],
    [['up', '--dry'], ['--dry-run']],
    [['frobnicate', ''], []],
  ] as const) {
    test(`completes ${words.join(' ')}`, async () => {
      await using cli = await scene()
      if (words.some((word) => ['stop'].includes(word))) {
        ok(await cli('create', 'one', '--no-start'))
        ok(await cli('create', 'two', '--no-start'))
      }
      const lines = ok(await cli('complete', '--', ...words))
        .stdout.split('\n')
        .filter((line) => line !== '')
      assert.equal([...lines].sort(), [...expected].sort())
    })
  }

  test('every example is understood', async () => {
    await using cli = await scene()
    await mkdir(resolve(cli.home, '.nexus'), { recursive: true })
    for (const { example, endless } of VERBS) {
      const words = example.replace(/^nexus /, '').split(' ')
      if (endless) {
        parse(words)
        continue
      }
      const outcome = await cli(...words, ...(words.includes('--') ? [] : ['--json']))
      if (outcome.code === 2)
        assert.not.match(outcome.stdout + outcome.stderr, /Unknown|unused|Unused|required/, example)
    }
  }, 30_000)
})
