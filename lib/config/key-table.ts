/**
 * The configuration's keys as data: type, who may set it, default and text of each. A new key is one row here: `settings.ts` derives
 * the field of `Settings` from it, `keys.ts` answers questions about it, schema and docs are generated.
 * A `*` stands for a name that the user chooses.
 */

import { GIT_MODES, ISOLATIONS, NETWORK_MODES, PROTOCOLS } from '../core/modes.ts'
import { AGENT_MODES } from '../core/ssh-agent-mode.ts'
import { arrayOf, type KeySpec, types } from './types.ts'

const port = types.integer(1, 65_535)
const names = arrayOf(types.text(1, 100))
const patterns = arrayOf(types.text(1, 250))
const leasable = types.integer(1024, 65_535)
const TRASH_BUDGET_BYTES = 10 * 1024 ** 3

type Row = Omit<KeySpec, 'variable'>

/** The moments at which a project's commands run, as `hooks` names them. */
export const HOOK_NAMES = ['post-create', 'pre-start', 'post-start', 'pre-stop', 'post-stop', 'pre-delete'] as const

function describeHook(name: (typeof HOOK_NAMES)[number]): string {
  const [when, what] = name.split('-')
  return `${when === 'pre' ? 'before' : 'after'} the workspace is ${{ create: 'created', start: 'started', stop: 'stopped', delete: 'deleted' }[what ?? ''] ?? what}`
}

function hookRows(name: (typeof HOOK_NAMES)[number]) {
  return [
    { key: `hooks.${name}.run`, type: types.text(1, 4000), scope: 'any', text: `command to run ${describeHook(name)}` },
    {
      key: `hooks.${name}.on`,
      type: types.choice('container', 'host'),
      scope: 'any',
      text: 'where: container (default) or host',
    },
    { key: `hooks.${name}.timeout`, type: types.duration, scope: 'any', text: 'its time limit; default 10m' },
  ] as const satisfies readonly Row[]
}

