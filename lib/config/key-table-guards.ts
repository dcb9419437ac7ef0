/** The configuration's keys of what guards a workspace and limits what it uses, as data; part of `key-table.ts`. */
import { AGENT_MODES } from '../core/agent-mode.ts'
import { arrayOf, type KeySpec, types } from './types.ts'

const TRASH_BUDGET_BYTES = 10 * 1024 ** 3

/** How far the user's ssh agent reaches. */
export const AGENT_KEYS: readonly Omit<KeySpec, 'variable'>[] = [
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
]

export const GUARD_KEYS: readonly Omit<KeySpec, 'variable'>[] = [
  {
    key: 'isolation',
    type: types.choice('standard', 'agent'),
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
    type: types.choice('shared', 'private'),
    scope: 'any',
    projectMaySet: 'private',
    text: "whose git dir is used inside: the repository's own (shared) or one of the workspace's (private); default: shared, with isolation agent private",
  },
  {
    key: 'network.mode',
    type: types.choice('open', 'allowlist', 'none'),
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
]
