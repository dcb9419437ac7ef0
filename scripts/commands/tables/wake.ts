/** What the aliases of ssh call, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { NAME, REPO } from '../options.ts'

const wake = () => import('../wake.ts')

export const WAKE: readonly Command[] = [
  {
    name: 'wake',
    effect: 'changes',
    hidden: true,
    summary: 'start a workspace because a client connects to it; the aliases of ssh call it',
    args: [NAME],
    options: [{ flag: '--client <kind>', text: 'terminal or program; default: program' }, REPO],
    example: 'nexus wake feature-auth --client terminal',
    load: async () => (await wake()).wake,
  },
]
