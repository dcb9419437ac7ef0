/**
 * How test/unit/guard.test.ts looks at one file: each function returns what breaks a rule there, in words, and nothing when
 * all is well. Pure. The rules themselves, with reasons and samples, stand in the guard.
 */
import { posix } from 'node:path'
import Handlebars from 'handlebars'
import { importedNames, listFunctions, listImports, type SourceFile, withoutComments } from './source.ts'

/** Layer -> the layers of ours that it may import. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  system: ['core'],
  tools: ['core', 'system'],
  config: ['core', 'system'],
  ports: ['core', 'system'],
  record: ['core', 'system'],
  stack: ['core', 'system', 'ports'],
  trust: ['core', 'system', 'config', 'stack'],
  network: ['core', 'system', 'ports', 'stack', 'trust'],
  project: ['core', 'system', 'tools', 'config', 'stack', 'trust'],
  ssh: ['core', 'system', 'tools', 'record'],
  backends: ['core', 'system', 'tools', 'ports', 'record', 'stack', 'trust', 'network', 'ssh'],
  workspace: [
    ...[
      'core',
      'system',
      'tools',
      'config',
      'ports',
      'record',
      'stack',
      'trust',
      'network',
      'project',
      'ssh',
      'backends',
    ],
  ],
  doctor: ['core', 'system', 'tools', 'config', 'ports', 'record', 'network', 'ssh', 'backends', 'workspace'],
  'verb-form': ['core', 'tools', 'stack', 'report', 'workspace'],
  api: ['core', 'system', 'tools', 'config', 'project', 'ssh', 'backends', 'workspace', 'doctor', 'verb-form'],
  daemon: ['core', 'system', 'api'],
  verbs: [
    ...['core', 'system', 'tools', 'config', 'trust', 'project', 'ssh', 'backends', 'workspace', 'doctor', 'report'],
    ...['verb-form', 'api'],
  ],
  report: ['core'],
}

/** The rooms of `lib/workspace`, from the ground up: each may import from its own and from those before it; '' is the folder itself. */
const ROOMS = [
  '',
  'operation',
  'names',
  'git',
  'status',
  'trust',
  'network',
  'stack',
  'lifecycle',
  'trash',
  'ssh',
  'exec',
]
/** They hand to the lowest what the highest do, so they stand above all rooms and none imports them. */
const COMPOSITION = ['lib/workspace/open-app.ts', 'lib/workspace/recover.ts']

export const FUNCTION_LINES_MAX = 60
export const BRANCHES_MAX = 12
const PROSE = /^ *(?:\*|\/\*).*|\/\/ .*|'[^'\n]*'|`[^`\n]*`/gm
const BRANCH = /\b(?:if|for|while|case|catch)\b| \? /g

/** What may be taken from node:fs outside of the doors: looks, and folders. Whatever is not known here counts as opening files. */
const HARMLESS =
  /^((read(dir|link)|l?stat|statfs|realpath|access|exists|opendir|mkdir|rmdir|rm)(Sync)?|constants|watch)$/i
const TEMPLATE_HELPERS = ['yaml', 'line', 'words', 'quoted', 'command', 'number']

export function layerProblems({ path, text }: SourceFile): readonly string[] {
  const layer = layerOf(path) ?? ''
  const allowed = LAYERS[layer]
  if (allowed === undefined) return ['lies in no known layer; see LAYERS']
  return listImports(text)
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from }) => posix.join(posix.dirname(path), from))
    .filter((target) => !/^(templates\/.*\.hbs|compose\/.*\.(sh|yml|json))$/.test(target))
    .filter((target) => ![layer, ...allowed].includes(layerOf(target) ?? ''))
    .map((target) => `imports ${target}`)
}

export function roomProblems({ path, text }: SourceFile): readonly string[] {
  const floor = floorOf(path)
  if (floor < 0) return ['lies in no known room; see ROOMS']
  return listImports(text)
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from }) => posix.join(posix.dirname(path), from))
    .filter((target) => target.startsWith('lib/workspace/') && floorOf(target) > floor)
    .map((target) => `imports ${target}`)
}

function floorOf(path: string): number {
  if (COMPOSITION.includes(path)) return ROOMS.length
  return ROOMS.indexOf(posix.relative('lib/workspace', posix.dirname(path)))
}

