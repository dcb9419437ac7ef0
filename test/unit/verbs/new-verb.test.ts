/** A verb is one file: added to a copy of the tree, it is in help, completion, reference and OpenAPI document, and it runs. */
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runProcess } from '../../support/process.ts'
import { listSourceFiles } from '../../support/source.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir, writeFiles } from '../../support/temp.ts'

const VERB = `/** greet: for a test. */
import type { Endpoints } from '../api/kit.ts'
import { flag, option } from '../verb-form/fields.ts'
import { verb } from '../verb-form/verb.ts'

const greet = verb({
  name: 'greet',
  group: 'care',
  effect: 'looks',
  summary: 'say hello to somebody',
  fields: { whom: option('name', 'who is meant', { max: 40 }), aloud: flag('in capitals') },
  example: 'nexus greet --whom Ada',
  run: async (_call, { whom = 'you', aloud }) => {
    const said = 'hello ' + whom
    return { data: { said }, text: aloud ? said.toUpperCase() : said }
  },
})

export const verbs = [greet]

export const endpoints: Endpoints = ({ z, via }) => [
  via(greet, {
    http: 'GET /greeting',
    operationId: 'getGreeting',
    tag: 'about',
    query: ['whom'],
    answer: z.object({ said: z.string() }).openapi('Greeting'),
    example: { said: 'hello Ada' },
  }),
]
`

/** Prints what the bundled command line says to each line of words. */
const ASK = `import { build } from 'esbuild'
import { settings } from './scripts/build.mjs'
await build({ ...settings, entryPoints: { main: 'scripts/main.ts' }, outdir: 'out', outExtension: { '.js': '.mjs' } })
const { run } = await import('./out/main.mjs')
for (const line of ['help', 'greet --help', 'complete -- gre', 'complete -- greet --', 'greet --whom Ada --aloud'])
  await run(Object.assign(Object.create(process), { argv: ['node', 'nexus', ...line.split(' ')] }), '0')
`

async function copyOfTree(): Promise<{ readonly path: string } & AsyncDisposable> {
  const dir = await tempDir()
  const needed = (await listSourceFiles(process.cwd())).filter(({ path }) => !/^(test|bench|docs)\//.test(path))
  for (const { path } of needed) {
    await mkdir(dirname(join(dir.path, path)), { recursive: true })
    await cp(path, join(dir.path, path))
  }
  await mkdir(join(dir.path, 'node_modules'))
  for (const name of Object.keys(JSON.parse(await readFile('package-lock.json', 'utf8')).packages)) {
    const [, first] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(name) ?? []
    if (first === undefined) continue
    await mkdir(dirname(join(dir.path, 'node_modules', first)), { recursive: true })
    await symlink(join(process.cwd(), 'node_modules', first), join(dir.path, 'node_modules', first))
  }
  return dir
}

suite('a new verb', (test) => {
  test('is one file, and stands in help, completion, reference and OpenAPI document', async () => {
    await using tree = await copyOfTree()
    await writeFiles(tree.path, { 'lib/verbs/greet.ts': VERB, 'ask.mjs': ASK })
    const env = { HOME: tree.path, NEXUS_HOME: join(tree.path, '.nexus') }
    const asked = await runProcess([process.execPath, 'ask.mjs'], { cwd: tree.path, env, timeoutMs: 60_000 })
    assert.is(asked.code, 0, asked.stderr)
    assert.match(asked.stdout, /\n {2}greet +say hello to somebody\n/)
    assert.match(
      asked.stdout,
      /Usage: nexus greet \[options\]\n\nOptions:\n {2}--whom <name> +who is meant\n {2}--aloud +in capitals\n/,
    )
    assert.match(asked.stdout, /\ngreet\n--whom\n--aloud\n--json\n.*\nHELLO ADA\n$/s)
    const made = await runProcess([process.execPath, 'scripts/generate.mjs', 'docs', 'openapi'], { cwd: tree.path })
    assert.is(made.code, 0, made.stderr)
    const reference = await readFile(join(tree.path, 'docs', 'cli.md'), 'utf8')
    assert.match(reference, /\| \[greet\]\(#greet\) \| say hello to somebody \|/)
    assert.match(
      reference,
      /## greet\n\nSay hello to somebody\.\n\n```sh\nnexus greet \[options\]\n```\n\n[^#]*nexus greet --whom Ada/,
    )
    const document = JSON.parse(await readFile(join(tree.path, 'docs', 'openapi.json'), 'utf8'))
    const { summary, parameters, responses } = document.paths['/greeting'].get
    assert.is(summary, 'Say hello to somebody')
    const schema = { type: 'string', minLength: 1, maxLength: 40, description: 'Who is meant' }
    assert.equal(parameters, [{ schema, required: false, description: 'Who is meant', name: 'whom', in: 'query' }])
    assert.equal(responses['200'].content['application/json'].example, { said: 'hello Ada' })
  }, 120_000)
})
