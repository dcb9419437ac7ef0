/** The look at raw compose files: what they name outside of the worktree is found before anything could read it. */
import { mkdir, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import fc from 'fast-check'
import type { Finding } from '../../../lib/stack/model.ts'
import { scanProjectFiles } from '../../../lib/trust/scan.ts'
import { runProcess } from '../../support/process.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { type Files, tempDir, writeFiles } from '../../support/temp.ts'

interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly files?: readonly string[]
  readonly projectDirectory?: string
  /** Further preparation, in the worktree. */
  readonly prepare?: (worktree: string) => Promise<void>
  readonly onArgument?: (name: string) => void
}

/** Scans a worktree with these files; `compose.yaml` alone may be given as text. */
async function scan(given: string | Files, options: Options = {}): Promise<readonly Finding[]> {
  await using dir = await tempDir()
  const worktree = join(dir.path, '.worktree', 'w')
  await writeFiles(worktree, typeof given === 'string' ? { 'compose.yaml': given } : given)
  await options.prepare?.(worktree)
  const { env = {}, files = ['compose.yaml'], projectDirectory, onArgument = () => {} } = options
  return await scanProjectFiles({
    worktree,
    repo: dir.path,
    files: files.map((file) => join(worktree, file)),
    env: { HOME: '/home/u', ...env },
    onArgument,
    ...(projectDirectory === undefined ? {} : { projectDirectory: join(worktree, projectDirectory) }),
  })
}

const told = (findings: readonly Finding[]) => findings.map(({ path, value }) => `${path}: ${value}`)
const service = (text: string) => `services: {app: {image: x, ${text}}}`

suite('scan: what one file names', (test) => {
  for (const [text, ...expected] of [
    [service('env_file: ~/.aws/credentials'), 'services.app.env_file: <home>/.aws/credentials'],
    [service('env_file: [a.env, ../../secret.env]'), 'services.app.env_file: <repo>/secret.env'],
    [service('env_file: [{path: /etc/environment, required: false}]'), 'services.app.env_file: /etc/environment'],
    [service('label_file: /etc/labels'), 'services.app.label_file: /etc/labels'],
    [service('credential_spec: {file: /etc/spec}'), 'services.app.credential_spec.file: /etc/spec'],
    [service('build: ../..'), 'services.app.build.context: <repo>'],
    [service('build: {context: https://example.com/x.git}'), 'services.app.build.context: https://example.com/x.git'],
    [service('build: {context: ., dockerfile: ../../Dockerfile}'), 'services.app.build.dockerfile: <repo>/Dockerfile'],
    [
      service('build: {context: ., additional_contexts: {a: /etc, b: ./b}}'),
      'services.app.build.additional_contexts.a: /etc',
    ],
    [
      service('build: {context: ., additional_contexts: [a=~/x]}'),
      'services.app.build.additional_contexts.a: <home>/x',
    ],
    [
      service('build: {context: ., ssh: [default, k=~/.ssh/id]}'),
      'services.app.build.ssh: default',
      'services.app.build.ssh: k=~/.ssh/id',
    ],
    [service('build: {context: ., ssh: {default: null}}'), 'services.app.build.ssh: default'],
    [service('extends: {file: /etc/base.yaml, service: x}'), 'services.app.extends: /etc/base.yaml'],
    [
      service('extends: {file: "https://example.com/b.yaml", service: x}'),
      'services.app.extends: https://example.com/b.yaml',
    ],
    [service('provider: {type: sh}'), 'services.app.provider: sh'],
    ['secrets: {s: {file: ~/.netrc}}', 'secrets.s.file: <home>/.netrc'],
    ['configs: {c: {file: /etc/shadow}}', 'configs.c.file: /etc/shadow'],
    ['include: /etc/compose.yaml', 'include: /etc/compose.yaml'],
    ['include: [{path: [../../a.yaml, b.yaml]}]', 'include: <repo>/a.yaml'],
    [
      'include: [{path: b.yaml, project_directory: /etc}]',
      'include.env_file: /etc/.env',
      'include.project_directory: /etc',
    ],
    ['include: [{path: b.yaml, env_file: [/dev/null, /etc/x.env]}]', 'include.env_file: /etc/x.env'],
    [
      'include: [{path: /etc/c.yaml, env_file: ~/.aws/credentials}]',
      'include: /etc/c.yaml',
      'include.env_file: <home>/.aws/credentials',
    ],
    ['include: ["oci://example.com/x"]', 'include: oci://example.com/x'],
    ['include: ["git@example.com:a/b.git"]', 'include: git@example.com:a/b.git'],
    ['include: [github.com/a/b]', 'include: github.com/a/b'],
    [
      'x: &x {env_file: /etc/x}\nservices: {a: {<<: *x}, b: {<<: [*x]}}',
      'services.a.env_file: /etc/x',
      'services.b.env_file: /etc/x',
    ],
    ['services: {a: {image: x}}\n---\nservices: {a: {env_file: /etc/x}}', 'services.a.env_file: /etc/x'],
    [service('env_file: !override [/etc/x]'), 'services.app.env_file: /etc/x'],
  ] as const) {
    test(text, async () => assert.equal(told(await scan(text)), expected))
  }

  test('an ordinary file names nothing', async () => {
    const text = `
      services:
        app:
          build: {context: ./app, dockerfile: ../docker/Dockerfile, additional_contexts: {i: docker-image://x, s: service:db}, secrets: [s]}
          env_file: [.env, {path: ./x/../a.env, required: false}]
          extends: {service: base}
          provider: !reset null
          volumes: [/etc:/etc] # judged in the resolved model: nothing is read of it here
        base: {image: x}
        db: {build: {dockerfile_inline: FROM x}}
      secrets: {s: {file: ./s.txt}, e: {environment: X}, o: {external: true}}
      configs: {c: {content: hello}}`
    assert.equal(await scan(text), [])
  })

  test('why is told, the same value not twice', async () => {
    const [found, ...others] = await scan(service('env_file: [/etc/x, /etc/./x]'))
    assert.is(found?.why, 'gives containers files outside of this workspace')
    assert.is(others.length, 0)
  })
})

