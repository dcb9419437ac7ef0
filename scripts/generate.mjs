// Writes what is made from the source and kept in git: `node scripts/generate.mjs [schema] [docs] [openapi] [--check]`
// `schema` is schema/config.schema.json (from the table of configuration keys), `docs` is docs/cli.md and `openapi`
// docs/openapi.json (both from the rows of lib/verbs); without a word all. `--check` writes nothing and fails when a file is not
// what it would become.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { settings } from './build.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { version: VERSION } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
const FILES = {
  schema: {
    path: 'schema/config.schema.json',
    make: ({ configSchema }) => `${JSON.stringify(configSchema(), null, 2)}\n`,
  },
  docs: { path: 'docs/cli.md', make: commandReference },
  openapi: {
    path: 'docs/openapi.json',
    make: ({ ENDPOINTS, apiDocument }) => `${JSON.stringify(apiDocument(ENDPOINTS, VERSION), null, 2)}\n`,
  },
}
const EXIT_CODES = [
  ['0', 'done'],
  ['1', 'failed'],
  ['2', 'bad usage or configuration'],
  ['3', 'not found'],
  ['4', 'conflict'],
  ['5', 'a prerequisite is missing'],
  ['70', 'internal error'],
  ['130, 143', 'interrupted'],
]

process.exitCode = await main(process.argv.slice(2))

async function main(args) {
  const words = args.filter((arg) => arg !== '--check')
  const unknown = words.find((word) => !Object.hasOwn(FILES, word))
  if (unknown !== undefined) {
    console.error(`error: "${unknown}" cannot be generated; see the first line of scripts/generate.mjs`)
    return 2
  }
  const source = await loadSource()
  const check = args.includes('--check')
  let stale = 0
  for (const word of words.length > 0 ? words : Object.keys(FILES)) {
    const { path, make } = FILES[word]
    const text = make(source)
    const file = join(ROOT, path)
    const before = await readFile(file, 'utf8').catch(() => undefined) // what cannot be read is stale
    if (before === text) continue
    if (check) {
      stale++
      console.error(`error: ${path} is stale; to write it, run \`make ${word === 'schema' ? word : 'docs'}\``)
      continue
    }
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    console.log(`${path} is written`)
  }
  return Number(stale > 0)
}

/** The modules that the files are made from, bundled as the tests are. */
async function loadSource() {
  const cache = join(ROOT, 'node_modules', '.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'nexus-generate-'))
  const contents = [
    'lib/config/describe.ts',
    'lib/verbs/all-verbs.ts',
    'scripts/commands/help.ts',
    'scripts/commands/options.ts',
    'lib/verbs/all-endpoints.ts',
    'lib/api/openapi.ts',
  ]
    .map((path) => `export * from './${path}'`)
    .join('\n')
  try {
    await build({
      ...settings,
      stdin: { contents, resolveDir: ROOT },
      outdir: folder,
      outExtension: { '.js': '.mjs' },
    })
    return await import(pathToFileURL(join(folder, 'stdin.mjs')).href)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function commandReference({ VERBS, GLOBAL_OPTIONS, usageLine, optionsOf, wordsOf }) {
  const commands = VERBS.filter(({ hidden }) => hidden !== true)
  return `${[
    '<!-- Made from lib/verbs by `make docs`; do not edit. -->',
    '# Commands',
    '`nexus workspace <command>` and `nexus ws <command>` are the same as `nexus <command>`.',
    table(
      ['Command', 'What it does'],
      commands.map(({ name, summary }) => [`[${name}](#${anchor(name)})`, plain(summary)]),
    ),
    ...commands.flatMap((verb) => commandSection(verb, usageLine(verb), wordsOf(verb), optionsOf(verb))),
    '## Options of every command',
    optionTable(GLOBAL_OPTIONS),
    '## Exit codes',
    table(['Code', 'Meaning'], EXIT_CODES),
    [
      "`nexus exec` and `nexus ssh` pass on the command's own code. Where it did not run, 2 and 3 mean the same as",
      'elsewhere (wrong usage, no such workspace), and 125 is any other failure of Nexus itself: a stopped workspace, an',
      'ambiguous name.',
    ].join(' '),
  ].join('\n\n')}\n`
}

function commandSection({ name, aliases = [], summary, example }, usage, words, options) {
  return [
    `## ${name}`,
    `${plain(summary).replace(/^./, (letter) => letter.toUpperCase())}.`,
    code([usage]),
    ...(aliases.length === 0 ? [] : [`Also: ${aliases.map((alias) => `\`nexus ${alias}\``).join(', ')}.`]),
    ...(words.length === 0 ? [] : [table(['Argument', 'Meaning'], words.map(argumentRow))]),
    ...(options.length === 0 ? [] : [optionTable(options)]),
    'Example:',
    code([example]),
  ]
}

function argumentRow({ name, text, optional }) {
  return [`\`${name}\``, `${plain(text)}${optional ? '; may be left out' : ''}`]
}

function optionTable(options) {
  const notes = ({ many, config }) => [
    ...(many ? ['may be repeated'] : []),
    ...(config === undefined ? [] : [`configuration: \`${config}\``]),
  ]
  return table(
    ['Option', 'Meaning'],
    options.map((option) => [`\`${option.flag}\``, [plain(option.text), ...notes(option)].join('; ')]),
  )
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function code(lines) {
  return ['```sh', ...lines, '```'].join('\n')
}

/** Text of the table, with nothing in it that Markdown takes for its own. */
function plain(text) {
  return text.replace(/[<>*_`[\]\\]/g, '\\$&')
}

/** As the usual renderers name a heading. */
function anchor(heading) {
  return heading.toLowerCase().replaceAll(' ', '-')
}
