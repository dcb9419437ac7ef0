/** Pure parts of what a project brings: templates, caches, seeds, secrets, places of errors, mapping of shared services. */
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ownVariables } from '../../../lib/backends/docker/own-variables.ts'
import { databaseCommand } from '../../../lib/backends/docker/shared.ts'
import { readStarted, writeStarted } from '../../../lib/backends/docker/started.ts'
import type { WorkspaceId, WorkspaceName } from '../../../lib/core/names.ts'
import { homePaths } from '../../../lib/core/paths.ts'
import { parseDuration } from '../../../lib/core/time.ts'
import type { WorkspaceRecord } from '../../../lib/core/workspace.ts'
import { substitute } from '../../../lib/project/env-template.ts'
import { createBelow } from '../../../lib/project/ignored-files.ts'
import { resolveSecrets } from '../../../lib/project/secrets.ts'
import { buildArgs, cacheVolumes } from '../../../lib/stack/caches.ts'
import { databaseName } from '../../../lib/stack/database.ts'
import { secretsOf, withSecrets } from '../../../lib/stack/secrets.ts'
import { planSeed } from '../../../lib/stack/seed.ts'
import { sharedModel, withoutShared } from '../../../lib/stack/shared.ts'
import type { Runner } from '../../../lib/system/exec.ts'
import { formatCompose } from '../../../lib/system/render.ts'
import { requireRepository } from '../../../lib/tools/repository.ts'
import {
  openVariables,
  projectEnvironment,
  readingEnvironment,
  startingEnvironment,
  tellHidden,
  visibleVariables,
  withOwnNames,
} from '../../../lib/trust/environment.ts'
import { cachePlace } from '../../../lib/workspace/exec/run.ts'
import { initProject } from '../../../lib/workspace/stack/init.ts'
import { CONTAINERS, localIn, makeRecord } from '../../support/app.ts'
import { openLocalApp } from '../../support/local-app.ts'
import { runProcess } from '../../support/process.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir, writeFiles } from '../../support/temp.ts'

suite('templates of ignored files', (test) => {
  const values = { 'ports.web': '33001', name: 'x' }

  test('names in double braces alone are replaced', () => {
    const text = 'A={{ports.web}} B={{ name }} {single} {{{name}}} $HOME ${X}\n'
    assert.is(substitute('t', text, values), 'A=33001 B=x {single} {x} $HOME ${X}\n')
  })

  for (const [text, said] of [
    ['{{ports.wbe}}', /^t:1:1: .*\{\{ports\.web\}\}/],
    ['one\n  {{#if x}}', /^t:2:3: /],
    ['{{constructor}}', /names nothing/],
    ['{{__proto__}}', /names nothing/],
  ] as const) {
    test(`${text} is refused`, () => assert.throws(() => substitute('t', text, values), said))
  }

  test('a value with a line break never gets in', () => {
    assert.throws(() => substitute('t', '{{name}}', { name: 'a\nB=1' }), /line break/)
  })

  test('before ports are leased, what is not known yet is 0', () => {
    assert.is(substitute('t', '{{ports.later}}', values, true), '0')
  })
})

suite('caches', (test) => {
  test('a volume for the repository and folder, the same each time', () => {
    const [first] = cacheVolumes('i', { repo: '/r', isolation: 'standard' }, ['~/.npm'])
    assert.is(first?.target, '/home/nexus/.npm')
    assert.equal(cacheVolumes('i', { repo: '/r', isolation: 'standard' }, ['~/.npm/']), [first])
    assert.is.not(cacheVolumes('i', { repo: '/other', isolation: 'standard' }, ['~/.npm'])[0]?.name, first?.name)
    assert.match(first?.name ?? '', /^nexus-cache-[0-9a-f]{8}-home-nexus-npm-[0-9a-f]{4}$/)
  })

  for (const folder of ['npm', '/', '/home/nexus', '~', '/a/../b', '/etc', '/etc/nexus', 'a b', '/x:/y']) {
    test(`${folder} is refused`, () =>
      assert.throws(() => cacheVolumes('i', { repo: '/r', isolation: 'standard' }, [folder]), /caches names/))
  }
})