suite('scan: variables', (test) => {
  const env = { OUT: '/etc', IN: 'sub', EMPTY: '' }
  for (const [path, ...expected] of [
    ['$OUT/x', '/etc/x'],
    ['${NONE:-../..}/x', '<repo>/x'],
    ['${OUT:+../../alt}', '<repo>/alt'],
    ['$NONE/x', '/x'],
    ['$IN/x'],
    ['${IN:?needed}/x'],
    ['${NONE-sub}/x'],
    ['$$HOME/x', '$$HOME/x'],
    ['${A:-${B}}', '${A:-${B}}'],
    ['${COMPOSE_PROJECT_NAME}/x', '${COMPOSE_PROJECT_NAME}/x'],
  ] as const) {
    test(`${path} ${expected.length === 0 ? 'is fine' : `is ${expected}`}`, async () => {
      const values = (await scan(service(`env_file: "${path}"`), { env })).map(({ value }) => value)
      assert.equal(values, expected)
    })
  }

  const included = { 'compose.yaml': 'include: [sub/c.yaml]', 'sub/c.yaml': service('env_file: $P') }
  test("an included file has its own .env, below the project's variables", async () => {
    assert.equal(told(await scan({ ...included, 'sub/.env': 'P=/etc/x\n' })), ['services.app.env_file: /etc/x'])
    assert.equal(await scan({ ...included, 'sub/.env': 'P=/etc/x\n' }, { env: { P: 'fine' } }), [])
    assert.equal(await scan({ ...included, 'sub/.env': 'P="fine"\n' }), [])
  })

  test('behind an env file that is not plain, a variable cannot be told', async () => {
    const files = { ...included, 'sub/.env': 'A="$(x)"\n' }
    assert.equal(told(await scan(files)), ['services.app.env_file: $P'])
    assert.equal(await scan(files, { env: { P: 'fine' } }), [])
  })

  test('a folder called .env is no env file', async () => {
    assert.equal(await scan({ ...included, 'sub/.env/x': '', '.env/x': '' }, { env: { P: 'a' } }), [])
  })
})

