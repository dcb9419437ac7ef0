/** Text from inside a workspace, for a terminal: whatever the terminal would obey is shown in place of being sent. Pure. */

/** Control characters but for line breaks and tabs, as `cat -v` writes them: `^[` for an escape. */
export function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x80 ? `^${String.fromCharCode(code ^ 0x40)}` : `\\x${code.toString(16)}`
  })
}
