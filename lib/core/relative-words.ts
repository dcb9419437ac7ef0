/**
 * Which words of a command line name files by a relative path. git runs the programs of its configuration at the top of
 * a worktree, so such a word means a file of the branch that is checked out there. Pure.
 */

/** They run what the files of their folder say, without naming these. */
const RUNNERS =
  /^(npx|npm|pnpm|pnpx|yarn|bun|bunx|deno|make|gmake|just|task|rake|bundle|poetry|pipenv|pdm|hatch|uv|uvx|cargo|go|gradle|mvn|composer|direnv|mise|rtx|tox|nox)$/
const PYTHON = /^python[\d.]*$/

export interface Word {
  /** The word without its quotes. */
  readonly text: string
  /** From the folder that the command runs in; undefined for a program that finds its files there by itself. */
  readonly path: string | undefined
}

/** @param isThere whether the top of the folder has this name: `node smudge.js` names a file only where there is one */
export function relativeWords(command: string, isThere: (name: string) => boolean): readonly Word[] {
  // what a shell puts together may begin with the folder itself: `$(git rev-parse --show-toplevel)/x`
  const composed = /[$`]/.test(command)
  const quoted = [...command.matchAll(/"([^"]*\s[^"]*)"|'([^']*\s[^']*)'/g)].map(([, one, other]) => one ?? other ?? '')
  return [
    ...command.split(/[;|&(){}\n]+/).flatMap((part) => wordsOf(part, composed, isThere)),
    ...quoted.filter((text) => isRelative(text, false, composed, isThere)).map(named),
  ]
}

function wordsOf(part: string, composed: boolean, isThere: (name: string) => boolean): readonly Word[] {
  const words = part.split(/[\s"'`<>=,]+/).filter((word) => word !== '')
  return words.flatMap((word, i) => {
    if (i === 0 && RUNNERS.test(baseName(word))) return [{ text: word, path: undefined }]
    if (word === '-m' && PYTHON.test(baseName(words[i - 1] ?? ''))) return [{ text: 'python -m', path: undefined }]
    // `-r./x` gives an option its value
    const text = word.replace(/^-\w(?=\.{1,2}\/)/, '')
    return isRelative(text, i === 0, composed, isThere) ? [named(text)] : []
  })
}

function isRelative(word: string, first: boolean, composed: boolean, isThere: (name: string) => boolean): boolean {
  if (/^[-~%]/.test(word) || word.includes('://')) return false
  const names = plain(word).split('/')
  // the worktree's `.git` belongs to git, not to the branch
  if (names[0] === '.git') return false
  if (composed && word.includes('/') && names.some(isThere)) return true
  if (/^[/$]/.test(word)) return false
  if (/^\.{1,2}\//.test(word)) return true
  return first ? word.includes('/') : isThere(names[0] ?? '')
}

function named(text: string): Word {
  return { text, path: plain(text) }
}

/** The same path without `./` and what leads back. */
function plain(word: string): string {
  const names: string[] = []
  for (const name of word.split('/')) {
    if (name === '..' && names.length > 0 && names.at(-1) !== '..') names.pop()
    else if (name !== '.' && name !== '' && !name.startsWith('$')) names.push(name)
  }
  return names.join('/')
}

function baseName(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1)
}