function layerOf(path: string): string | undefined {
  return /^lib\/([^/]+)\//.exec(path)?.[1]
}

export function openingImports({ text }: SourceFile): readonly string[] {
  return listImports(text)
    .filter(({ from }) => /^(node:)?fs(\/promises)?$/.test(from))
    .flatMap(({ clause }) => importedNames(clause))
    .filter((name) => !HARMLESS.test(name))
    .map((name) => `takes \`${name}\` from node:fs`)
}

/** `12: the line`, for each line of the code (or of the text given) that matches. */
export function linesWith(source: SourceFile, pattern: RegExp, text = withoutComments(source.text)): readonly string[] {
  return text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`line ${index + 1}: ${line.trim()}`] : []))
}

/** A factory of closures is as long as it has closures; each of them counts by itself. */
export function functionProblems({ text }: SourceFile): readonly string[] {
  return listFunctions(text)
    .filter(({ name }) => !/^create[A-Z]/.test(name))
    .flatMap(({ name, line, text: own }) => {
      const lines = own.split('\n').length
      const branches = own.replace(PROSE, '').match(BRANCH)?.length ?? 0
      return [
        ...(lines > FUNCTION_LINES_MAX ? [`line ${line}: ${name} has ${lines} lines`] : []),
        ...(branches > BRANCHES_MAX ? [`line ${line}: ${name} has ${branches} branches`] : []),
      ]
    })
}

export function isBarrel(text: string): boolean {
  const code = withoutComments(text)
  const rest = code.replace(/\b(import|export)\s+[\w*{}\s,$]*?\bfrom\s*'[^']*'|\bexport\s+(type\s+)?\{[^}]*\}/g, '')
  return /\bexport\b/.test(code) && rest.trim() === ''
}

export function templateProblems(text: string): readonly string[] {
  const problems: string[] = []
  const refuse = (what: string) => (node: hbs.AST.Node) => problems.push(`line ${node.loc.start.line}: ${what}`)
  const nameOf = (path: hbs.AST.Node) => ('original' in path ? String(path.original) : '')
  const requireHelper = (node: hbs.AST.MustacheStatement | hbs.AST.SubExpression) => {
    const name = nameOf(node.path)
    if (!TEMPLATE_HELPERS.includes(name) || node.params.length === 0) refuse(`\`${name}\` is not a helper's call`)(node)
    visitor.acceptArray(node.params)
  }
  const visitor: Handlebars.Visitor = Object.assign(new Handlebars.Visitor(), {
    MustacheStatement: (node: hbs.AST.MustacheStatement) => {
      if (!node.escaped) refuse('a raw value')(node)
      requireHelper(node)
    },
    SubExpression: requireHelper,
    BlockStatement: (node: hbs.AST.BlockStatement) => {
      if (!['if', 'unless', 'each'].includes(nameOf(node.path))) refuse('a block of unknown kind')(node)
      visitor.acceptArray(node.params)
      visitor.accept(node.program)
      if (node.inverse) visitor.accept(node.inverse)
    },
    PartialStatement: refuse('a partial'),
    PartialBlockStatement: refuse('a partial'),
    Decorator: refuse('a decorator'),
    DecoratorBlock: refuse('a decorator'),
  })
  visitor.accept(Handlebars.parse(text))
  return problems
}

const EXPORTED = /^export (?:abstract )?(?:async )?(?:(?:const|let|class|type|interface|enum) |function\*? )(\w+)/gm
/** What every file of `lib/verbs` exports: the table of verbs reads them by these names. */
const OF_EVERY_VERB = new Set(['verbs', 'endpoints', 'withoutEndpoint'])

/** Each as `Name: a.ts, b.ts`. A re-export is one thing still, and does not count. */
export function namesExportedTwice(files: readonly SourceFile[]): readonly string[] {
  const places = new Map<string, Set<string>>()
  for (const { path, text } of files) {
    for (const [, name = ''] of withoutComments(text).matchAll(EXPORTED)) {
      if (path.startsWith('lib/verbs/') && OF_EVERY_VERB.has(name)) continue
      places.set(name, (places.get(name) ?? new Set()).add(path))
    }
  }
  return [...places].filter(([, at]) => at.size > 1).map(([name, at]) => `${name}: ${[...at].join(', ')}`)
}
