/**
 * Programs that a git hook names in its text: the interpreter, and in a shell script the words in command position. A
 * guess for a warning; the caller checks which programs exist inside. Pure.
 */

/** Hooks that git runs for what one does in a worktree. */
export const GIT_HOOK_NAMES: readonly string[] = [
  ...['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit', 'pre-merge-commit', 'post-merge', 'pre-push'],
  ...['post-checkout', 'pre-rebase', 'post-rewrite', 'applypatch-msg', 'pre-applypatch', 'post-applypatch'],
]

const SHELLS = /^(sh|bash|dash|ash|ksh|zsh)$/
const PROGRAM = /^(\/[\w.+/-]+|[A-Za-z_][\w.+-]*)$/
const REDIRECTION = /&?\d*(>>?|<)(&\d|&-|\s*[^\s;|&()]+)/g
/** Another command comes next. */
const BEFORE =
  /^(if|then|else|elif|while|until|do|!|\{|exec|command|env|time|nice|nohup|type|which|hash|-[\w-]*|\w+\+?=\S*)$/
/** What a shell has itself in all its kinds, or a keyword that ends or names something. */
const OWN_WORDS =
  /^(fi|done|esac|case|for|select|in|function|local|return|break|continue|shift|export|unset|set|\}|\[\[?)$/
/** Stands for text that is no word of a command. */
const TEXT = '$'

/** Empty for what is no text. */
export function programsOfHook(text: string): readonly string[] {
  if (text.includes('\0')) return []
  const [first = '', ...rest] = text.split('\n')
  const interpreter = interpreterOf(first)
  const isShell = interpreter === undefined || SHELLS.test(interpreter.split('/').at(-1) ?? '')
  const script = interpreter === undefined ? text : rest.join('\n')
  return [...new Set([...(interpreter === undefined ? [] : [interpreter]), ...(isShell ? programsOf(script) : [])])]
}

function interpreterOf(line: string): string | undefined {
  const [program, ...words] = line.startsWith('#!') ? line.slice(2).trim().split(/\s+/) : []
  if (program === undefined || program === '') return undefined
  return program.endsWith('/env') ? words.find((word) => PROGRAM.test(word)) : program
}

function programsOf(script: string): readonly string[] {
  const plain = withoutText(script)
  const functions = new Set([...plain.matchAll(/(?:^|[\s;])([\w-]+)\s*\(\)/g)].map(([, name]) => name))
  return plain
    .split(/\n|;|\||&|\$\(|`|\((?!\))/)
    .flatMap(commandsOf)
    .filter((word) => PROGRAM.test(word) && !OWN_WORDS.test(word) && !functions.has(word))
}

/** A command's own word, and absolute paths that a variable is given. */
function commandsOf(piece: string): readonly string[] {
  const words = piece.trim().split(/\s+/)
  const at = words.findIndex((word) => !BEFORE.test(word))
  const before = at === -1 ? words : words.slice(0, at)
  const given = before.flatMap((word) => /^\w+=(\/[\w.+/-]+)$/.exec(word)?.[1] ?? [])
  const [word = '', next = ''] = at === -1 ? [] : words.slice(at)
  return [...given, word === 'git' && next === 'lfs' ? 'git-lfs' : word]
}

/** Without comments, here-documents, quoted texts and redirections; a quoted word stays. */
function withoutText(script: string): string {
  return script
    .replace(/\\\n/g, ' ')
    .replace(/^\s*#.*$/gm, '')
    .replace(/<<-?\s*(['"]?)(\w+)\1(.*)\n(?:.*\n)*?\s*\2(?=\n|$)/g, '$3')
    .replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"/g, (_, single, double) => {
      const text: string = single ?? double
      return PROGRAM.test(text) ? text : TEXT
    })
    .replace(/(^|\s)#.*$/gm, '')
    .replace(REDIRECTION, ' ')
}