export const TABLE = [
  {
    key: 'defaults.backend',
    type: types.text(1, 40),
    scope: 'any',
    default: 'docker',
    text: 'where workspaces run: docker or mock',
  },
  {
    key: 'defaults.idle_timeout',
    type: types.duration,
    scope: 'any',
    default: '30m',
    text: 'idle time after which a workspace may be stopped: 30m, 1h30m or off',
  },
  {
    key: 'editor',
    type: types.text(1, 40),
    scope: 'user',
    text: 'what `nexus open` opens: code, cursor, windsurf, codium, zed, idea, ...; default: $VISUAL, or what is there',
  },
  {
    key: 'workspaces.*.path',
    type: types.path,
    scope: 'user',
    required: true,
    text: 'the repository that the alias stands for',
  },
  {
    key: 'workspaces.*.ports',
    type: arrayOf(port),
    scope: 'user',
    text: 'container ports that its workspaces publish when the project says nothing',
  },
  {
    key: 'ssh.port_range.start',
    type: leasable,
    scope: 'user',
    default: 32_800,
    text: 'first port that docker workspaces lease',
  },
  {
    key: 'ssh.port_range.end',
    type: leasable,
    scope: 'user',
    default: 34_999,
    text: 'last port that docker workspaces lease',
  },
  {
    key: 'ssh.injection.enabled',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: "let the user's own public keys in, beside Nexus's",
  },
  {
    key: 'ssh.injection.include_agent_keys',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: 'also the public keys that the ssh agent holds',
  },
  {
    key: 'ssh.injection.sources',
    type: arrayOf(types.path),
    scope: 'user',
    default: [],
    text: 'further files with public keys',
  },
  {
    key: 'ssh.forward_agent',
    type: types.graded(AGENT_MODES, 'off', 'proxy'),
    scope: 'any',
    projectMaySet: 'off',
    default: 'proxy',
    text: 'how far the ssh agent is forwarded: off, proxy (keys can be listed and used for signing, nothing else) or full; false is off, true is proxy',
  },
  {
    key: 'ssh.agent_keys',
    type: arrayOf(types.text(1, 500)),
    scope: 'user',
    default: [],
    text: "with proxy: the agent's keys that may be used, by fingerprint, public key file or comment; default: all of them",
  },
  {
    key: 'ssh.wake',
    type: types.boolean,
    scope: 'user',
    default: true,
    text: 'start a workspace that does not run when somebody connects to it by ssh',
  },
  {
    key: 'workspace.name',
    type: types.text(1, 100),
    scope: 'project',
    text: "the project's word in names and host names; default: the folder's",
  },
  { key: 'workspace.display_name', type: types.text(1, 200), scope: 'project', text: 'what people see' },
  { key: 'workspace.cpus', type: types.positive, scope: 'any', text: 'at most this many processors' },
  { key: 'workspace.memory', type: types.size, scope: 'any', text: 'at most this much memory, such as 2g' },
  {
    key: 'workspace.pids',
    type: types.integer(64, 4_194_304),
    scope: 'any',
    default: 4096,
    text: 'at most this many processes',
  },
  {
    key: 'workspace.image',
    type: types.text(1, 250),
    scope: 'any',
    text: 'image to work in, of Debian or Ubuntu; default: debian:bookworm-slim',
  },
  {
    key: 'workspace.dockerfile',
    type: types.text(1, 250),
    scope: 'project',
    text: 'Dockerfile of the image to work in, from the top of the repository',
  },
  {
    key: 'workspace.service',
    type: types.text(1, 100),
    scope: 'project',
    text: "service of the project's compose file to work in; default: a container beside them",
  },
  {
    key: 'compose.files',
    type: patterns,
    scope: 'project',
    text: 'compose files from the top of the repository, later ones on top; [] for none; default: what is found',
  },
  {
    key: 'compose.profiles',
    type: names,
    scope: 'any',
    default: [],
    text: 'profiles of the compose files that are active',
  },
  {
    key: 'compose.external',
    type: types.choice('shared', 'private'),
    scope: 'any',
    projectMaySet: 'private',
    default: 'shared',
    text: 'external volumes of the compose files: shared as they are, or each workspace gets a copy',
  },
  {
    key: 'compose.wait',
    type: types.duration,
    scope: 'any',
    default: '2m',
    text: 'how long `up` waits for the health checks of the services; off: not at all',
  },
  {
    key: 'services',
    type: arrayOf(types.text(1, 60)),
    scope: 'any',
    default: [],
    text: 'ready services: postgres, mysql, mariadb, redis, each perhaps with a version such as postgres:16',
  },
  {
    key: 'images.*',
    type: types.text(1, 250),
    scope: 'any',
    text: 'image to use for a ready service, such as one of a mirror',
  },
  {
    key: 'shared',
    type: names,
    scope: 'project',
    default: [],
    text: 'services that run once for all workspaces',
  },
  {
    key: 'worktree.copy',
    type: patterns,
    scope: 'any',
    default: [],
    text: 'ignored files to copy into a new worktree, as patterns of .gitignore; beside .worktreeinclude',
  },
  {
    key: 'worktree.link',
    type: patterns,
    scope: 'user',
    default: [],
    text: 'ignored files to share with the main worktree by hard links',
  },
  {
    key: 'worktree.templates',
    type: patterns,
    scope: 'any',
    default: [],
    text: 'templates of ignored files, such as .env.nexus, which makes .env',
  },
  {
    key: 'caches',
    type: arrayOf(types.cache),
    scope: 'any',
    default: [],
    text: 'folders inside that all workspaces of the repository share as volumes, such as ~/.npm',
  },
  { key: 'seed.service', type: types.text(1, 100), scope: 'any', text: 'service whose data is prepared once' },
  { key: 'seed.run', type: types.text(1, 4000), scope: 'any', text: 'command in the workspace that prepares them' },
  {
    key: 'seed.inputs',
    type: patterns,
    scope: 'any',
    default: [],
    text: 'files that the prepared data depends on, as patterns',
  },
  ...HOOK_NAMES.flatMap((name) => hookRows(name)),
  {
    key: 'dotfiles.repository',
    type: types.text(1, 500),
    scope: 'user',
    text: "repository of the user's dotfiles, cloned in each new workspace",
  },
  {
    key: 'dotfiles.install',
    type: types.text(1, 1000),
    scope: 'user',
    text: 'command that installs them, run in their folder; default: install.sh and the like',
  },
  {
    key: 'secrets.*.from',
    type: types.text(1, 1000),
    scope: 'any',
    required: true,
    text: 'where the value comes from: env://NAME, file://PATH or cmd://COMMAND',
  },
  {
    key: 'secrets.*.variable',
    type: types.variable,
    scope: 'any',
    text: 'give it as this variable too; without it, it is a file in memory only',
  },
  {
    key: 'secrets.*.services',
    type: names,
    scope: 'any',
    text: 'services that get it; default: the workspace',
  },
  {
    key: 'env.pass',
    type: names,
    scope: 'user',
    default: [],
    text: 'variables of this machine that compose files may use',
  },
  {
    key: 'trust.approve',
    type: names,
    scope: 'user',
    default: [],
    text: 'hashes of what projects may do beyond the ordinary, as `nexus trust` shows them',
  },
  {
    key: 'subnets.range',
    type: types.text(9, 18),
    scope: 'user',
    default: '10.213.0.0/16',
    text: 'addresses that networks of workspaces lease, as a CIDR block',
  },
  {
    key: 'isolation',
    type: types.choice(...ISOLATIONS),
    scope: 'any',
    projectMaySet: 'agent',
    default: 'standard',
    text: 'how much a workspace is trusted',
  },
  {
    key: 'sudo',
    type: types.boolean,
    scope: 'any',
    projectMaySet: false,
    default: true,
    text: 'let the user inside become root there',
  },
  {
    key: 'git.mode',
    type: types.choice(...GIT_MODES),
    scope: 'any',
    projectMaySet: 'private',
    text: "whose git dir is used inside: the repository's own (shared) or one of the workspace's (private); default: shared, with isolation agent private",
  },
  {
    key: 'network.mode',
    type: types.choice(...NETWORK_MODES),
    scope: 'any',
    projectMaySet: 'allowlist',
    text: 'what can be reached from inside; default: open, with isolation agent allowlist',
  },
  {
    key: 'network.allow',
    type: arrayOf(types.text(1, 253)),
    scope: 'user',
    default: [],
    text: 'hosts that can be reached in mode allowlist, by name or preset',
  },
  {
    key: 'trash.keep',
    type: types.duration,
    scope: 'user',
    default: '7d',
    text: 'how long what a delete keeps stays in the trash: 7d, 12h, or off for no trash',
  },
  {
    key: 'trash.budget',
    type: types.size,
    scope: 'user',
    default: TRASH_BUDGET_BYTES,
    text: 'at most this much for ignored files and data of services in the trash, such as 20g; the oldest go first; default: 10g',
  },
  {
    key: 'limits.running',
    type: types.integer(1, 10_000),
    scope: 'user',
    text: 'at most this many workspaces in memory at once; default: no limit',
  },
  {
    key: 'limits.memory',
    type: types.size,
    scope: 'user',
    text: 'at most this much memory for all that are in memory, by workspace.memory, or 1g for one without; default: no limit',
  },
  {
    key: 'worktree_dir',
    type: types.path,
    scope: 'user',
    text: 'folder for worktrees, in place of .worktree in the repository',
  },
  { key: 'ports.*.container', type: port, scope: 'any', required: true, text: 'port inside' },
  {
    key: 'ports.*.host',
    type: leasable,
    scope: 'any',
    text: 'port on this machine that is published besides while it is free; 1024 or above',
  },
  { key: 'ports.*.protocol', type: types.choice(...PROTOCOLS), scope: 'any', default: 'tcp', text: 'tcp or udp' },
] as const satisfies readonly Row[]
