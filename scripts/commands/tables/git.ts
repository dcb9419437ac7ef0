/** The commands that look at the work of workspaces and bring it back, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, NAME, REPO } from '../options.ts'

const git = () => import('../git.ts')

export const GIT: readonly Command[] = [
  {
    name: 'diff',
    effect: 'looks',
    summary: 'show what a workspace has changed since its branch began, committed or not',
    args: [NAME],
    options: [{ flag: '--stat', text: 'only the files, with the number of lines' }, REPO],
    example: 'nexus diff feature-auth --stat',
    load: async () => (await git()).diff,
  },
  {
    name: 'log',
    effect: 'looks',
    summary: 'show the commits that a workspace has made',
    args: [NAME],
    options: [REPO],
    example: 'nexus log feature-auth',
    load: async () => (await git()).log,
  },
  {
    name: 'compare',
    effect: 'looks',
    summary: 'show side by side what several workspaces have done, and which files more than one has changed',
    args: [{ ...NAME, many: true }],
    options: [REPO],
    example: 'nexus compare feature-auth feature-b',
    load: async () => (await git()).compare,
  },
  {
    name: 'pull',
    effect: 'changes',
    summary: 'bring commits back from a workspace with a git dir of its own',
    args: [NAME],
    options: [REPO, DRY_RUN],
    example: 'nexus pull feature-auth',
    load: async () => (await git()).pull,
  },
  {
    name: 'push',
    effect: 'changes',
    summary: 'bring commits of this machine into a workspace with a git dir of its own',
    args: [NAME],
    options: [REPO, DRY_RUN],
    example: 'nexus push feature-auth',
    load: async () => (await git()).push,
  },
  {
    name: 'merge',
    effect: 'changes',
    summary: "merge a workspace's branch into the branch of the main worktree; all of it or nothing",
    args: [NAME],
    options: [
      { flag: '--squash', text: 'as one commit' },
      { flag: '--into <branch>', text: 'refuse unless the main worktree is on this branch' },
      REPO,
      DRY_RUN,
    ],
    example: 'nexus merge feature-auth --dry-run',
    load: async () => (await git()).merge,
  },
]
