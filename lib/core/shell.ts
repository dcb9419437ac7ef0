/** Words of commands: quoted for a shell that runs them, or as they are shown to be copied. Pure. */

/** One word for a POSIX shell that arrives as exactly these bytes. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** One word for bash, zsh and fish alike. In fish, a backslash means something in quotes too. It may hold line breaks. */
export function quoteForFishToo(word: string): string {
  return `'${word.replaceAll(/['\\]/g, "'\\$&'")}'`
}

/**
 * One word without line breaks for any shell, csh too: outside of quotes a backslash takes every shell's meaning from a character that
 * is neither a letter nor a digit; inside of quotes shells differ. What is not ASCII means nothing to any of them.
 */
export function escapeForAnyShell(word: string): string {
  return word.replace(/[^A-Za-z0-9_./\-\u{80}-\u{10ffff}]/gu, '\\$&')
}

/**
 * As it stands where that is safe, else quoted: names of branches, files and keys may come from inside a workspace, and a
 * hint must not run what they say.
 */
export function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : quoteWord(text)
}

/**
 * A project's command line for bash inside, in the folder that it is given: with what the image says to login shells, and without the
 * user's own files, which are for people.
 */
export function inLoginShell(line: string): readonly string[] {
  const profile = '[ ! -r /etc/profile ] || { nexus_here=$PWD; . /etc/profile; cd -- "$nexus_here"; unset nexus_here; }'
  return ['bash', '-c', `${profile}; ${line}`]
}