suite('seeds', (test) => {
  const facts = {
    service: undefined,
    run: 'make seed',
    inputs: ['a'],
    worktree: '/w',
    isolation: 'standard',
  } as const
  const db = { image: 'postgres:16', volumes: [{ type: 'volume', source: 'data', target: '/d' }] }

  test('the first database, and its volumes', () => {
    const { service, volumes } = planSeed(facts, { web: { image: 'nginx' }, db })
    assert.equal([service, volumes], ['db', ['data']])
  })

  test('the hash follows from command, inputs, image and variables, not from the worktree', () => {
    const hash = (change: object, service: object = {}) =>
      planSeed({ ...facts, ...change }, { db: { ...db, ...service } }).hash
    const same = hash({})
    assert.is(hash({ worktree: '/v' }, { build: undefined }), same)
    const changed = [
      hash({ run: 'x' }),
      hash({ inputs: ['b'] }),
      hash({ isolation: 'agent' }),
      hash({}, { image: 'postgres:17' }),
      hash({}, { environment: { A: '1' } }),
    ]
    assert.is(new Set([same, ...changed]).size, 6)
    const built = (worktree: string) =>
      planSeed({ ...facts, worktree }, { db: { ...db, build: { context: `${worktree}/db` } } }).hash
    assert.is(built('/v'), built('/w'))
  })

  test('a service that is not there or keeps nothing is refused', () => {
    assert.throws(() => planSeed({ ...facts, service: 'nope' }, { db }), /no service "nope"/)
    assert.throws(() => planSeed(facts, { web: { image: 'nginx' } }), /no database/)
    assert.throws(() => planSeed(facts, { db: { image: 'postgres' } }), /no named volume/)
  })
})

suite('secrets', (test) => {
  const runner = { run: () => Promise.reject(new Error('not asked for')) } as unknown as Runner
  const secret = (from: string) =>
    new Map([['key', { from, variable: undefined, services: undefined, fromProject: false }]])
  const resolve = (from: string, env = {}) => resolveSecrets(secret(from), { runner, env })

  test('from a variable', async () => assert.equal([...(await resolve('env://A', { A: 'v' }))], [['key', 'v']]))

  for (const [from, said] of [
    ['env://MISSING', /key \(env:\/\/MISSING\).*not set/],
    ['file:///does/not/exist', /does not exist/],
    ['file://relative', /not an absolute path/],
    ['plain text', /no reference/],
    ['vault://x', /no reference/],
  ] as const) {
    test(`${from} has no value`, async () => {
      const error = await resolve(from).then(
        () => undefined,
        (failure: unknown) => failure,
      )
      assert.match(String((error as Error | undefined)?.message), said)
    })
  }

  test('a service gets a file, and a variable that raw compose asks for', () => {
    const record = {
      secrets: [
        { name: 'a', from: 'env://A' },
        { name: 'b', from: 'cmd://pass $x', variable: 'B', services: ['web'] },
      ],
    } as unknown as WorkspaceRecord
    assert.equal(
      secretsOf(record, 'workspace').map(({ name }) => name),
      ['a'],
    )
    const text = formatCompose(withSecrets({ image: 'x' }, secretsOf(record, 'web'), '/dev/shm/n'), '#')
    assert.match(text, /B: "\$\{NEXUS_SECRET_B:\?secret b comes from cmd:\/\/pass x, start with nexus up\}"/)
    assert.match(text, /source: "\/dev\/shm\/n\/b"/)
  })
})

