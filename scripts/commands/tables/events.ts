/** The commands that follow what happens, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { NAME, REPO } from '../options.ts'

export const EVENTS: readonly Command[] = [
  {
    name: 'events',
    effect: 'looks',
    summary: 'follow what happens to the workspaces, whoever does it; with --json a JSON line for each event',
    args: [{ ...NAME, optional: true }],
    options: [REPO],
    example: 'nexus events feature-auth',
    endless: true,
    load: async () => (await import('../events.ts')).events,
  },
]
