/** Rows as aligned columns, without borders, for answers that people read and scripts cut. Pure. */

import { printable } from '../core/visible.ts'

/** The header first; the last column is not padded. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map(printable))
  const widths = header.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell)),
      )
      .join('  ')
  return all.map((row) => line(row).trimEnd()).join('\n')
}

/** Name and value below each other, two spaces in. */
export function formatFields(fields: readonly (readonly [string, string])[]): string {
  const wide = Math.max(0, ...fields.map(([name]) => name.length))
  return fields.map(([name, value]) => `  ${name.padEnd(wide)}  ${printable(value)}`.trimEnd()).join('\n')
}

function width(text: string): number {
  return [...text].length
}
