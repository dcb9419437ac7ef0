/** Words of commands: quoted for a shell that runs them, or as they are shown to be copied. Pure. */

/** One word for a POSIX shell that arrives as exactly these bytes. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/**
 * One word for bash, zsh and fish alike. In fish, a backslash means something in quotes too. It may hold line breaks.
 */
export function quoteForFishToo(word: string): string {
  return `'${word.replaceAll(/['\\]/g, "'\\$&'")}'`
}

/**
 * One word without line breaks for any shell, csh too: outside of quotes a backslash takes every shell's meaning from a
 * character that is neither a letter nor a digit; inside of quotes shells differ. What is not ASCII means nothing to
 * any of them.
 */
export function escapeForAnyShell(word: string): string {
  return word.replace(/[^A-Za-z0-9_./\-\u{80}-\u{10ffff}]/gu, '\\$&')
}

/**
 * A word in a hint: unchanged where that is safe, else quoted. Names of branches, files and keys may come from inside a
 * workspace, and a copied hint must not run them.
 */
export function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : quoteWord(text)
}

/**
 * A project's command line for bash inside: with /etc/profile of the image, and without the user's dotfiles, which are for people. It
 * stays in its folder wherever the profile, or a file that BASH_ENV names, goes.
 */
export function inLoginShell(line: string): readonly string[] {
  const settle = '[ ! -r /etc/profile ] || . /etc/profile; cd -- "$nexus_here"; unset nexus_here'
  return ['sh', '-c', 'nexus_here=$PWD exec bash -c "$0"', `${settle}; ${line}`]
}
