/** Parts of the answers that the OpenAPI document shows; a test holds each answer to its schema. Data. */

export const ID = { id: 'ws-k3v9q2xa', name: 'feature-auth' }
export const PLACE = {
  repo: '/home/u/app',
  branch: 'nexus/feature-auth',
  worktree: '/home/u/app/.worktree/feature-auth',
}
export const SSH = {
  workspaceId: ID.id,
  enabled: true,
  host: 'localhost',
  port: 32800,
  user: 'nexus',
  forwardAgent: true,
  agentMode: 'proxy',
  connectionCommand: 'ssh -A nexus@localhost -p 32800',
  verifiedCommand: 'ssh -F /home/u/.nexus/ssh/config feature-auth.nexus',
  alias: 'feature-auth.nexus',
  hostKeyFingerprint: 'SHA256:4dCJb1ZnW2c7cJ8bN5ZrYl1mS0m4oUu1H8m0bqk1vGk',
}
export const PORTS = [
  { name: 'ssh', container: 22, host: 32800, protocol: 'tcp' },
  { name: 'web', container: 3000, host: 32801, protocol: 'tcp', url: 'http://localhost:32801' },
]
export const WORKSPACE = {
  ...ID,
  displayName: 'Learning Platform',
  ...PLACE,
  backend: 'docker',
  host: 'local',
  state: 'running',
  reason: '',
  createdAt: '2026-11-23T08:00:00Z',
  ports: PORTS,
  ssh: SSH,
  isolation: 'standard',
  gitMode: 'shared',
  network: 'open',
  idleTimeout: '30m',
}
export const SERVICE = {
  name: 'workspace',
  container: 'nexus-feature-auth-k3v9q2xa-workspace-1',
  state: 'running',
  health: null,
  since: '2026-11-23T08:00:03Z',
  exitCode: null,
  restarts: 0,
  outOfMemory: false,
  ports: PORTS,
}
export const GIT = {
  upstream: null,
  against: { name: 'main', kind: 'main-worktree' },
  ahead: 2,
  behind: 0,
  modified: 1,
  untracked: 1,
  conflicts: 0,
  notBroughtBack: null,
  stashes: null,
  unfinished: [],
  toldInside: [],
}
const USED = {
  cpu: 1.5,
  memory: 83_886_080,
  processes: 7,
  received: 1_024,
  sent: 2_048,
  since: '2026-11-23T08:00:03Z',
}
export const LOAD = {
  ...ID,
  repo: PLACE.repo,
  ...USED,
  services: [{ name: SERVICE.name, container: SERVICE.container, ...USED, memoryLimit: 8_589_934_592 }],
}
export const KEY = { type: 'ssh-ed25519', bits: 256, fingerprint: SSH.hostKeyFingerprint, comment: 'nexus' }
export const WORKSPACE_KEYS = {
  ...ID,
  repo: PLACE.repo,
  hostKey: { ...KEY, rotating: false },
  keys: [{ ...KEY, from: 'nexus', source: null }],
}
export const INCLUDED = {
  file: '/home/u/.ssh/config',
  line: 'Include /home/u/.nexus/ssh/config',
  changed: true,
  notes: [],
}
export const STOPPED = { ...WORKSPACE, state: 'stopped' }
export const COMMIT = {
  id: '9fceb02d0ae598e95dc970b74767f19372d61af8',
  subject: 'Add login',
  author: 'Ada',
  date: '2026-11-23T09:12:00Z',
}
export const REVIEW = {
  workspace: ID.name,
  branch: PLACE.branch,
  base: '1f0c3a9b7d5e4c2b8a6f0e1d2c3b4a5968778695',
  commits: [COMMIT],
  commit: COMMIT.id,
  files: [{ path: 'src/login.ts', insertions: 40, deletions: 2 }],
  uncommitted: [{ path: 'src/login.ts', insertions: 1, deletions: 0 }],
  untracked: ['notes.txt'],
  insertions: 40,
  deletions: 2,
  dirty: true,
  incomplete: null,
}
export const MERGED = {
  name: ID.name,
  squash: false,
  into: 'main',
  branch: PLACE.branch,
  commits: 2,
  commit: COMMIT.id,
  merged: COMMIT.id,
  files: REVIEW.files,
}
export const FINDING = {
  check: 'engine',
  status: 'ok',
  message: 'Docker 26.1 answers.',
  why: null,
  hint: null,
  fixable: false,
}
export const ENTRY = {
  key: 'ws-k3v9q2xa-20261123T101500Z',
  ...ID,
  repo: PLACE.repo,
  branch: PLACE.branch,
  head: COMMIT.id,
  changes: 3,
  deletedAt: '2026-11-23T10:15:00Z',
  until: '2026-11-30T10:15:00Z',
  files: '/home/u/.nexus/trash/ws-k3v9q2xa-20261123T101500Z/files',
  data: [{ what: 'db', bytes: 48_000_000, volume: 'nexus-feature-auth-k3v9q2xa_data' }],
}
export const APPROVAL = {
  repo: PLACE.repo,
  hash: 'nx-5a1f0c3a9b7d5e4c2b8a6f0e1d2c3b4a',
  since: '2026-11-23T08:00:00Z',
  findings: [{ path: 'services.web.privileged', value: 'true', why: 'it can do to this machine what root can' }],
}
export const NETWORK = { workspace: ID.name, mode: 'allowlist', allow: ['example.org', 'github.com'] }
export const OPERATION = {
  id: 'op-1f0c3a9b7d',
  kind: 'createWorkspace',
  workspaceId: ID.id,
  status: 'running',
  startedAt: '2026-11-23T08:00:00Z',
  endedAt: null,
  result: null,
  error: null,
  events: [
    {
      time: '2026-11-23T08:00:00Z',
      type: 'step',
      phase: 'start',
      step: 'worktree',
      subject: PLACE.worktree,
      cause: 'it is new',
    },
  ],
}
export const SAID = { exitCode: 0, stdout: ' M README.md\n', stderr: '', truncated: false }
export const SETTING = { key: 'defaults.idle_timeout', value: '1h' }
export const EDITED = { ...SETTING, file: '/home/u/.nexus/config.yaml' }
export const PRUNED = { ...ID, branch: PLACE.branch, reason: 'merged into main', lastUsed: '2026-10-01T08:00:00Z' }

export const EVENT = {
  id: '3f9ac012-17',
  time: '2026-11-23T10:15:00.012Z',
  type: 'workspace.changed',
  workspace: STOPPED,
}
