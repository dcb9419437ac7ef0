/** The commands that change workspaces, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { APPROVE, CREATE_OPTIONS, DRY_RUN, NAME, NO_HOOKS, REPO } from '../options.ts'

const lifecycle = () => import('../lifecycle.ts')
const watching = () => import('../watch.ts')

export const LIFECYCLE: readonly Command[] = [
  {
    name: 'up',
    summary: 'create a workspace when it is missing, then start it',
    args: [{ ...NAME, optional: true }],
    options: CREATE_OPTIONS,
    example: 'nexus up feature-auth',
    load: async () => (await lifecycle()).up,
  },
  {
    name: 'create',
    summary: 'create a workspace and start it',
    args: [{ name: 'name', text: 'name of the new workspace, or the branch to work on', optional: true }],
    options: CREATE_OPTIONS,
    example: 'nexus create feature-auth --from main --port web=3000',
    load: async () => (await lifecycle()).create,
  },
  {
    name: 'start',
    summary: 'start a stopped or broken workspace',
    args: [NAME],
    options: [NO_HOOKS, REPO, DRY_RUN],
    example: 'nexus start feature-auth',
    load: async () => (await lifecycle()).start,
  },
  {
    name: 'stop',
    aliases: ['down'],
    summary: 'stop a workspace and keep everything of it',
    args: [NAME],
    options: [NO_HOOKS, REPO, DRY_RUN],
    example: 'nexus stop feature-auth',
    load: async () => (await lifecycle()).stop,
  },
  {
    name: 'restart',
    summary: 'stop a workspace and start it again',
    args: [NAME],
    options: [NO_HOOKS, REPO, DRY_RUN],
    example: 'nexus restart feature-auth',
    load: async () => (await lifecycle()).restart,
  },
  {
    name: 'rebuild',
    summary: 'make a workspace anew from what its files say now; worktree, volumes and ports stay',
    args: [NAME],
    options: [APPROVE, NO_HOOKS, REPO, DRY_RUN],
    example: 'nexus rebuild feature-auth',
    load: async () => (await lifecycle()).rebuild,
  },
  {
    name: 'watch',
    summary: 'tell when the files change that a workspace is made from',
    args: [NAME],
    options: [{ flag: '--apply', text: 'rebuild it then' }, REPO],
    example: 'nexus watch feature-auth --apply',
    endless: true,
    load: async () => (await watching()).watch,
  },
  {
    name: 'pause',
    summary: 'freeze a running workspace in memory',
    args: [NAME],
    options: [REPO, DRY_RUN],
    example: 'nexus pause feature-auth',
    load: async () => (await lifecycle()).pause,
  },
  {
    name: 'resume',
    summary: 'let a paused workspace run on',
    args: [NAME],
    options: [REPO, DRY_RUN],
    example: 'nexus resume feature-auth',
    load: async () => (await lifecycle()).resume,
  },
  {
    name: 'delete',
    aliases: ['rm'],
    summary: 'delete a workspace; refuses while something would be lost',
    args: [NAME],
    options: [
      { flag: '--force', text: 'also what is not committed; it stays in the trash for a while' },
      { flag: '--locked', text: 'also a worktree that `git worktree lock` keeps' },
      { flag: '--no-trash', text: 'with --force: lose it at once' },
      { flag: '--delete-branch', text: 'delete its branch too; with --force even one with commits found nowhere else' },
      NO_HOOKS,
      REPO,
      DRY_RUN,
    ],
    example: 'nexus delete feature-auth',
    load: async () => (await lifecycle()).remove,
  },
]
