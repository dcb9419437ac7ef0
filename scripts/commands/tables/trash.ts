/** The commands of the trash, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, REPO } from '../options.ts'

const trash = () => import('../trash.ts')

export const TRASH: readonly Command[] = [
  {
    name: 'trash list',
    effect: 'looks',
    summary: 'show what deletes kept in the trash, and until when',
    args: [],
    options: [],
    example: 'nexus trash list',
    load: async () => (await trash()).list,
  },
  {
    name: 'trash restore',
    effect: 'changes',
    summary: 'bring a deleted workspace back, stopped: its worktree with uncommitted files and all, on its branch',
    args: [{ name: 'id', text: 'name or id of the workspace, or key of the entry', completes: 'trash' }],
    options: [{ flag: '--as <name>', text: 'under another name' }, REPO, DRY_RUN],
    example: 'nexus trash restore feature-auth --dry-run',
    load: async () => (await trash()).restore,
  },
  {
    name: 'trash empty',
    effect: 'changes',
    summary: 'remove what is in the trash for good',
    args: [],
    options: [
      { flag: '--older-than <duration>', text: 'only what was deleted longer ago, such as 7d or 12h' },
      DRY_RUN,
    ],
    example: 'nexus trash empty --older-than 7d',
    load: async () => (await trash()).empty,
  },
]
