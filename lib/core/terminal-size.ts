/** How large a terminal is, in characters. Data. */

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}
