/**
 * What house style says in prose, held by reading the source tree: layers, one door per dangerous thing, nothing printed
 * from below, no registry named, templates that only quote. Each rule stands in a table with its reason and with samples
 * that break it; a rule that does not find its own samples fails.
 */
import { dirname } from 'node:path'
import { importCircles, listCircles } from '../support/circles.ts'
import {
  BRANCHES_MAX,
  FUNCTION_LINES_MAX,
  functionProblems,
  isBarrel,
  layerProblems,
  linesWith,
  namesExportedTwice,
  openingImports,
  roomProblems,
  templateProblems,
} from '../support/rules.ts'
import { listImports, listSourceFiles, type SourceFile } from '../support/source.ts'
import { assert, suite } from '../support/suite.ts'

interface Rule {
  readonly rule: string
  readonly why: string
  /** Paths that it applies to. */
  readonly where: RegExp
  /** What breaks it, in words; empty when nothing does. */
  readonly find: (file: SourceFile) => readonly string[]
  readonly bad: readonly SourceFile[]
  /** Near misses that must pass. */
  readonly good?: readonly SourceFile[]
}

const LIB = /^lib\/.*\.ts$/
const PRODUCT = /^(lib|scripts)\/.*\.ts$/
const CODE = /^(lib|scripts|test|bench)\/.*\.(ts|mjs)$/

/** How functions begin. */
const HEADS = [
  'function work(a: A): B {',
  'export async function* work() {',
  'const work = async (a: A): Promise<B> => {',
  'work: (a) => {',
  'async work<T>(a) {',
  'export async function work(\n  a: A,\n): Promise<B> {',
  'const work = (\n  a: A,\n) => {',
  'export async function work({\n  a,\n}: A): Promise<B> {',
] as const
const BRANCHES = ['if (a) b()', 'for (;;) b()', 'while (a) b()', 'case a:', '} catch {', 'b(a ? c : d)']

/** Files that open files, and what each opens. */
const OPENERS: Readonly<Record<string, string>> = {
  'lib/system/read.ts': 'the one reader',
  'lib/system/store.ts': 'writes; it copies files of this home',
  'lib/system/run-files.ts': 'writes what a server keeps',
  'lib/system/reserve.ts': 'room of this home, which is only made longer and shorter',
  'lib/system/modes.ts': 'opens folders and files to change their modes',
  'lib/system/net.ts': "what the kernel's /proc says of a container's network",
  'lib/system/stamp.ts': 'small notes of this home',
  'lib/system/process.ts': "the kernel's /proc, where a failed read must not pass for an ended process",
  'lib/system/within.ts': 'copies what read.ts has opened',
  'lib/system/pump.ts': 'writes to our own stdout and stderr, which are open',
  'lib/system/tree.ts': 'walks what a workspace writes to, each folder opened in the one above it, without waiting',
  'lib/system/unpack.ts': 'writes what comes out of a workspace',
  'scripts/nexus.ts': 'the program itself and its cache, before anything is loaded',
  'scripts/ssh-proxy.ts': "its terminal and the kernel's /proc",
  'lib/verbs/api.ts': 'the file or pipe that the user names',
}

/** Written so that no pattern matches its own source. */
const REGISTRIES = [
  /npm[j]s/,
  /yarn[p]kg/,
  /(deb|security|snapshot|archive|ports)\.(debian|ubuntu)\./,
  /proxy\.golang/,
  /\bpyp[i]\b/,
  /python[h]osted/,
  /crates\.io/,
  // as the host of a URL or of an image; Debian's package of that name, or `<package>/<suite>`, is fine
  /(\/\/|\.)(docker|ghcr|quay)\.io\b/,
  /\b(docker|ghcr|quay)\.io(:\d|\/[\w-]+[/:@])/,
]

