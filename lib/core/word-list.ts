/** Several words in one sentence. Pure. */

/** `a`, `a and b`, `a, b and c`; '' for none. */
export function joinWords(words: readonly string[], last: 'and' | 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
}
