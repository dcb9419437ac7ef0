/** The commands about the keys of doors, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, NAME, REPO } from '../options.ts'

const keys = () => import('../keys.ts')

export const KEYS: readonly Command[] = [
  {
    name: 'keys list',
    effect: 'looks',
    summary: 'show which keys open a workspace, and its host key; without a name, of all workspaces',
    args: [{ ...NAME, optional: true }],
    options: [REPO],
    example: 'nexus keys list feature-auth',
    load: async () => (await keys()).list,
  },
  {
    name: 'keys rotate',
    effect: 'changes',
    summary: 'give a workspace a new host key, or Nexus a new key of its own; open connections go on',
    args: [{ ...NAME, optional: true }],
    options: [{ flag: '--own', text: 'the key that Nexus itself comes in with, in all workspaces' }, REPO, DRY_RUN],
    example: 'nexus keys rotate feature-auth',
    load: async () => (await keys()).rotate,
  },
]
