/** Words of commands that are shown to be copied. Pure. */

/**
 * As it stands where that is safe, else quoted: names of branches, files and keys may come from inside a workspace, and a
 * hint must not run what they say.
 */
export function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
