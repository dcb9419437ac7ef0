/** The rows of what goes in and out of running workspaces: cp, forward, tmux, current. Data. */
import type { Command } from '../command.ts'
import { DRY_RUN, NAME, REPO } from '../options.ts'

const copying = () => import('../cp.ts')
const forwarding = () => import('../forward.ts')
const multiplexing = () => import('../tmux.ts')
const finding = () => import('../current.ts')

export const INSIDE: readonly Command[] = [
  {
    name: 'cp',
    effect: 'changes',
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
      { flag: '-p, --preserve', text: 'modes and times; they are kept without it, too' },
      { flag: '-a, --archive', text: 'the same, and links as links; owners are not kept, which is said' },
      REPO,
      DRY_RUN,
    ],
    takesCommand: true,
    usage: '<source>... <target> [options]',
    example: 'nexus cp README.md feature-auth:/tmp/notes.md',
    load: async () => (await copying()).cp,
  },
  {
    name: 'forward',
    effect: 'changes',
    summary: 'reach ports inside a workspace on localhost, until Ctrl-C',
    args: [
      NAME,
      {
        name: 'ports',
        text: '3000, 8080:3000 for port 8080 here, or db:5432 for a service as it is reached from inside',
        many: true,
      },
    ],
    options: [REPO, DRY_RUN],
    example: 'nexus forward feature-auth 3000',
    endless: true,
    load: async () => (await forwarding()).forward,
  },
  {
    name: 'tmux',
    effect: 'changes',
    summary: 'attach to a tmux session in a workspace, which goes on when the connection ends',
    args: [NAME],
    options: [
      { flag: '--session <name>', text: 'default: nexus' },
      { flag: '--detach', text: 'make the session, or run the command in it, and attach nothing' },
      REPO,
    ],
    takesCommand: true,
    example: 'nexus tmux feature-auth --detach -- sleep 60',
    passesSignals: true,
    load: async () => (await multiplexing()).tmux,
  },
  {
    name: 'current',
    effect: 'looks',
    summary: 'show which workspace a folder belongs to; exit code 3 for none',
    args: [{ name: 'folder', text: 'default: the current one', optional: true }],
    options: [],
    example: 'nexus current .worktree/feature-auth',
    load: async () => (await finding()).current,
  },
]
