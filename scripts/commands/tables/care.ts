/** The commands that look after the whole, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, REPO } from '../options.ts'

const care = () => import('../care.ts')

export const CARE: readonly Command[] = [
  {
    name: 'doctor',
    effect: 'changes',
    summary: 'check machine, engine and state; changes nothing unless asked to. Code 1 when something is wrong',
    args: [],
    options: [
      { flag: '--fix', text: 'repair what can be repaired, then look again' },
      {
        flag: '--accept',
        text: 'take the git settings and hooks that changed since workspaces share them as they are',
      },
    ],
    example: 'nexus doctor',
    load: async () => (await care()).doctor,
  },
  {
    name: 'gc',
    effect: 'changes',
    summary: 'remove what no workspace needs: parts of deleted ones, images, old logs',
    args: [],
    options: [
      {
        flag: '--all',
        text: 'also caches, prepared and shared data of repositories without workspaces, and the image for the next one',
      },
      { flag: '--dry-run', text: 'list it with sizes and remove nothing' },
    ],
    example: 'nexus gc --dry-run',
    load: async () => (await care()).gc,
  },
  {
    name: 'prune',
    effect: 'changes',
    summary: 'delete the workspaces whose branch is merged; those that hold changes stay',
    args: [],
    options: [
      { flag: '--merged', text: 'merged into the default branch; needed, so that nothing else is ever meant' },
      { flag: '--older-than <time>', text: 'made and last committed to so long ago: 12h, 30d' },
      { flag: '--all', text: 'of every repository' },
      REPO,
      DRY_RUN,
    ],
    example: 'nexus prune --merged --older-than 30d --dry-run',
    load: async () => (await care()).prune,
  },
]
