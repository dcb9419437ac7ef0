/**
 * What happens while a use case runs, as typed data. Domain code emits; reporters turn events into text or JSON.
 * Nothing below `lib/report` prints. Every step event carries its cause: the same words are the plan's line in a dry
 * run.
 */

export type Event =
  | {
      readonly type: 'step'
      readonly phase: 'start'
      readonly step: string
      readonly subject: string
      readonly cause: string
    }
  | {
      readonly type: 'step'
      readonly phase: 'done'
      readonly step: string
      readonly subject: string
      readonly ms: number
    }
  | { readonly type: 'step'; readonly phase: 'failed' | 'undone'; readonly step: string; readonly subject: string }
  | { readonly type: 'command'; readonly argv: readonly string[]; readonly ms: number; readonly code: number }
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string; readonly hint?: string | undefined }

export type Emit = (event: Event) => void
