/** Words of commands: quoted for a shell that runs them, or as they are shown to be copied. Pure. */

/** One word for a POSIX shell that arrives as exactly these bytes. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** The same for a shell that may be any: bash, zsh and fish read it as this word. In fish, a backslash means something in quotes too. */
export function quoteForAnyShell(word: string): string {
  return `'${word.replaceAll(/['\\]/g, "'\\$&'")}'`
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
