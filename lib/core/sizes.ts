/** Bytes, as people read them and as Docker prints them. Pure. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** `0 B`, `12 kB`, `3.4 GB`; `?` for what could not be measured. */
export function formatSize(bytes: number | null): string {
  if (bytes === null) return '?'
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${value >= 10 || power === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`
}

/** Of a file whose content is not looked at. */
export const notCompared = (bytes: number): string => `too large to compare (${formatSize(bytes)})`

/** `277.7MB`, `13.6kB (virtual 278MB)`; null for a text that is no size, such as `N/A`. */
export function parseSize(text: string): number | null {
  const match = /^([\d.]+) ?([kMGT]?)B\b/.exec(text)
  if (match === null) return null
  const power = ['', 'k', 'M', 'G', 'T'].indexOf(match[2] ?? '')
  return Math.round(Number(match[1]) * 1000 ** power)
}

/** Null as soon as one of them is unknown. */
export function sumSizes(sizes: readonly (number | null)[]): number | null {
  return sizes.includes(null) ? null : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}
