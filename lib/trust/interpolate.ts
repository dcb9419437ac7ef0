/**
 * Puts variables into a text as compose does, for the forms on which all its versions agree. Where they differ, or a
 * variable is not known for sure, the answer is "cannot be told" and never a guess, because the text is a path that
 * will be read. Pure.
 */

/** A variable's value, undefined when it is not set, null when that cannot be told. */
export type Lookup = (name: string) => string | undefined | null

/**
 * `$NAME`, `${NAME}`, `${NAME:-text}` and so on. A text after `?` and `+` may hold no `-`, which compose would take for
 * its sign.
 */
const VARIABLE =
  /\$(?:(?<named>[A-Za-z_]\w*)|\{(?<braced>[A-Za-z_]\w*)(?:(?<sign>:?-)(?<fallback>[\w./~@ ,=-]*)|(?<mark>:?[?+])(?<other>[\w./~@ ,=]*))?\})/y
/** Letters that Go's case-blind pattern takes for `s` and `k`. */
const FOLDED = /[\u017f\u212a]/

/**
 * Undefined when it cannot be told. A required variable that is missing counts as empty: compose then stops by itself.
 */
export function interpolate(text: string, lookup: Lookup): string | undefined {
  if (!text.includes('$')) return text
  if (FOLDED.test(text)) return undefined
  let done = ''
  for (let at = 0; at < text.length; ) {
    const letter = text[at] ?? ''
    if (letter === '{' || letter === '}') return undefined
    if (letter !== '$') {
      done += letter
      at++
      continue
    }
    VARIABLE.lastIndex = at
    const match = VARIABLE.exec(text)
    const value = match?.groups === undefined ? undefined : valueOfMatch(match.groups, lookup)
    // we do not interpolate a value again; compose may, once per include
    if (match === null || value === undefined || value.includes('$')) return undefined
    done += value
    at = VARIABLE.lastIndex
  }
  return done
}

function valueOfMatch(groups: Readonly<Record<string, string | undefined>>, lookup: Lookup): string | undefined {
  const { named, braced, sign, fallback = '', mark, other = '' } = groups
  const value = lookup(named ?? braced ?? '')
  if (value === null) return undefined
  if (sign === ':-') return value === undefined || value === '' ? fallback : value
  if (sign === '-') return value ?? fallback
  if (mark === ':+') return value === undefined || value === '' ? '' : other
  if (mark === '+') return value === undefined ? '' : other
  return value ?? ''
}
