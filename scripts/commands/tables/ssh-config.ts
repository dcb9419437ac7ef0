/** The commands about the line in the user's ssh configuration, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN } from '../options.ts'

const sshConfig = () => import('../ssh-config.ts')

const CHANGE_OPTIONS = [
  { flag: '--file <path>', text: 'this file instead of the ~/.ssh/config that ssh reads; for `ssh -F <path>`' },
  { flag: '--yes', text: 'change it without asking' },
  DRY_RUN,
]

export const SSH_CONFIG: readonly Command[] = [
  {
    name: 'ssh-config install',
    effect: 'changes',
    summary: 'put one Include line at the top of ~/.ssh/config, so that every tool knows <name>.nexus',
    args: [],
    options: CHANGE_OPTIONS,
    example: 'nexus ssh-config install --file ~/.ssh/config --yes',
    load: async () => (await sshConfig()).install,
  },
  {
    name: 'ssh-config uninstall',
    effect: 'changes',
    summary: 'take that line out again; the file is then as it was before',
    args: [],
    options: CHANGE_OPTIONS,
    example: 'nexus ssh-config uninstall --file ~/.ssh/config --yes',
    load: async () => (await sshConfig()).uninstall,
  },
  {
    name: 'ssh-config print',
    effect: 'looks',
    summary: 'print the line, and what the files that it brings in say',
    args: [],
    options: [],
    example: 'nexus ssh-config print',
    load: async () => (await sshConfig()).print,
  },
]