suite('shared services', (test) => {
  const model = {
    name: 'p',
    services: {
      app: { image: 'a', depends_on: { db: { condition: 'service_healthy' } }, networks: { default: null } },
      db: {
        image: 'postgres',
        ports: [{ target: 5432 }],
        container_name: 'db',
        environment: { PASS: 'a$$b' },
        volumes: [{ type: 'volume', source: 'data', target: '/d' }],
      },
    },
    volumes: { data: { name: 'p_data' }, other: { name: 'p_other' } },
  }

  test('run in a project of their own, without ports and fixed names', () => {
    const text = formatCompose(
      sharedModel({
        ...{ model, names: ['db'], project: 'nexus-shared-1', labels: { l: '1' }, worktree: '/w', repo: '/r' },
        buildArgs: buildArgs('a'),
      }),
      '#',
    )
    assert.match(text, /PASS: "a\$\$b"/)
    for (const gone of ['container_name', 'ports', 'p_data', 'other']) assert.not.match(text, new RegExp(gone))
  })

  test('are taken out of the workspace, whose services reach them', () => {
    const text = formatCompose({ services: withoutShared({ app: {}, db: {} }, model, ['db']) }, '#')
    assert.match(text, /app:\n {4}depends_on:\n {6}db:\n {8}condition: "service_healthy"\n {8}required: false/)
    assert.match(text, /db:\n {4}profiles: !override\n {6}- "nexus-shared"/)
  })

  test('a database of the workspace', async () => {
    const named = (name: string) => ({ id: 'ws-abc' as WorkspaceId, name: name as WorkspaceName })
    assert.is(databaseName(named('feature-auth')), 'feature_auth_abc')
    assert.is(databaseName(named('2fa')), 'w_2fa_abc')
    assert.is(databaseName({ ...named('new'), madeAs: named('old').name }), 'old_abc')
    await using dir = await tempDir()
    for (const program of ['psql', 'mariadb']) {
      const text = `#!/bin/sh\nfor word; do :; done\necho "$word" >> "$ASKED"\n`
      await writeFile(join(dir.path, program), text, { mode: 0o755 })
    }
    const env = { PATH: `${dir.path}:${process.env.PATH}`, ASKED: join(dir.path, 'asked'), MYSQL_USER: 'me' }
    const asked = async (engine: 'postgres' | 'mysql', what: 'create' | 'drop') => {
      await writeFile(env.ASKED, '')
      assert.is((await runProcess(databaseCommand({ service: 'db', engine, name: 'x_1' }, what), { env })).code, 0)
      return (await readFile(env.ASKED, 'utf8')).trim().split('\n')
    }
    const seen = "SELECT 1 FROM pg_database WHERE datname='x_1'"
    assert.equal(await asked('postgres', 'create'), [seen, 'CREATE DATABASE x_1'])
    assert.equal(await asked('postgres', 'drop'), ['DROP DATABASE IF EXISTS x_1 WITH (FORCE)'])
    const grant = "GRANT ALL ON x_1.* TO 'me'@'%'"
    assert.equal(await asked('mysql', 'create'), ['CREATE DATABASE IF NOT EXISTS x_1', grant])
    assert.equal(await asked('mysql', 'drop'), ['DROP DATABASE IF EXISTS x_1'])
  })
})

