/** Text of many lines from inside a workspace, for a terminal; `core/visible.ts` says what is written out. Pure. */
import { escaped, writeOut } from '../core/visible.ts'

/** Line breaks and tabs stay; control characters are written as by `cat -v`: `^[` for an escape. */
export function visible(text: string): string {
  return writeOut(text, (character) => {
    if (character === '\n' || character === '\t') return character
    const code = character.charCodeAt(0)
    if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`
    return code < 0xa0 ? `\\x${code.toString(16)}` : escaped(character)
  })
}
