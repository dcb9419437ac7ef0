/** The commands that tell how one workspace is, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { NAME, REPO } from '../options.ts'

const WORKSPACE = { ...NAME, optional: true }

export const LOOK: readonly Command[] = [
  {
    name: 'status',
    effect: 'looks',
    summary: 'show one workspace: state, services, branch, changes, ports; default: that of the current folder',
    args: [WORKSPACE],
    options: [{ flag: '--size', text: 'also measure what it takes on the disk' }, REPO],
    example: 'nexus status feature-auth --json',
    load: async () => (await import('../status.ts')).status,
  },
  {
    name: 'top',
    effect: 'looks',
    summary: 'show what workspaces use: processor, memory, processes; of one, each service and process',
    args: [WORKSPACE],
    options: [
      { flag: '--watch', text: 'again and again on a terminal, until interrupted' },
      { flag: '--all', text: 'of every repository' },
      REPO,
    ],
    example: 'nexus top feature-auth',
    passesSignals: true,
    load: async () => (await import('../top.ts')).top,
  },
  {
    name: 'logs',
    effect: 'looks',
    summary: 'show the logs of a workspace, also of one that is stopped',
    args: [NAME, { name: 'service', text: 'only these services', optional: true, many: true }],
    options: [
      { flag: '-f, --follow', text: 'go on over stops and restarts until interrupted' },
      { flag: '--tail <lines>', text: 'only the last lines of each service; all: every one, as without it' },
      { flag: '--since <time>', text: 'only from then on: 10m, or 2026-11-26T08:00:00Z' },
      { flag: '--timestamps', text: 'with the time of each line' },
      { flag: '--hooks', text: 'what its hooks have said instead' },
      REPO,
    ],
    example: 'nexus logs feature-auth --tail 20',
    passesSignals: true,
    load: async () => (await import('../logs.ts')).logs,
  },
]
