/**
 * Text that may grow without end, of which the beginning and the end are kept. It is an array of pieces, so that what collects
 * into arrays can collect into it. Pure.
 */

type Piece = string | Uint8Array

/** Stands where pieces were left out; what is around it is cut back to whole lines by `wholeLines`. */
const GAP = '\n\0[nexus: left out]\0\n'

/** Keeps about `bytes` from the beginning and as many from the end. */
export function boundedPieces<T extends Piece>(bytes: number): T[] {
  const pieces: T[] = []
  const add = pieces.push.bind(pieces)
  let room = bytes
  let tail = 0
  let first = -1
  const put = (piece: T) => {
    if (room > 0) {
      room -= piece.length
      return add(piece)
    }
    if (first === -1) first = add((typeof piece === 'string' ? GAP : Buffer.from(GAP)) as T)
    tail += piece.length
    add(piece)
    // a single piece is kept, however long
    while (tail > bytes && pieces.length > first + 1) tail -= pieces.splice(first, 1)[0]?.length ?? 0
    return pieces.length
  }
  pieces.push = (...more) => {
    for (const piece of more) put(piece)
    return pieces.length
  }
  return pieces
}

/** True when pieces were left out of a text that `boundedPieces` kept. */
export function isCut(text: string): boolean {
  return text.includes(GAP)
}

/** Such a text with whole lines only around the gap, and a line that tells of it. */
export function wholeLines(text: string): string {
  const gap = text.indexOf(GAP)
  if (gap === -1) return text
  const before = text.slice(0, text.lastIndexOf('\n', gap - 1) + 1)
  const rest = text.slice(gap + GAP.length)
  const after = rest.slice(rest.indexOf('\n') + 1)
  return `${before}[what was said here is left out]\n${after}`
}

/** The beginning and the end of a text, in whole lines, where it is longer than twice `length`. */
export function clipped(text: string, length: number): string {
  if (text.length <= 2 * length) return text
  return wholeLines(`${text.slice(0, length)}${GAP}${text.slice(-length)}`)
}
