/**
 * The commands as data: help, completion, the reference in docs/ and the parser are made from this one table. What a
 * command does is loaded only when it is called.
 */
import type { Command } from './command.ts'
import { APPROVE, DRY_RUN, NAME, NO_HOOKS, REPO } from './options.ts'
import { API } from './tables/api.ts'
import { BY_HAND } from './tables/by-hand.ts'
import { CARE } from './tables/care.ts'
import { EVENTS } from './tables/events.ts'
import { GIT } from './tables/git.ts'
import { INSIDE } from './tables/inside.ts'
import { KEYS } from './tables/keys.ts'
import { LIFECYCLE } from './tables/lifecycle.ts'
import { LOOK } from './tables/look.ts'
import { NETWORK } from './tables/network.ts'
import { OPEN } from './tables/open.ts'
import { SSH_CONFIG } from './tables/ssh-config.ts'
import { TRASH } from './tables/trash.ts'
import { WAKE } from './tables/wake.ts'

const look = () => import('./look.ts')
const inside = () => import('./inside.ts')
const running = () => import('./run.ts')
const initialising = () => import('./init.ts')
const config = () => import('./config.ts')
const meta = () => import('./meta.ts')
const trust = () => import('./trust.ts')

export const COMMANDS: readonly Command[] = [
  ...LIFECYCLE,
  ...TRASH,
  ...BY_HAND,
  ...EVENTS,
  {
    name: 'list',
    effect: 'looks',
    aliases: ['ls'],
    summary: 'list the workspaces of this repository',
    args: [],
    options: [
      { flag: '--all', text: 'of every repository' },
      { flag: '--dirty', text: 'also ask git for uncommitted changes' },
      { flag: '--size', text: 'also measure what each takes on the disk' },
      REPO,
    ],
    example: 'nexus list --all',
    load: async () => (await look()).list,
  },
  ...LOOK,
  {
    name: 'ports',
    effect: 'looks',
    summary: 'show where the ports of a workspace are published',
    args: [NAME],
    options: [REPO],
    example: 'nexus ports feature-auth',
    load: async () => (await look()).ports,
  },
  {
    name: 'ssh',
    effect: 'changes',
    summary: 'open a shell in a workspace, or run a command as ssh would; one that does not run is started',
    args: [NAME],
    options: [{ flag: '--no-wake', text: 'start nothing: fail where it does not run' }, REPO],
    takesCommand: true,
    example: 'nexus ssh feature-auth -- uname -a',
    passesSignals: true,
    load: async () => (await inside()).ssh,
  },
  {
    name: 'exec',
    effect: 'changes',
    summary: 'run a command in a workspace: exact arguments, exit code, stdin, stdout and stderr',
    args: [{ ...NAME, text: 'name, id or <repo>/<name> of a workspace; of several as a,b', optional: true }],
    options: [
      { flag: '--all', text: 'in every running workspace of the repository, side by side' },
      { flag: '--everywhere', text: 'the same in those of every repository' },
      { flag: '--jobs <number>', text: 'in so many at a time; default: 8' },
      { flag: '-t, --tty', text: 'give the command a terminal' },
      { flag: '--cwd <folder>', text: 'folder inside; default: the worktree' },
      { flag: '--env <KEY=value>', text: 'set a variable; KEY alone takes its value from here', many: true },
      REPO,
    ],
    takesCommand: true,
    example: 'nexus exec feature-auth -- git status --short',
    passesSignals: true,
    load: async () => (await inside()).exec,
  },
  ...INSIDE,
  ...OPEN,
  ...WAKE,
  ...GIT,
  {
    name: 'trust',
    effect: 'looks',
    summary: 'show what this repository asks for beyond the ordinary, and what of it you approved',
    args: [],
    options: [{ flag: '--all', text: 'of every repository' }, REPO],
    example: 'nexus trust',
    load: async () => (await trust()).show,
  },
  {
    name: 'trust approve',
    effect: 'changes',
    summary: 'allow what a repository asks for; it is asked again when that changes',
    args: [
      {
        name: 'hash',
        text: 'as `nexus up` or `nexus trust` shows it, the name of the workspace that asked, or all: the last refusal alone',
        many: true,
      },
    ],
    options: [REPO, DRY_RUN],
    example: 'nexus trust approve all',
    load: async () => (await trust()).approve,
  },
  {
    name: 'trust revoke',
    effect: 'changes',
    summary: 'take approvals back; what runs goes on until it is stopped',
    args: [
      {
        name: 'hash',
        text: 'as `nexus trust` shows it, the name of the workspace that asked, or all: all here',
        many: true,
      },
    ],
    options: [REPO, DRY_RUN],
    example: 'nexus trust revoke all',
    load: async () => (await trust()).revoke,
  },
  {
    name: 'run',
    effect: 'changes',
    summary: 'run a command in a throw-away workspace, as CI does; everything is removed afterwards',
    args: [],
    options: [
      { flag: '--from <ref>', text: 'of this commit or branch instead of HEAD' },
      { flag: '--name <name>', text: 'name of the workspace; default: run- and eight letters' },
      { flag: '--env <KEY=value>', text: 'set a variable inside; KEY alone takes its value from here', many: true },
      { flag: '--artifact <path>', text: 'copy this file or folder of the worktree here afterwards', many: true },
      { flag: '--keep-on-failure', text: 'keep the workspace when the command fails' },
      { flag: '--image-cache <place>', text: 'folder or registry that keeps images and built layers between machines' },
      NO_HOOKS,
      APPROVE,
      REPO,
    ],
    takesCommand: true,
    example: 'nexus run --from HEAD -- git log -1',
    load: async () => (await running()).run,
  },
  {
    name: 'init',
    effect: 'changes',
    summary: 'write a commented configuration from what the repository brings',
    args: [],
    options: [
      { flag: '--make', text: 'also nexus.mk with the targets ws-up, ws-down, ws-list, ws-ssh, ws-exec and ws-delete' },
      { flag: '--force', text: 'write files that are there anew; the old ones are kept beside them' },
      REPO,
      DRY_RUN,
    ],
    example: 'nexus init --dry-run',
    load: async () => (await initialising()).init,
  },
  ...CARE,
  {
    name: 'config show',
    effect: 'looks',
    summary: 'show the configuration that holds here',
    args: [],
    options: [{ flag: '--origin', text: 'with the file and line, flag or variable of each value' }, REPO],
    example: 'nexus config show --origin',
    load: async () => (await config()).show,
  },
  {
    name: 'config get',
    effect: 'looks',
    summary: 'print one value of the configuration',
    args: [{ name: 'key', text: 'such as defaults.backend', completes: 'keys' }],
    options: [REPO],
    example: 'nexus config get defaults.backend',
    load: async () => (await config()).get,
  },
  {
    name: 'config set',
    effect: 'changes',
    summary: "set a value in the user's configuration and keep its comments",
    args: [
      { name: 'key', text: 'such as defaults.idle_timeout', completes: 'keys' },
      { name: 'value', text: 'the new value; lists as a,b' },
    ],
    options: [{ flag: '--project', text: "in the project's .nexus/config.yaml instead" }, REPO],
    example: 'nexus config set defaults.idle_timeout 1h',
    load: async () => (await config()).set,
  },
  {
    name: 'config unset',
    effect: 'changes',
    summary: "remove a value from the user's configuration",
    args: [{ name: 'key', text: 'such as defaults.idle_timeout', completes: 'keys' }],
    options: [{ flag: '--project', text: "from the project's .nexus/config.yaml instead" }, REPO],
    example: 'nexus config unset defaults.idle_timeout',
    load: async () => (await config()).unset,
  },
  ...NETWORK,
  ...API,
  ...SSH_CONFIG,
  ...KEYS,
  {
    name: 'version',
    effect: 'looks',
    summary: 'print the version of Nexus and of what it works with',
    args: [],
    options: [],
    example: 'nexus version',
    load: async () => (await meta()).version,
  },
  {
    name: 'completion',
    effect: 'looks',
    summary: 'print the completion script for a shell',
    args: [{ name: 'shell', text: 'bash, zsh or fish', completes: 'shells' }],
    options: [],
    example: 'nexus completion bash',
    load: async () => (await meta()).completion,
  },
  {
    name: 'complete',
    effect: 'looks',
    hidden: true,
    summary: 'print what may follow the given words; the completion scripts call it',
    args: [],
    options: [],
    takesCommand: true,
    example: 'nexus complete -- status',
    load: async () => (await meta()).complete,
  },
  {
    name: 'help',
    effect: 'looks',
    summary: 'show what there is, or how one command is used',
    args: [
      { name: 'command', text: 'a command', optional: true },
      { name: 'verb', text: 'its second word', optional: true },
    ],
    options: [],
    example: 'nexus help up',
    load: async () => (await meta()).help,
  },
]

/** Verbs whose first word names a workspace. */
export const NAMING_VERBS: readonly string[] = COMMANDS.filter(
  ({ args }) => args[0]?.completes === 'workspaces',
).flatMap(({ name, aliases = [] }) => [name, ...aliases])

export const GLOBAL_OPTIONS = [
  { flag: '--json', text: 'answer (and errors) as JSON' },
  { flag: '-q, --quiet', text: 'no narration on stderr' },
  { flag: '-V, --verbose', text: 'print every command that is run' },
  { flag: '-h, --help', text: 'show how the command is used' },
]
