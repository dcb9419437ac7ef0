/** The command that opens a workspace in other programs, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, NAME, NO_HOOKS, REPO } from '../options.ts'

export const OPEN: readonly Command[] = [
  {
    name: 'open',
    effect: 'changes',
    summary: 'open a workspace in an editor through its SSH alias, or its web port in a browser; starts it when needed',
    args: [NAME, { name: 'port', text: 'with --web: name or number of the port; default: web', optional: true }],
    options: [
      {
        flag: '--in <editor>',
        text: 'code, cursor, windsurf, codium, zed, idea, ...; default: the key editor, or what is there',
      },
      { flag: '--web', text: 'open the URL of a port in a browser' },
      NO_HOOKS,
      REPO,
      DRY_RUN,
    ],
    example: 'nexus open feature-auth --in cursor --dry-run',
    load: async () => (await import('../open.ts')).open,
  },
]
