/** The commands that make good what was done by hand, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, GUARD_OPTIONS, NAME, REPO } from '../options.ts'

const byHand = () => import('../by-hand.ts')

export const BY_HAND: readonly Command[] = [
  {
    name: 'repair',
    effect: 'changes',
    summary: 'make records and git agree with what was changed by hand: repository or worktree moved, branch switched',
    args: [{ ...NAME, optional: true }],
    options: [
      { flag: '--all', text: 'all workspaces of the repository, or with --repo all that belong to it' },
      { flag: '--repo <path>', text: 'where the repository is now' },
      { flag: '--worktree <path>', text: 'where the worktree is now' },
      DRY_RUN,
    ],
    example: 'nexus repair feature-auth',
    load: async () => (await byHand()).repair,
  },
  {
    name: 'adopt',
    effect: 'changes',
    summary: 'make a workspace of a git worktree that is there, or of one whose record was lost; the folder stays',
    args: [{ name: 'place', text: 'folder of the worktree, or name or id of a container of the lost workspace' }],
    options: [
      { flag: '--name <name>', text: "name of the workspace; default: what it was called, or the folder's" },
      ...GUARD_OPTIONS,
      DRY_RUN,
    ],
    example: 'nexus adopt ../my-worktree --name mine',
    load: async () => (await byHand()).adopt,
  },
  {
    name: 'rename',
    effect: 'changes',
    summary: 'give a workspace another name; branch, worktree, ports and data stay',
    args: [NAME, { name: 'new-name', text: 'the new name' }],
    options: [REPO, DRY_RUN],
    example: 'nexus rename feature-auth auth --dry-run',
    load: async () => (await byHand()).rename,
  },
]
