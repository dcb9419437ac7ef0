/** Words as a sentence begins with them and lists them, and as a pattern finds them. Pure. */

/** With a capital letter, as a sentence begins. */
export function capitalized(text: string): string {
  return text.replace(/^./, (letter) => letter.toUpperCase())
}

/** `a`, `a and b`, `a, b and c`; '' for none. */
export function joinWords(words: readonly string[], last: 'and' | 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
}

/** The source of a regular expression that finds this very text. */
export function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
