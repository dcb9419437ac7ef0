/** The rows of what goes in and out of running workspaces: cp, forward, tmux, current. Data. */
import type { Command } from './command.ts'
import { DRY_RUN, REPO } from './options.ts'

const copying = () => import('./cp.ts')
const finding = () => import('./current.ts')

export const INSIDE: readonly Command[] = [
  {
    name: 'cp',
    summary: 'copy files and folders into a workspace, out of it, or from one to another',
    args: [
      {
        name: 'paths',
        text: 'sources, then the target; <name>:<path> is in a workspace, below its worktree, ~ or absolute',
        optional: true,
        many: true,
        completes: 'places',
      },
    ],
    options: [
      { flag: '-r, --recursive', text: 'folders with all that is in them; it is so without it, too' },
      REPO,
      DRY_RUN,
    ],
    takesCommand: true,
    example: 'nexus cp README.md feature-auth:/tmp/notes.md',
    load: async () => (await copying()).cp,
  },
  {
    name: 'current',
    summary: 'show which workspace a folder belongs to; exit code 3 for none',
    args: [{ name: 'folder', text: 'default: the current one', optional: true }],
    options: [],
    example: 'nexus current .worktree/feature-auth',
    load: async () => (await finding()).current,
  },
]
