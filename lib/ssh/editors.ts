/**
 * The editors that work over SSH, as data: what their programs are called, how one is told to open a folder behind an alias, and the
 * link that does the same from elsewhere. All of them read the user's ~/.ssh/config, so the alias is all they need to know. Pure,
 * but for the look into PATH.
 */
import { basename } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { nearest } from '../core/names.ts'

/** What an editor is told: a folder on a host that ssh knows. */
export interface EditorPlace {
  readonly alias: string
  /** Absolute path inside. */
  readonly folder: string
  readonly user: string
  readonly port: number
}

export interface Editor {
  readonly name: string
  /** What people call it. */
  readonly title: string
  /** Other words for it. */
  readonly also: readonly string[]
  /** Programs to look for, best first. */
  readonly programs: readonly string[]
  /** What follows the program. */
  readonly args: (place: EditorPlace) => readonly string[]
  readonly link: (place: EditorPlace) => string
}

/** Of VS Code's family: the same words, another scheme of links. */
function remoteSsh(name: string, title: string, scheme: string, also: readonly string[] = []): Editor {
  return {
    name,
    title,
    also,
    programs: [name],
    args: ({ alias, folder }) => ['--remote', `ssh-remote+${alias}`, asFolder(folder)],
    link: ({ alias, folder }) => `${scheme}://vscode-remote/ssh-remote+${alias}${encodePath(asFolder(folder))}`,
  }
}

/** Of IDEs, beside Gateway itself, whose backends it installs. */
const JETBRAINS = [
  'idea',
  'intellij',
  'pycharm',
  'webstorm',
  'goland',
  'phpstorm',
  'rubymine',
  'clion',
  'rider',
  'rustrover',
]

function jetbrainsLink({ alias, folder, user, port }: EditorPlace): string {
  const facts = { projectPath: folder, host: alias, port: String(port), user, type: 'ssh', deploy: 'true' }
  const words = Object.entries(facts).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
  return `jetbrains-gateway://connect#${words.join('&')}`
}

/** In the order in which they are looked for when nobody says which. */
export const EDITORS: readonly Editor[] = [
  remoteSsh('code', 'VS Code', 'vscode', ['vscode', 'vs-code']),
  remoteSsh('cursor', 'Cursor', 'cursor'),
  remoteSsh('windsurf', 'Windsurf', 'windsurf'),
  remoteSsh('codium', 'VSCodium', 'vscodium', ['vscodium']),
  remoteSsh('code-insiders', 'VS Code Insiders', 'vscode-insiders', ['insiders']),
  {
    name: 'zed',
    title: 'Zed',
    also: [],
    // where ZFS has a `zed` of its own, this one is called otherwise
    programs: ['zeditor', 'zed'],
    args: ({ alias, folder }) => [`ssh://${alias}${encodePath(folder)}`],
    link: ({ alias, folder }) => `zed://ssh/${alias}${encodePath(folder)}`,
  },
  {
    name: 'gateway',
    title: 'JetBrains Gateway',
    also: ['jetbrains', ...JETBRAINS],
    programs: ['jetbrains-gateway', 'gateway'],
    args: (place) => [jetbrainsLink(place)],
    link: jetbrainsLink,
  },
]

/** @throws {NexusError} INVALID_ARGUMENT for a word that no editor is called by; `from` says where it was given */
export function requireEditor(word: string, from: string): Editor {
  const found = editorCalled(word)
  if (found !== undefined) return found
  const names = EDITORS.map(({ name }) => name)
  const near = nearest(word.toLowerCase(), EDITORS.flatMap(wordsOf)) ?? 'code'
  throw new NexusError(
    'INVALID_ARGUMENT',
    `${from} ${JSON.stringify(word)} is no editor that opens folders over SSH.`,
    {
      hint: `Those are ${names.join(', ')}; to use one, run \`nexus open <name> --in ${near}\``,
      details: { editor: word, editors: names },
    },
  )
}

/** By its name, another word for it, or a program of its, such as `/usr/bin/code --wait`. */
export function editorCalled(text: string): Editor | undefined {
  const [program = ''] = text.trim().split(/\s+/)
  const word = basename(program).toLowerCase()
  return EDITORS.find((editor) => wordsOf(editor).includes(word))
}

function wordsOf({ name, also, programs }: Editor): readonly string[] {
  return [name, ...also, ...programs]
}

/** VS Code takes a remote path whose last part has a dot in it for a file, unless a slash follows. */
function asFolder(folder: string): string {
  return basename(folder).includes('.') && !folder.endsWith('/') ? `${folder}/` : folder
}

/** Everything that means something in a URL becomes text, and slashes stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