const RULES: readonly Rule[] = [
  {
    rule: 'imports point one way, from layer to layer',
    why: 'a layer can be understood, tested and replaced without those above it',
    where: LIB,
    find: layerProblems,
    bad: [
      file('lib/core/names.ts', importing('../system/exec.ts')),
      file('lib/tools/git.ts', importing('../config/load.ts', 'type { Config }')),
      file('lib/report/text.ts', "const late = await import('../workspace/up.ts')"),
      file('lib/workspace/up.ts', importing('../../scripts/main.ts')),
      file('lib/workspace/up.ts', importing('../../test/support/temp.ts')),
      file('lib/ports/owner.ts', "export { run } from '../tools/git.ts'"),
      file('lib/newlayer/thing.ts', importing('../core/names.ts')),
      file('lib/loose.ts', ''),
    ],
    good: [
      file('lib/backends/docker/backend.ts', importing('../../ports/blocks.ts')),
      file('lib/backends/docker/files.ts', importing('../../../templates/sshd_config.hbs')),
      file('lib/core/names.ts', "// import x from '../system/exec.ts'"),
    ],
  },
  {
    rule: 'the rooms of lib/workspace stand on each other, without circles',
    why: 'a verb can be read with what it stands on, and the room for a change is told by its name',
    where: /^lib\/workspace\/.*\.ts$/,
    find: roomProblems,
    bad: [
      file('lib/workspace/app.ts', importing('./status/list.ts')),
      file('lib/workspace/lifecycle/up.ts', importing('../trash/delete.ts')),
      file('lib/workspace/git/merge.ts', "const late = await import('../trash/delete.ts')"),
      file('lib/workspace/newroom/thing.ts', ''),
      file('lib/workspace/operation/operate.ts', "await import('../recover.ts')"),
      file('lib/workspace/lifecycle/stop-pause.ts', importing('../open-app.ts')),
    ],
    good: [
      file('lib/workspace/lifecycle/stop-pause.ts', importing('../stack/hooks.ts')),
      file('lib/workspace/lifecycle/stop-pause.ts', importing('./repair.ts')),
      file('lib/workspace/exec/copy.ts', importing('../app.ts')),
      file('lib/workspace/open-app.ts', "await import('./recover.ts')"),
    ],
  },
  {
    rule: 'an import says in plain text what it loads',
    why: 'otherwise no rule here could see through which door it goes',
    where: PRODUCT,
    find: (source) => linesWith(source, /\bimport\(\s*[^'"\s]|\brequire\(|\bcreateRequire\b|\bgetBuiltinModule\b/),
    bad: [file('lib/core/a.ts', 'await import(name)'), file('lib/core/b.ts', 'const fs = require("fs")')],
    good: [file('lib/core/a.ts', "await import('./names.ts')"), file('lib/core/b.ts', 'requireValue(args)')],
  },
  door(/^lib\/system\/(runner|begin|capture|life-line|detached)\.ts$/, /^zx(\/|$)|^(node:)?(child_process|cluster)$/, {
    rule: 'only lib/system/runner.ts, with begin.ts, capture.ts and life-line.ts behind it and detached.ts beside it, starts processes',
    why: 'argv arrays, time limits, groups that are killed whole and a clean environment are decided once',
    bad: [importing('zx/core', '{ $ }'), importing('node:child_process', '{ spawn }'), importing('child_process')],
  }),
  door(/^lib\/system\/runner\.ts$/, /\/(begin|capture)\.ts$/, {
    rule: 'only lib/system/runner.ts loads begin.ts and capture.ts',
    why: 'three files, one door: what is behind it is not reached around it',
    bad: [importing('../system/capture.ts', '{ runCaptured }'), "await import('../system/capture.ts')"],
  }),
  {
    rule: 'only lib/system/environment.ts says which variables a child gets',
    why: 'docker and compose work in folders of strangers: no call may forget to disarm git for them',
    where: /^lib\/(?!system\/(environment|exec)\.ts$).*\.ts$/,
    find: (source) => linesWith(source, /\bcleanEnvironment\b/),
    bad: [file('lib/system/begin.ts', 'env: cleanEnvironment(environment),')],
    good: [file('lib/system/begin.ts', 'env: childEnvironment(argv, environment),')],
  },
  {
    rule: 'only lib/backends/docker/own-container.ts writes `docker run`, in an image that is named by no record',
    why: 'an image that a project decides would run its programs with the rights of a helper',
    where: /^lib\/.*\.ts$/,
    find: (source) =>
      source.path === 'lib/backends/docker/own-container.ts'
        ? linesWith(source, /\.image\b|\bimage: \w+ \}|\{[^}]*\bimage\b[^}]*\} = /)
        : linesWith(source, /(['"])run\1, *(['"])-|\bdocker\.runOnce\(/),
    bad: [
      file('lib/backends/docker/own-container.ts', 'helperArgs(record.image, task)'),
      file('lib/backends/docker/own-container.ts', 'const { image: name } = record'),
      file('lib/backends/docker/seeds.ts', "await docker.runOnce(['x'])"),
      file('lib/backends/docker/a.ts', "return ['docker', 'run', '--rm', image]"),
    ],
    good: [
      file('lib/backends/docker/own-container.ts', 'await docker.runOnce(helperArgs(id, task))'),
      file('lib/ssh/a.ts', "join(home, 'run', 'git')"),
    ],
  },
  {
    rule: "zx's json(), text() and lines() are not called",
    why: 'they read stdout and stderr mixed, so that a warning of the tool breaks the answer',
    where: /^lib\/system\/(runner|capture)\.ts$/,
    find: (source) => linesWith(source, /\.(json|text|lines)\(/),
    bad: [file('lib/system/runner.ts', 'return (await child).json()')],
  },
  door(/^lib\/system\/lock\.ts$/, /^proper-lockfile$/, {
    rule: 'only lib/system/lock.ts locks',
    why: 'the library takes a stale lock over in a race; lock.ts puts the kernel before it',
    bad: [importing('proper-lockfile', 'lockfile')],
  }),
  {
    rule: 'only lib/system/read.ts reads files and lib/system/store.ts writes them; the others that open files stand in OPENERS',
    why: 'a file that is read may be a pipe, a device or endless; one that is written is replaced in one step, and a full disk is told as such',
    where: PRODUCT,
    find: (source) => (Object.hasOwn(OPENERS, source.path) ? [] : openingImports(source)),
    bad: [
      file('lib/core/a.ts', importing('node:fs/promises', '{ readFile, writeFile }')),
      file('lib/core/a.ts', importing('node:fs', '{ type Stats, createWriteStream as out }')),
      file('lib/core/a.ts', importing('fs', '* as fs')),
      file('lib/core/a.ts', importing('node:fs')),
      file('lib/core/a.ts', "const { cp } = await import('node:fs/promises')"),
      file('lib/core/a.ts', importing('node:fs/promises', '{ open }')),
      file('lib/core/a.ts', importing('node:fs', '{ readFileSync }')),
      file('lib/core/a.ts', importing('node:fs', '{ createReadStream }')),
      file('scripts/commands/a.ts', importing('node:fs/promises', '{ readFile as text }')),
      file('scripts/commands/a.ts', importing('node:fs', '{ openAsBlob }')),
    ],
    good: [
      file('lib/core/a.ts', importing('node:fs', '{ existsSync, readdirSync, type Stats }')),
      file('lib/core/a.ts', importing('../system/read.ts', '{ readPlain }')),
      file('lib/core/a.ts', importing('../system/store.ts', '{ writeFileAtomic }')),
    ],
  },
  {
    rule: 'the configuration of a workspace that is there comes from projectOf, for a rebuild from projectInFiles',
    why: "the file in an agent's worktree says what the agent wrote there; what the user chose is kept in the home",
    where: /^lib\/workspace\/(?!(trust\/choice|stack\/init|lifecycle\/(draft|adopt))\.ts$).*\.ts$/,
    find: (source) => linesWith(source, /['"`/]\.nexus\/config\.yaml['"`]|\bprojectIn\(/),
    bad: [
      file('lib/workspace/lifecycle/a.ts', "const path = join(worktree, '.nexus/config.yaml')"),
      file('lib/workspace/lifecycle/up.ts', 'const project = projectIn([record.worktree])'),
    ],
    good: [file('lib/workspace/lifecycle/a.ts', 'const project = await projectOf(app, record)')],
  },
  door(/^lib\/system\/render\.ts$/, /^handlebars(\/|$)/, {
    rule: 'only lib/system/render.ts renders',
    why: 'values enter a template through helpers that quote, with options that nobody can forget',
    bad: [importing('handlebars', 'Handlebars'), importing('handlebars/runtime')],
  }),
  door(/^lib\/(system\/render|config\/.*)\.ts$/, /^yaml(\/|$)/, {
    rule: 'only lib/system/render.ts and lib/config read and write YAML',
    why: 'its pitfalls (bare `no`, aliases, comments of the user) are handled in one place for each direction',
    bad: [importing('yaml', '{ parse }')],
  }),
  door(/^lib\/system\/net\.ts$/, /^tcp-port-used$/, {
    rule: 'only lib/system/net.ts probes ports',
    why: 'one probe alone is blind to some listeners; what counts as free is decided once',
    bad: [importing('tcp-port-used')],
  }),
  door(/^lib\/system\/(net|lock|unix-socket|splice)\.ts$/, /^(node:)?(net|tls|dgram)$/, {
    rule: 'only lib/system/net.ts and unix-socket.ts open sockets, splice.ts those of ssh, and lock.ts beside them the one that is a lock',
    why: 'every socket has a time limit and an owner that closes it',
    bad: [importing('node:net', '{ connect }'), importing('net')],
  }),
  {
    ...door(/^test\/support\/suite\.ts$/, /^uvu(\/|$)/, {
      rule: 'only test/support/suite.ts imports uvu',
      why: 'uvu passes a suite whose hook throws, that throws null or that is never run',
      bad: [],
    }),
    where: CODE,
    bad: [file('test/unit/a.test.ts', importing('uvu/assert', '* as assert')), file('bench/b.ts', importing('uvu'))],
  },
  {
    rule: 'lib prints nothing and ends nothing',
    why: 'it emits events and throws; what a program prints and how it ends is decided by scripts',
    where: LIB,
    find: (source) =>
      linesWith(source, /\bconsole\.|\bprocess\.(stdout|stderr|exit|exitCode|abort)\b|['"](node:)?process['"]/),
    bad: ["console.log('x')", "process.stdout.write('x')", 'process.exit(1)', importing('node:process')].map((text) =>
      file('lib/tools/a.ts', text),
    ),
    good: [file('lib/tools/a.ts', 'process.kill(process.pid, 0) // not console.log')],
  },
  {
    rule: 'lib/report does not touch the process',
    why: 'a reporter writes to the streams that it is given, so that tests can give it others',
    where: /^lib\/report\//,
    find: (source) => linesWith(source, /\bprocess\./),
    bad: [file('lib/report/a.ts', 'const colour = process.env.NO_COLOR')],
  },
  {
    rule: 'no drawer for odds and ends',
    why: 'a file is named after its topic',
    where: CODE,
    find: ({ path }) => (/(^|\/)(utils?|helpers?|misc|common)([./]|$)/i.test(path) ? ['name it after its topic'] : []),
    bad: [file('lib/core/utils.ts', ''), file('lib/helpers/a.ts', ''), file('test/support/util.ts', '')],
    good: [file('lib/tools/utility-belt.ts', '')],
  },
  {
    rule: 'no file that only re-exports',
    why: 'a barrel hides where things are and loads more than was asked for',
    where: CODE,
    find: ({ text }) => (isBarrel(text) ? ['import from the files themselves'] : []),
    bad: [
      file('lib/core/index.ts', "/** All. */\nexport * from './a.ts'\nexport { type B, b } from './b.ts'\n"),
      file('lib/core/index.ts', `${importing('./a.ts', '{ a }')}\nexport { a }`),
    ],
    good: [file('test/support/a.ts', `${importing('./a.ts', '{ a }')}\nexport { a }\nexport function b() {}`)],
  },
  {
    rule: 'no default exports',
    why: 'a thing has one name, which can be searched for',
    where: CODE,
    find: (source) => linesWith(source, /\bexport\s+default\b|\bas\s+default\b/),
    bad: [file('lib/core/a.ts', `export ${'default'} 1`), file('lib/core/a.ts', `export { a as ${'default'} }`)],
  },
  {
    rule: `no function over ${FUNCTION_LINES_MAX} lines or ${BRANCHES_MAX} branches but factories of closures`,
    why: 'it does more than one thing by then, and a part of it has a name',
    where: PRODUCT,
    find: functionProblems,
    bad: [
      ...HEADS.map((head) => file('lib/core/a.ts', block(head, FUNCTION_LINES_MAX - 1))),
      ...BRANCHES.map((branch) => file('lib/core/a.ts', block(HEADS[0], BRANCHES_MAX + 1, branch))),
      file('lib/core/a.ts', block('function createAll() {', 1, block(HEADS[0], FUNCTION_LINES_MAX - 1))),
    ],
    good: [
      ...HEADS.map((head) => file('lib/core/a.ts', block(head, FUNCTION_LINES_MAX - head.split('\n').length - 1))),
      ...BRANCHES.map((branch) => file('lib/core/a.ts', block(HEADS[0], BRANCHES_MAX, branch))),
      file('lib/core/a.ts', block(HEADS[0], BRANCHES_MAX + 1, "say('if', a?.b ?? c) // for a while")),
      file('lib/core/a.ts', block('export function createAll() {', FUNCTION_LINES_MAX)),
      file('lib/core/a.ts', block('const TABLE = {', FUNCTION_LINES_MAX)),
    ],
  },
  {
    rule: 'every file of lib opens with a comment',
    why: 'what it owns, its invariants and what it must not do stand before the code',
    where: LIB,
    find: ({ text }) => (/^\/[*/]/.test(text) ? [] : ['say first what it is for']),
    bad: [file('lib/core/a.ts', 'export const a = 1 // one')],
  },
  {
    rule: 'no hint names a target of make',
    why: 'users have no Makefile of ours where they stand; `nexus doctor` says what is missing',
    where: LIB,
    find: (source) => linesWith(source, /`make \w+`(?! in a clone of Nexus)/),
    bad: [file('lib/core/a.ts', "hint: 'To start the engine, run `make setup`'")],
    good: [file('lib/core/a.ts', "hint: 'To install it, run `make setup` in a clone of Nexus'")],
  },
  {
    rule: 'no registry and no mirror is named',
    why: 'each machine has its own; a name in a file would override it and fail behind a proxy',
    where: /./,
    find: (source) => REGISTRIES.flatMap((pattern) => linesWith(source, pattern, source.text)),
    bad: [
      `https://registry.${'npm'}${'js'}.org/`,
      `deb http://deb${'.'}debian.org/debian`,
      `https://proxy${'.'}golang.org`,
      `--index-url https://py${'pi'}.org/simple`,
      `FROM docker${'.'}io/library/debian`,
      `https://ghcr${'.'}io`,
      `image: quay${'.'}io/x/y`,
    ].map((text) => file('docs/a.md', text)),
    good: [
      file('scripts/setup.sh', `apt-get install docker${'.'}io docker${'.'}io/trixie`),
      file('docs/a.md', 'See PyPI.'),
    ],
  },
  {
    rule: 'package-lock.json names no source',
    why: 'the lock file works with whatever registry a machine is given',
    where: /^package-lock\.json$/,
    find: (source) => linesWith(source, /"resolved"\s*:/, source.text),
    bad: [file('package-lock.json', '{ "resolved": "https://example.invalid/x.tgz" }')],
  },
  {
    rule: 'templates only quote',
    why: 'a bare or raw value is an injection: `alpine\\n    privileged: true` became a service setting',
    where: /^templates\/.*\.hbs$/,
    find: ({ text }) => templateProblems(text),
    bad: [
      'a: {{name}}',
      'a: {{{yaml name}}}',
      'a: {{&yaml name}}',
      'a: {{yaml}}',
      'a: {{raw name}}',
      'a: {{yaml (lookup a b)}}',
      '{{> part}}',
      '{{#name}}{{yaml a}}{{/name}}',
      '{{#each list}}{{this}}{{/each}}',
    ].map((text) => file('templates/a.hbs', text)),
    good: [file('templates/a.hbs', 'a: {{yaml name}}{{! why }}{{#each list}}{{line this}}{{/each}}')],
  },
]

function file(path: string, text: string): SourceFile {
  return { path, text }
}

/** `head`, the indented line so many times, and the end of the block. */
function block(head: string, times: number, line = 'say()'): string {
  const inner = line.replaceAll(/^/gm, '  ')
  return `${head}\n${`${inner}\n`.repeat(times)}}\n`
}

function importing(from: string, clause = 'x'): string {
  return `import ${clause} from '${from}'`
}

/** Of the product, only the files `through` may import `modules`. The samples stand in a file that may not. */
function door(
  through: RegExp,
  modules: RegExp,
  told: { readonly rule: string; readonly why: string; readonly bad: readonly string[] },
): Rule {
  return {
    ...told,
    where: PRODUCT,
    find: ({ path, text }) => {
      if (through.test(path)) return []
      return listImports(text).flatMap(({ from }) => (modules.test(from) ? [`imports ${from}`] : []))
    },
    bad: told.bad.map((text) => file('lib/workspace/sample.ts', text)),
  }
}

let tree: Promise<readonly SourceFile[]> | undefined

suite('guard', (test) => {
  for (const { rule, why, where, find } of RULES) {
    test(rule, async () => {
      tree ??= listSourceFiles(process.cwd())
      const files = (await tree).filter(({ path }) => where.test(path))
      assert.ok(files.length > 0, 'the rule applies to no file any more')
      const broken = files.flatMap((source) => find(source).map((problem) => `${source.path}: ${problem}`))
      if (broken.length > 0) throw new Error(`${why}\n    ${broken.join('\n    ')}`)
    })
  }

  test('no files import each other in a circle', async () => {
    assert.equal(await listCircles(process.cwd()), [])
    const circle = [file('lib/a.ts', importing('./b.ts')), file('lib/b.ts', importing('./c/d.ts', 'type { D }'))]
    const back = [importing('../a.ts'), importing('../a.ts', 'type { A }'), "await import('../a.ts')"]
    for (const text of back) {
      const found = importCircles([...circle, file('lib/c/d.ts', text)])
      assert.equal(found, ['lib/a.ts -> lib/b.ts -> lib/c/d.ts -> lib/a.ts'])
    }
    assert.equal(importCircles([...circle, file('lib/c/d.ts', importing('./e.ts'))]), [])
  })

  test('unit tests lie in the folders of what they test', async () => {
    tree ??= listSourceFiles(process.cwd())
    const folders = new Set((await tree).filter(({ path }) => PRODUCT.test(path)).map(({ path }) => dirname(path)))
    const tests = (await tree).flatMap(({ path }) => /^test\/unit\/(.+)\/[^/]+$/.exec(path)?.[1] ?? [])
    assert.ok(tests.length > 0)
    assert.equal(
      tests.filter((folder) => !folders.has(`lib/${folder}`) && !folders.has(folder)),
      [],
    )
  })

  test('no two files export the same name', async () => {
    tree ??= listSourceFiles(process.cwd())
    const product = (await tree).filter(({ path }) => PRODUCT.test(path))
    assert.equal(namesExportedTwice(product), [], 'a reader who finds the name has to know which of two things it is')
    const one = file('lib/core/a.ts', 'export interface Place {\n}')
    const others = ['type Place = string', 'const Place = 1', 'async function Place() {', 'async function* Place() {']
    for (const other of others) {
      const found = namesExportedTwice([one, file('scripts/b.ts', `export ${other}`)])
      assert.equal(found, ['Place: lib/core/a.ts, scripts/b.ts'])
    }
    const fine = [
      "export type { Place } from '../lib/core/a.ts'",
      'interface Place {',
      'export type Places = 1',
      '// export type Place',
    ]
    for (const text of fine) assert.equal(namesExportedTwice([one, file('scripts/b.ts', text)]), [])
    const verbs = 'export const verbs = [one]\nexport const endpoints: Endpoints = () => []'
    assert.equal(namesExportedTwice([file('lib/verbs/a.ts', verbs), file('lib/verbs/b.ts', verbs)]), [])
    const overloads = 'export function run(a: 1): 1\nexport function run(a: 2): 2'
    assert.equal(namesExportedTwice([file('lib/core/a.ts', overloads)]), [])
  })
})

suite('guard finds what it should', (test) => {
  for (const { rule, where, find, bad, good = [] } of RULES) {
    test(rule, () => {
      assert.ok(bad.length > 0)
      for (const sample of bad) {
        assert.match(sample.path, where)
        assert.not.equal(find(sample), [], `not found: ${sample.path}: ${sample.text}`)
      }
      for (const sample of good) assert.equal(find(sample), [], `${sample.path}: ${sample.text}`)
    })
  }
})
