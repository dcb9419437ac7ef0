/**
 * The one place that decides which characters are shown as themselves. File names, commit subjects and other text from
 * a branch or a workspace may hold control characters, bidirectional marks, characters without width, and line breaks
 * that look like lines of Nexus: each is written out. Pure.
 */

/** Joins pictures into one, as many subjects have it; anywhere else it hides between letters. */
const JOINER = '(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})'
/** Says how a picture is drawn. */
const DRAWN = '[\\ufe0e\\ufe0f]'
/** Control and format characters, separators of lines, letters that have no width, halves of a character. */
const HIDDEN = '[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}]'
const PATTERN = new RegExp(`${JOINER}|${DRAWN}|(${HIDDEN})`, 'gu')
/** Plain text, which needs no look at each letter. */
const PLAIN = /^[\x20-\x7e]*$/

/** Text with each of these characters as `write` has it. */
export function writeOut(text: string, write: (character: string) => string): string {
  if (PLAIN.test(text)) return text
  return text.replace(PATTERN, (found, hidden?: string) => (hidden === undefined ? found : write(hidden)))
}

/** One line, whatever it was: `\u001b` for an escape, `\u000a` for a line break. */
export function printable(text: string): string {
  return writeOut(text, escaped)
}

export function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}