suite('scan: following', (test) => {
  test('includes and extended files, each from its own folder', async () => {
    const files = {
      'compose.yaml': 'include: [a/c.yaml]\nservices: {x: {extends: {file: b/base.yaml, service: y}}}',
      'a/c.yaml': 'include: [{path: ../d/e.yaml, project_directory: .}]\nservices: {a: {env_file: ../../../out-a}}',
      'b/base.yaml': 'services: {y: {env_file: ../in, extends: {file: deep/z.yaml, service: z}}}',
      'b/deep/z.yaml': 'services: {z: {env_file: ../../../../out-z}}',
      'd/e.yaml': 'services: {e: {build: ../in}, f: {build: ../../../../out}}',
    }
    const found = await scan(files)
    assert.equal(told(found), [
      'services.a.env_file: <repo>/out-a',
      `services.f.build.context: ${found[1]?.value}`,
      'services.z.env_file: <repo>/out-z',
    ])
    assert.match(found[1]?.value ?? '', /^\/.*\/out$/)
  })

  test("relative paths of the project's files begin at the project directory", async () => {
    const files = { 'infra/dev.yaml': service('env_file: ../x'), 'compose.yaml': service('build: .') }
    assert.equal(await scan(files, { files: ['infra/dev.yaml'] }), [])
    assert.equal(told(await scan(files, { files: ['infra/dev.yaml'], projectDirectory: '.' })), [
      'services.app.env_file: <repo>/.worktree/x',
    ])
    assert.equal(told(await scan(files, { files: ['compose.yaml', 'infra/dev.yaml'] })), [
      'services.app.env_file: <repo>/.worktree/x',
    ])
  })

  test('cycles end', async () => {
    const files = {
      'compose.yaml':
        'include: [a/c.yaml]\nservices: {x: {extends: {file: compose.yaml, service: x}, env_file: /etc/x}}',
      'a/c.yaml': 'include: [../compose.yaml]',
      'a/.env': 'A=1\n',
      '.env': 'B=1\n',
    }
    assert.equal(told(await scan(files)), ['services.x.env_file: /etc/x'])
  })

  test('what lies outside is not read', async () => {
    // were it read, it would be an error: it is no YAML
    const findings = await scan('include: [../broken.yaml]', {
      prepare: (worktree) => writeFiles(join(worktree, '..'), { 'broken.yaml': '[' }),
    })
    assert.equal(told(findings), ['include: <repo>/.worktree/broken.yaml'])
  })

  test('files that are missing are left to compose', async () => {
    assert.equal(await scan('include: [none.yaml]', { files: ['compose.yaml', 'none.yaml'] }), [])
  })

  test('too many files, and too deep', async () => {
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`f${i}.yaml`, '{}']))
    const wide = { ...many, 'compose.yaml': `include: [${Object.keys(many)}]` }
    assert.match((await rejects(() => scan(wide), 'CONFIG_INVALID')).message, /more than 100 compose files/)
    const chain = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}.yaml`, `include: [f${i + 1}.yaml]`]))
    const deep = { ...chain, 'compose.yaml': 'include: [f0.yaml]' }
    assert.match((await rejects(() => scan(deep), 'CONFIG_INVALID')).message, /more than 20 levels/)
  })

  test('a list that names the same file for many services is bounded', async () => {
    const list = `x: &x [${'a,'.repeat(3_000)}]`
    const many = Array.from({ length: 10 }, (_, i) => `  s${i}: {env_file: *x}`).join('\n')
    const error = await rejects(() => scan(`${list}\nservices:\n${many}\n`), 'CONFIG_INVALID')
    assert.match(error.message, /names more than 20000 files/)
  })
})

suite('scan: links', (test) => {
  test('a file, a folder or the .env that leads out', async () => {
    const prepare = async (worktree: string) => {
      await symlink('/etc/passwd', join(worktree, 'linked.env'))
      await symlink('../..', join(worktree, 'up'))
      await symlink('/etc/environment', join(worktree, '.env'))
      await symlink('../../outside.yaml', join(worktree, 'second.yaml'))
      await mkdir(join(worktree, 'real'))
      await symlink('real', join(worktree, 'fine'))
    }
    const text = service('env_file: [linked.env, up/x, fine/new.env], build: fine/../up')
    assert.equal(told(await scan(text, { prepare, files: ['compose.yaml', 'second.yaml'] })), [
      '.env: <worktree>/.env (leads to /etc/environment)',
      'compose file: <worktree>/second.yaml (leads to <repo>/outside.yaml)',
      'services.app.build.context: <worktree>/up (leads to <repo>)',
      'services.app.env_file: <worktree>/linked.env (leads to /etc/passwd)',
      'services.app.env_file: <worktree>/up/x (leads to <repo>/x)',
    ])
  })

  test('git data count as outside', async () => {
    assert.equal(told(await scan(service('env_file: .git'))), ['services.app.env_file: <worktree>/.git'])
  })

  test('a pipe is refused and holds nobody up', async () => {
    const prepare = async (worktree: string) => {
      assert.is((await runProcess(['mkfifo', join(worktree, 'c.yaml')])).code, 0)
    }
    const error = await rejects(() => scan('include: [c.yaml]', { prepare }), 'CONFIG_INVALID')
    assert.match(error.message, /is a named pipe, not a file/)
  })
})

suite('scan: the .env', (test) => {
  test('variables that direct Docker are told, others are not', async () => {
    const env =
      'DOCKER_HOST=tcp://example.com:1\nexport LD_PRELOAD=./x.so\nDOCKER_TAG=1\nGIT_SHA=a\nCOMPOSE_FILE=a.yaml\n# DOCKER_CONFIG=x\n'
    assert.equal(told(await scan({ 'compose.yaml': service('tty: true'), '.env': env })), [
      '.env: DOCKER_HOST',
      '.env: LD_PRELOAD',
    ])
  })

  test('a build argument without a value of its own is told by its name', async () => {
    const names: string[] = []
    const text =
      'services:\n  a: {build: {context: ., args: [A, "B=1"]}}\n  b: {build: {args: {C: , D: 1}}}\n  c: {build: .}\n'
    await scan(text, { onArgument: (name) => names.push(name) })
    assert.equal(names, ['A', 'C'])
  })

  test('where compose files are fetched, all variables are told, and no value', async () => {
    const files = { 'compose.yaml': 'include: ["https://example.invalid/x.git"]', '.env': 'OPENSSL_CONF=secret\n' }
    const [env = '', include, ...others] = told(await scan(files))
    assert.match(env, /^\.env: all variables \(sha256 [0-9a-f]{32}\)$/)
    assert.equal([include, ...others], ['include: https://example.invalid/x.git'])
    const changed = told(await scan({ ...files, '.env': 'OPENSSL_CONF=other\n' }))
    assert.not.equal(changed[0], env)
  })
})

suite('scan: any path', (test) => {
  test('climbing is found, whatever the steps', async () => {
    const steps = fc.array(fc.constantFrom('..', '.', 'a', 'b', 'w'), { minLength: 1, maxLength: 6 })
    const paths = fc.uniqueArray(
      steps.map((words) => words.join('/')),
      { minLength: 1, maxLength: 20 },
    )
    await fc.assert(
      fc.asyncProperty(paths, async (list) => {
        const expected = list.filter((path) => !join('/1/2/3/4/5/6/w', path).startsWith('/1/2/3/4/5/6/w'))
        const found = await scan(service(`env_file: ${JSON.stringify(list)}`))
        assert.is(found.length > 0, expected.length > 0, JSON.stringify(list))
        const [worst] = expected
        if (worst !== undefined) assert.is((await scan(service(`env_file: ${JSON.stringify(worst)}`))).length, 1)
      }),
      { numRuns: 30 },
    )
  })

  for (const [text, place] of [
    ['services:\n  a: {env_file: [\n', 'compose.yaml:'],
    ['services:\n\tb: 1\n', 'compose.yaml:2:'],
    [`services: ${'{a: '.repeat(60)}${'}'.repeat(60)}`, 'compose.yaml:1:'],
  ] as const) {
    test(`${JSON.stringify(text.slice(0, 30))} is an error with its place`, async () => {
      const error = await rejects(() => scan(text), 'CONFIG_INVALID')
      assert.ok(error.message.includes(place), error.message)
    })
  }
})

suite('scan: what the resolved model is made from', (test) => {
  test('names included and extended files and files of variables, there or not, and nothing else', async () => {
    await using dir = await tempDir()
    await writeFiles(dir.path, {
      'compose.yaml': `include: [{path: db/compose.yaml, env_file: db/db.env}, mail/compose.yaml]
services:
  a: {image: x, env_file: [conf/a.env, {path: conf/none.env, required: false}], configs: [c]}
  b: {extends: {file: common/base.yaml, service: b}}
configs: {c: {file: conf/c.yaml}}
`,
      'db/compose.yaml': 'services: {db: {image: "x:${TAG}", env_file: own.env}}\n',
      'db/db.env': 'TAG=1\n',
      'mail/compose.yaml': 'services: {mail: {image: x}}\n',
      'common/base.yaml': 'services: {b: {image: x, env_file: ../../outside.env}}\n',
    })
    const seen = new Set<string>()
    const files = [join(dir.path, 'compose.yaml')]
    const onInput = (file: string) => seen.add(relative(dir.path, file))
    await scanProjectFiles({ worktree: dir.path, repo: '/elsewhere', files, env: {}, onInput })
    assert.equal([...seen].sort(), [
      'common/base.yaml',
      'compose.yaml',
      'conf/a.env',
      'conf/none.env',
      'db/compose.yaml',
      'db/db.env',
      'db/own.env',
      'mail/.env',
      'mail/compose.yaml',
    ])
  })
})