suite('small things', (test) => {
  test('init in a sub-folder with a compose file says how it is run, unless a configuration is there and stays', async () => {
    await using local = await openLocalApp({ files: { 'shop/compose.yaml': 'services: {}\n' } })
    const repo = requireRepository(local.repo.path)
    const init = (make: boolean) =>
      initProject({ ...local.app, cwd: join(repo.root, 'shop') }, { repo, make, force: false, dryRun: false })
    const hints = () => local.events.flatMap((event) => (event.type === 'warning' ? [event.hint] : []))
    await init(false)
    assert.equal(hints(), ['To run it, run `nexus config set --project compose.files shop/compose.yaml`'])
    await init(true)
    assert.is(hints().length, 1)
  })

  test('the place of an image cache is a folder or a repository of a registry, as Docker tells them apart', () => {
    const place = (given: string) => cachePlace(given, '/repo')
    assert.is(place('.nexus-image'), '/repo/.nexus-image')
    assert.is(place('ci/cache'), '/repo/ci/cache')
    assert.is(place('/var/cache/nexus/'), '/var/cache/nexus')
    assert.is(place('registry.example.org/team/nexus/'), 'registry.example.org/team/nexus')
    assert.is(place('localhost:5000/nexus'), 'localhost:5000/nexus')
    for (const given of ['registry.example.org/Team', 'registry.example.org', 'localhost:5000//x', 'a.b/x:tag'])
      assert.throws(() => place(given), /neither a folder nor a repository/, given)
  })

  test('durations', () => {
    assert.equal(['1h30m', '90s', '1d', 'off'].map(parseDuration), [5_400_000, 90_000, 86_400_000, undefined])
  })

  test('only what is needed and named of the environment', () => {
    const given = { PATH: 'p', DOCKER_PASSWORD: 's', DOCKER_HOST: 'd', NAMED: 'n', https_proxy: 'x' }
    const env = projectEnvironment(given, ['NAMED'])
    assert.equal(env, { ...given, DOCKER_PASSWORD: undefined })
    assert.equal(visibleVariables(given, ['NAMED', 'MISSING']), { PATH: 'p', NAMED: 'n' })
    assert.equal(startingEnvironment(given, ['NAMED', 'PATH']), { NAMED: 'n' })
    const reading = readingEnvironment(given, ['https_proxy'])
    assert.equal([reading.PATH, reading.https_proxy, reading.DOCKER_HOST], ['p', 'x', undefined])
    assert.ok('DOCKER_HOST' in reading && 'HTTPS_PROXY' in reading, 'taken away by name')
  })

  test('a value that is missing is not taken from what compose needs itself', () => {
    const service = (environment: Record<string, string | null>) => ({ environment })
    const model = {
      name: 'x',
      services: {
        a: service({ DOCKER_HOST: null, FOO: null, HTTPS_PROXY: '', NEXUS_SECRET_TOKEN: null }),
        b: service({ HTTP_PROXY: null }),
        c: {},
      },
    }
    const { a, b, c } = withOwnNames(model).services
    assert.equal([a, b, c], [service({ FOO: null, HTTPS_PROXY: '' }), service({}), {}])
    const [text = '', ...others] = tellHidden(openVariables(model), { HTTP_PROXY: 'x', DOCKER_HOST: 'd', FOO: 'y' }, [
      'DOCKER_HOST',
    ])
    assert.match(text, /variable HTTP_PROXY, .* env\.pass$/)
    assert.equal(others, [])
  })

  test('what lies in a folder', () => {
    const isBelow = createBelow(['a', 'b/', 'c/d/'])
    assert.equal(
      ['a', 'b/', 'b/x', 'b/x/y/', 'c/d/e', 'c/d/'].filter((path) => !isBelow(path)),
      [],
    )
    assert.equal(['ab', 'a/x', 'b', 'c/', 'c/e', 'c/de', '/b/'].filter(isBelow), [])
  })
})

suite('variables of secrets and configs', (test) => {
  test("come from the project's .env where this machine gives none, and never through a link", async () => {
    await using dir = await tempDir()
    const worktree = join(dir.path, 'w')
    const home = homePaths(join(dir.path, '.nexus'))
    const stack = {
      files: ['sub/compose.yaml'],
      profiles: [],
      pass: [],
      main: 'workspace',
      base: { kind: 'default' },
    } as const
    const record = makeRecord('x', dir.path, { local: localIn(dir.path, worktree), docker: { ...CONTAINERS, stack } })
    const from = (environment: string) => ({ name: 'n', environment })
    const model = {
      name: 'x',
      services: {},
      secrets: { a: from('A'), b: from('B'), c: { file: '/c' } },
      configs: { d: from('D') },
    }
    const ask = () => {
      const { NEXUS_VALUE_A, NEXUS_VALUE_B, NEXUS_VALUE_D, ...others } = ownVariables(record, named, { B: 'given' })
      assert.equal(others, {})
      assert.is(NEXUS_VALUE_B, 'given')
      return { A: NEXUS_VALUE_A, D: NEXUS_VALUE_D }
    }
    await mkdir(join(home.workspaces, record.id), { recursive: true })
    const named = await writeStarted(home, record, model)
    assert.equal(await readStarted(home, record), model, 'what is compared has the names of the project')
    await writeFiles(worktree, { '.env': 'A=top\n', 'sub/compose.yaml': '' })
    assert.equal(ask(), { A: 'top', D: undefined })
    await writeFiles(worktree, {
      'sub/.env': 'A=near # no plain line\nB=own\nexport D="two words"\nA=plain\nUNASKED=1\n',
    })
    assert.equal(ask(), { A: 'plain', D: 'two words' })
    await writeFiles(dir.path, { outside: 'A=stolen\nD=stolen\n' })
    await rm(join(worktree, 'sub', '.env'))
    await rm(join(worktree, '.env'))
    await symlink('../../outside', join(worktree, 'sub', '.env'))
    assert.equal(ask(), { A: undefined, D: undefined })
  })
})
