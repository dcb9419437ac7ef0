/**
 * The pages that people read: links lead somewhere, the index knows every page, and each command and option that a page or a message
 * names exists. The reference (docs/cli.md) is generated from the commands, so it says what exists.
 */
import { dirname, join, normalize } from 'node:path'
import { listSourceFiles, type SourceFile } from '../support/source.ts'
import { assert, suite } from '../support/suite.ts'

const COLUMNS_MAX = 140
const DECISION_LINES_MAX = 40
const GENERATED = 'docs/cli.md'
/** Words that the glossary (docs/concepts.md) has another word for. */
const SYNONYMS = { door: 'SSH access', 'prepared data': 'seed' }

const withoutFences = (text: string) => text.replace(/^ *```[\s\S]*?^ *```$/gm, '')
/** As GitHub makes them from headings. */
const slugOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

async function pages(): Promise<ReadonlyMap<string, string>> {
  const files = await listSourceFiles(process.cwd())
  return new Map(files.filter(({ path }) => path.endsWith('.md')).map(({ path, text }) => [path, text]))
}

function anchorsOf(text: string): ReadonlySet<string> {
  return new Set([...withoutFences(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slugOf(heading)))
}

/** What a command of the reference may be followed by: the words of its name, and its options. */
function commandsOf(reference: string): ReadonlyMap<string, ReadonlySet<string>> {
  const parts = reference.split(/^## /m).slice(1)
  const globals = ['--json', '--quiet', '--verbose', '--help']
  return new Map(
    parts.flatMap((part) => {
      const flags = [...part.matchAll(/`[^`]*?(--[a-z-]+)/g)].map(([, flag = '']) => flag)
      const also = [...part.matchAll(/^Also:? .*?`nexus ([a-z-]+)`/gm)].map(([, name = '']) => name)
      const [name = ''] = part.split('\n')
      return [name, ...also].map((word) => [word, new Set([...flags, ...globals])] as const)
    }),
  )
}

/** Commands of ours as a page shows them: in a code span, or on a line of a block of its own. */
function shownIn(text: string): readonly string[] {
  const spans = [...text.matchAll(/`(nexus [^`]*)`/g)].map(([, line = '']) => line)
  const lines = [...text.matchAll(/^(?:\$ |[A-Z_]+=\S+ )?(nexus [a-z].*)$/gm)].map(([, line = '']) => line)
  return [...spans, ...lines].flatMap((line) =>
    line.split(/ && | \| |; | {2,}#/).filter((part) => part.startsWith('nexus ')),
  )
}

function problemOf(line: string, commands: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const [own = ''] = line.split(' -- ')
  const words = own.split(' ').slice(1)
  const at = words[0] === 'ws' || words[0] === 'workspace' ? 1 : 0
  const [first = '', second = ''] = words.slice(at)
  if (!/^[a-z-]+$/.test(first)) return
  const flags = commands.get(`${first} ${second}`) ?? commands.get(first)
  const isGroup = [...commands.keys()].some((name) => name.startsWith(`${first} `))
  if (flags === undefined) return isGroup && second === '' ? undefined : `no command: ${line}`
  const wrong = words.filter((word) => word.startsWith('--') && !flags.has(word.replace(/=.*/, '')))
  return wrong.length === 0 ? undefined : `no option ${wrong}: ${line}`
}

suite('pages', (test) => {
  test('links lead to a file, and to a heading of it', async () => {
    const texts = await pages()
    const files = new Set((await listSourceFiles(process.cwd())).map(({ path }) => path))
    const broken = [...texts].flatMap(([path, text]) =>
      [...withoutFences(text).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
        ([link, to = '', anchor]) => {
          const target = to === '' ? path : normalize(join(dirname(path), to)).replace(/\/$/, '')
          const isFolder = [...files].some((file) => file.startsWith(`${target}/`))
          if (!files.has(target) && !isFolder) return [`${path}: ${link}`]
          return anchor === undefined || anchorsOf(texts.get(target) ?? '').has(anchor) ? [] : [`${path}: ${link}`]
        },
      ),
    )
    assert.equal(broken, [])
  })

  test('the index names every page', async () => {
    const texts = await pages()
    const index = texts.get('docs/README.md') ?? ''
    const own = [...texts.keys()].filter((path) => /^docs\/[^/]+\.md$/.test(path) && path !== 'docs/README.md')
    assert.equal(
      own.filter((path) => !index.includes(`(${path.slice('docs/'.length)})`)),
      [],
    )
  })

  test(`prose ends at column ${COLUMNS_MAX}`, async () => {
    const long = [...(await pages())]
      .filter(([path]) => path !== GENERATED)
      .flatMap(([path, text]) =>
        withoutFences(text)
          .split('\n')
          .map((line) => ({ path, line })),
      )
      .filter(({ line }) => line.length > COLUMNS_MAX && !line.startsWith('|'))
    assert.equal(long, [])
  })

  test("pages use the glossary's words", async () => {
    const prose = (text: string) => withoutFences(text).replace(/`[^`]*`/g, '')
    const found = [...(await pages())]
      .filter(([path]) => path !== GENERATED)
      .flatMap(([path, text]) =>
        Object.entries(SYNONYMS)
          .filter(([word]) => new RegExp(`\\b${word}s?\\b`, 'i').test(prose(text)))
          .map(([word, better]) => `${path}: ${word} is ${better}`),
      )
    assert.equal(found, [])
  })

  test('decisions are numbered and short', async () => {
    const records = [...(await pages())].filter(([path]) => path.startsWith('docs/decisions/'))
    assert.ok(records.length > 0)
    for (const [index, [path, text]] of records.entries()) {
      const number = String(index + 1).padStart(4, '0')
      assert.match(path, new RegExp(`/${number}-[a-z0-9-]+\\.md$`))
      assert.ok(text.startsWith(`# ${number} `), path)
      assert.ok(text.split('\n').length <= DECISION_LINES_MAX, path)
    }
  })

  test('pages and headings that the program names are there', async () => {
    const texts = await pages()
    const isSource = ({ path }: SourceFile) => /^(lib|scripts|templates|compose|test|bench)\/|^Makefile$/.test(path)
    const missing = (await listSourceFiles(process.cwd())).filter(isSource).flatMap(({ path, text }) =>
      [...text.matchAll(/\b(docs\/[\w/-]+\.md)(?:, "([^"]+)")?/g)]
        .filter(([, page = '', heading]) => {
          const found = texts.get(page)
          return found === undefined || (heading !== undefined && !anchorsOf(found).has(slugOf(heading)))
        })
        .filter(([, page]) => page !== 'docs/a.md')
        .map(([name]) => `${path}: ${name}`),
    )
    assert.equal(missing, [])
  })

  test('files and folders that CONTRIBUTING and decisions name are there', async () => {
    const paths = (await listSourceFiles(process.cwd())).map(({ path }) => path)
    const isThere = (name: string) =>
      paths.some((path) => path === name || path.startsWith(`${name.replace(/\/$/, '')}/`))
    const missing = [...(await pages())]
      .filter(([path]) => path === 'CONTRIBUTING.md' || path.startsWith('docs/decisions/'))
      .flatMap(([path, text]) =>
        [...text.matchAll(/`((?:lib|scripts|test|compose|templates|bench)\/[\w./-]+)`/g)]
          .filter(([, name = '']) => !isThere(name))
          .map(([, name]) => `${path}: ${name}`),
      )
    assert.equal(missing, [])
  })

  test('every command and option that a page shows exists', async () => {
    const texts = await pages()
    const commands = commandsOf(texts.get(GENERATED) ?? '')
    const wrong = [...texts]
      .filter(([path]) => path !== GENERATED)
      .flatMap(([path, text]) => shownIn(text).map((line) => [path, problemOf(line, commands)] as const))
      .filter(([, problem]) => problem !== undefined)
    assert.equal(wrong, [])
  })
})
