/**
 * The fence around uvu, tried from outside: small test files, each wrong in one way, go through scripts/test.mjs, which
 * must call every one of them failed and say why. Each case is something that uvu alone reports as passed, or hangs on.
 */
import { chmod, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../support/process.ts'
import { assert, suite, type Test } from '../../support/suite.ts'
import { type Files, tempDir, writeFiles } from '../../support/temp.ts'

const ROOT = process.cwd()
const CACHE = join(ROOT, 'node_modules', '.cache', 'nexus-fixtures')
const RUN_LIMIT_MS = 60_000

const one = (body: string) => `suite('fixture', (test) => { test('case', async () => { ${body} }) })`
const PASSING = one('assert.is(1 + 1, 2)')

interface Wrong {
  readonly what: string
  readonly code: string
  /** What the report says of it. */
  readonly says: RegExp
}

const WRONG: readonly Wrong[] = [
  { what: 'a body that throws', code: one("throw new Error('boom')"), says: /0 of 1 tests passed.*boom/s },
  {
    what: 'a failed assertion',
    code: one('assert.equal({ a: 1 }, { a: 2 })'),
    says: /Expected values to be deeply equal/,
  },
  { what: 'a body that throws null', code: one('throw null'), says: /thrown, though not an Error: null/ },
  { what: 'a body that throws text', code: one("throw 'words'"), says: /thrown, though not an Error: 'words'/ },
  {
    what: 'an error with a cause',
    code: one("throw new Error('outer', { cause: new Error('inner') })"),
    says: /outer.*cause.*inner/s,
  },
  {
    what: 'the wrong error code',
    code: one("await rejects(() => { throw new NexusError('TIMEOUT', 'late') }, 'INTERNAL')"),
    says: /expected INTERNAL, got TIMEOUT: late/,
  },
  { what: 'no error at all', code: one("await rejects(() => 7, 'INTERNAL')"), says: /but it returned 7/ },
  {
    what: 'a body that never ends',
    code: "suite('fixture', (test) => { test('case', () => new Promise(() => {}), 50) })",
    says: /did not end within 50 ms/,
  },
  {
    what: 'a leaked server',
    code: one('await new Promise((done) => createServer().listen(0, done))'),
    says: /still open 1000 ms after the last test: .*TCPServerWrap/,
  },
  { what: 'a leaked timer', code: one('setInterval(() => {}, 1000)'), says: /still open .*: .*Timeout/ },
  {
    what: 'a leaked child process',
    code: one("spawn('sleep', ['301'])"),
    says: /it left a process behind: \d+ sleep 301.*still open .*ProcessWrap/s,
  },
  {
    what: 'a leaked daemon in a session of its own',
    code: one("spawn('sleep', ['302'], { detached: true, stdio: 'ignore' }).unref()"),
    says: /it left a process behind: \d+ sleep 302/,
  },
  {
    what: 'a file left behind',
    code: one("writeFileSync(tmpdir() + '/forgotten', '')"),
    says: /it left behind .*forgotten/,
  },
  { what: 'a file without any test', code: '', says: /it printed no summary/ },
  { what: 'a suite without any test', code: "suite('fixture', () => {})", says: /suite "fixture" has no test/ },
  {
    what: 'a suite defined asynchronously',
    code: "suite('fixture', async (test) => { test('case', () => {}) })",
    says: /define must be synchronous/,
  },
  {
    what: 'a suite defined too late',
    code: `${PASSING}\nawait new Promise((done) => setTimeout(done, 50))\n${PASSING}`,
    says: /suite "fixture" comes too late/,
  },
  { what: 'a syntax error', code: 'const = 1', says: /it cannot be built.*Expected identifier/s },
  { what: 'an import that does not exist', code: "import './nowhere.ts'", says: /Could not resolve/ },
  { what: 'a body that exits with 0', code: one('process.exit(0)'), says: /it printed no summary/ },
  {
    what: 'a rejection that nobody handles',
    code: one("Promise.reject(new Error('floating')); await new Promise((done) => setTimeout(done, 50))"),
    says: /it printed no summary.*floating/s,
  },
  { what: 'an error after the last test', code: one("setTimeout(() => { throw new Error('late') }, 5)"), says: /late/ },
]

suite('checking runner', (define) => {
  const test: Test = (title, body) => define(title, body, RUN_LIMIT_MS)

  test('passes a file that is right', async () => {
    const { code, lines } = await runFixtures({ 'test/unit/right.test.ts': PASSING })
    assert.is(code, 0)
    assert.match(lines[0] ?? '', /^ok {3}test\/unit\/right\.test\.ts {2}1 test {2}\d+\.\d s$/)
    assert.is(lines.at(-1), '1 passed, 0 failed')
  })

  test('fails every file that is wrong, says why, and still counts the one that is right', async () => {
    const files = WRONG.map(({ code }, index) => [`test/unit/wrong-${index}.test.ts`, code])
    const all = { ...Object.fromEntries(files), 'test/unit/right.test.ts': PASSING }
    const { code, stdout, lines } = await runFixtures(all, { args: ['--jobs', '6'] })
    assert.is(code, 1)
    for (const [index, { what, says }] of WRONG.entries()) {
      assert.match(sectionOf(stdout, `FAIL test/unit/wrong-${index}.test.ts`), says, `${what}:\n${stdout}`)
    }
    assert.ok(lines.some((line) => line.startsWith('ok   test/unit/right.test.ts')))
    assert.match(lines.at(-1) ?? '', new RegExp(`^\\d+ passed, ${WRONG.length} failed$`))
  })

  test('kills a file that blocks its thread at the deadline, with its children', async () => {
    const code = one("spawn('sleep', ['303']); for (;;);")
    const ended = await runFixtures({ 'test/tool/stuck.test.ts': code }, { args: ['--deadline', '1'] })
    assert.is(ended.code, 1)
    assert.match(ended.stdout, /it did not end within 1 s and was killed/)
    assert.is(ended.lines.at(-1), '0 passed, 1 failed')
    assert.equal(await commandsOf('sleep 303'), [])
  })

  test('gives tests a clean environment, and leaves no folder of its own', async () => {
    const names = ['CI', 'NEXUS_HOME', 'ZX_PREFIX', 'GIT_DIR', 'COMPOSE_FILE', 'DOCKER_CONTEXT', 'SSH_AUTH_SOCK']
    const code = one(`
      for (const name of ${JSON.stringify(names)}) assert.is(process.env[name], undefined, name)
      assert.is(process.env.KEPT, 'yes')
      assert.is(process.cwd(), ${'`${process.env.FIXTURE_ROOT}`'})`)
    const env = { ...Object.fromEntries(names.map((name) => [name, 'x'])), KEPT: 'yes' }
    const { lines, left } = await runFixtures({ 'test/golden/clean.test.ts': code }, { env })
    assert.is(lines.at(-1), '1 passed, 0 failed', lines.join('\n'))
    assert.equal(left, [])
  })

  test('keeps the folder of a failed file when asked, and only that', async () => {
    const keeping = (body: string) => one(`writeFileSync(tmpdir() + '/evidence', ''); ${body}`)
    const files = { 'test/unit/bad.test.ts': keeping("throw new Error('no')"), 'test/unit/good.test.ts': keeping('') }
    const { stdout, lines, left } = await runFixtures(files, { env: { NEXUS_KEEP_FAILED: '1' } })
    assert.is(lines.at(-1), '1 passed, 1 failed')
    const kept = left.filter((path) => path.endsWith('/evidence'))
    assert.is(kept.length, 1, stdout)
    assert.match(stdout, /its temporary folder is /)
  })

  test('names what was left on the engine, and nothing of somebody else', async () => {
    const leaving = one("writeFileSync('left', tmpdir() + '/repo')")
    const { stdout, lines } = await runFixtures({ 'test/unit/leaves.test.ts': leaving, 'bin/docker': LEAKY_DOCKER })
    assert.match(stdout, /container ours\n {5}volume ours-too\n {5}image orphan\n/)
    assert.is(lines.at(-1), '1 passed, 3 failed')
  })

  test('fails when no file matches, and refuses unknown words', async () => {
    const none = await runFixtures({ 'test/unit/right.test.ts': PASSING }, { args: ['elsewhere'] })
    assert.is(none.code, 1)
    assert.is(none.lines.at(-1), '0 passed, 1 failed')
    const refused = await runFixtures({}, { args: ['--kind', 'units'] })
    assert.is(refused.code, 2)
    assert.match(refused.stderr, 'unknown kind "units"')
  })
})

/** What others do on the real engine meanwhile is not the fixtures' affair. */
const NO_DOCKER = '#!/bin/sh\nexit 1\n'
/** Lists nothing until the fixture wrote the file `left`; then our leftovers beside a neighbour's container and image. */
const LEAKY_DOCKER = `#!/bin/sh
cd "$(dirname "$0")/.."
[ -f left ] || exit 0
case "$1 $2" in
  'ps --all') printf 'ours\\tours-instance\\t%s\\nforeign\\tforeign-instance\\t/elsewhere/repo\\n' "$(cat left)" ;;
  'volume ls') printf 'ours-too\\tours-instance\\t\\n' ;;
  'image ls') echo id ;;
  'image inspect') printf 'orphan\\tours-instance\\t\\nneighbour\\tforeign-instance\\t\\n' ;;
esac
`

interface Asked {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

async function runFixtures(files: Files, { args = [], env = {} }: Asked = {}) {
  await using root = await tempDir(CACHE)
  await using temp = await tempDir()
  const imports = [
    `import { assert, rejects, suite } from '${ROOT}/test/support/suite.ts'`,
    `import { NexusError } from '${ROOT}/lib/core/errors.ts'`,
    "import { spawn } from 'node:child_process'",
    "import { writeFileSync } from 'node:fs'",
    "import { createServer } from 'node:net'",
    "import { tmpdir } from 'node:os'",
  ].join('\n')
  const whole = Object.entries(files).map(([name, text]) => [name, name.endsWith('.ts') ? `${imports}\n${text}` : text])
  await writeFiles(root.path, { 'bin/docker': NO_DOCKER, ...Object.fromEntries(whole) })
  const bin = join(root.path, 'bin')
  await chmod(join(bin, 'docker'), 0o755)
  const ended = await runProcess([process.execPath, 'scripts/test.mjs', '--root', root.path, ...args], {
    cwd: ROOT,
    env: {
      TMPDIR: temp.path,
      NEXUS_KEEP_FAILED: undefined,
      FIXTURE_ROOT: root.path,
      PATH: `${bin}:${process.env.PATH}`,
      ...env,
    },
  })
  const left = (await readdir(temp.path, { recursive: true })).map((name) => join(temp.path, name))
  return { ...ended, lines: ended.stdout.trimEnd().split('\n'), left }
}

/** From the line that begins with `start` to the next file's line. */
function sectionOf(stdout: string, start: string): string {
  const from = stdout.indexOf(`${start} `)
  if (from < 0) return ''
  const section = stdout.slice(from)
  const end = section.slice(1).search(/^(ok {3}|FAIL |\d+ passed)/m)
  return section.slice(0, end + 1)
}

/** Command lines of living processes that start so. */
async function commandsOf(start: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const read = (pid: string) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const commands = (await Promise.all(pids.map(read))).map((command) => command.replaceAll('\0', ' '))
  return commands.filter((command) => command.startsWith(start))
}
