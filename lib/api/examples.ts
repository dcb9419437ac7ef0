/** An answer of each endpoint, for the OpenAPI document; a test holds each to its schema. Data. */

const ID = { id: 'ws-k3v9q2xa', name: 'feature-auth' }
const PLACE = { repo: '/home/u/app', branch: 'nexus/feature-auth', worktree: '/home/u/app/.worktree/feature-auth' }
const SSH = {
  ...{
    workspaceId: ID.id,
    enabled: true,
    host: 'localhost',
    port: 32800,
    user: 'nexus',
    forwardAgent: true,
    agentMode: 'proxy',
  },
  connectionCommand: 'ssh -A nexus@localhost -p 32800',
  verifiedCommand: 'ssh -F /home/u/.nexus/ssh/config feature-auth.nexus',
  alias: 'feature-auth.nexus',
  hostKeyFingerprint: 'SHA256:4dCJb1ZnW2c7cJ8bN5ZrYl1mS0m4oUu1H8m0bqk1vGk',
}
const PORTS = [
  { name: 'ssh', container: 22, host: 32800, protocol: 'tcp' },
  { name: 'web', container: 3000, host: 32801, protocol: 'tcp', url: 'http://localhost:32801' },
]
const WORKSPACE = {
  ...{
    ...ID,
    displayName: 'Learning Platform',
    ...PLACE,
    backend: 'docker',
    host: 'local',
    state: 'running',
    reason: '',
  },
  ...{ createdAt: '2026-11-23T08:00:00Z', ports: PORTS, ssh: SSH, isolation: 'standard', gitMode: 'shared' },
  ...{ network: 'open', idleTimeout: '30m' },
}
const SERVICE = {
  ...{ name: 'workspace', container: 'nexus-feature-auth-k3v9q2xa-workspace-1', state: 'running', health: null },
  ...{ since: '2026-11-23T08:00:03Z', exitCode: null, restarts: 0, outOfMemory: false, ports: PORTS },
}
const GIT = {
  ...{
    upstream: null,
    against: { name: 'main', kind: 'main-worktree' },
    ahead: 2,
    behind: 0,
    modified: 1,
    untracked: 1,
  },
  ...{ conflicts: 0, notBroughtBack: null, stashes: null, unfinished: [], toldInside: [] },
}
const USED = { cpu: 1.5, memory: 83_886_080, processes: 7, received: 1_024, sent: 2_048, since: '2026-11-23T08:00:03Z' }
const LOAD = {
  ...{ ...ID, repo: PLACE.repo, ...USED },
  services: [{ name: SERVICE.name, container: SERVICE.container, ...USED, memoryLimit: 8_589_934_592 }],
}
const KEY = { type: 'ssh-ed25519', bits: 256, fingerprint: SSH.hostKeyFingerprint, comment: 'nexus' }
const KEYS = {
  ...ID,
  repo: PLACE.repo,
  hostKey: { ...KEY, rotating: false },
  keys: [{ ...KEY, from: 'nexus', source: null }],
}
const INCLUDED = { file: '/home/u/.ssh/config', line: 'Include /home/u/.nexus/ssh/config', changed: true, notes: [] }
const STOPPED = { ...WORKSPACE, state: 'stopped' }
const COMMIT = {
  id: '9fceb02d0ae598e95dc970b74767f19372d61af8',
  subject: 'Add login',
  author: 'Ada',
  date: '2026-11-23T09:12:00Z',
}
const REVIEW = {
  ...{ workspace: ID.name, branch: PLACE.branch, base: '1f0c3a9b7d5e4c2b8a6f0e1d2c3b4a5968778695', commits: [COMMIT] },
  commit: COMMIT.id,
  files: [{ path: 'src/login.ts', insertions: 40, deletions: 2 }],
  uncommitted: [{ path: 'src/login.ts', insertions: 1, deletions: 0 }],
  ...{ untracked: ['notes.txt'], insertions: 40, deletions: 2, dirty: true, incomplete: null },
}
const MOVED = { name: ID.name, branch: PLACE.branch, shared: false, commits: 2, commit: COMMIT.id }
const MERGED = {
  ...{ name: ID.name, squash: false, into: 'main', branch: PLACE.branch, commits: 2, commit: COMMIT.id },
  ...{ merged: COMMIT.id, files: REVIEW.files },
}
const FINDING = {
  check: 'engine',
  status: 'ok',
  message: 'Docker 26.1 answers.',
  why: null,
  hint: null,
  fixable: false,
}
const ENTRY = {
  ...{
    key: 'ws-k3v9q2xa-20261123T101500Z',
    ...ID,
    repo: PLACE.repo,
    branch: PLACE.branch,
    head: COMMIT.id,
    changes: 3,
  },
  ...{
    deletedAt: '2026-11-23T10:15:00Z',
    until: '2026-11-30T10:15:00Z',
    files: '/home/u/.nexus/trash/ws-k3v9q2xa-20261123T101500Z/files',
    data: [{ what: 'db', bytes: 48_000_000, volume: 'nexus-feature-auth-k3v9q2xa_data' }],
  },
}
const APPROVAL = {
  ...{ repo: PLACE.repo, hash: 'nx-5a1f0c3a9b7d5e4c2b8a6f0e1d2c3b4a', since: '2026-11-23T08:00:00Z' },
  findings: [{ path: 'services.web.privileged', value: 'true', why: 'it can do to this machine what root can' }],
}
const NETWORK = { workspace: ID.name, mode: 'allowlist', allow: ['example.org', 'github.com'] }
const OPERATION = {
  ...{ id: 'op-1f0c3a9b7d', kind: 'createWorkspace', workspaceId: ID.id, status: 'running' },
  ...{ startedAt: '2026-11-23T08:00:00Z', endedAt: null, result: null, error: null },
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
const SAID = { exitCode: 0, stdout: ' M README.md\n', stderr: '', truncated: false }
const SETTING = { key: 'defaults.idle_timeout', value: '1h' }
const EDITED = { ...SETTING, file: '/home/u/.nexus/config.yaml' }
const PRUNED = { ...ID, branch: PLACE.branch, reason: 'merged into main', lastUsed: '2026-10-01T08:00:00Z' }

const EVENT = {
  ...{ id: '3f9ac012-17', time: '2026-11-23T10:15:00.012Z', type: 'workspace.changed' },
  workspace: STOPPED,
}

export const EXAMPLES: Readonly<Record<string, unknown>> = {
  listWorkspaces: { workspaces: [WORKSPACE] },
  getWorkspace: {
    ...WORKSPACE,
    services: [SERVICE],
    git: GIT,
    lastActivity: '2026-11-23T09:30:00Z',
    stopped: null,
    connected: false,
    operation: null,
  },
  getCurrent: WORKSPACE,
  listLoads: { workspaces: [LOAD] },
  getLoad: {
    ...LOAD,
    list: [
      {
        service: 'workspace',
        pid: 4711,
        user: 'nexus',
        cpu: 1.5,
        memory: 8_388_608,
        elapsed: '01:02',
        command: 'node',
      },
    ],
  },
  copyFiles: {
    copied: [
      { from: { workspace: null, path: '/home/u/notes.md' }, to: { workspace: ID.name, path: '/tmp/notes.md' } },
    ],
    ...{ files: 1, folders: 0, links: 0, bytes: 812, skipped: [] },
  },
  listAllKeys: { workspaces: [KEYS] },
  listKeys: KEYS,
  rotateHostKey: { rotated: { ...ID, before: SSH.hostKeyFingerprint, after: SSH.hostKeyFingerprint, running: true } },
  rotateOwnKey: {
    rotated: {
      before: SSH.hostKeyFingerprint,
      after: SSH.hostKeyFingerprint,
      workspaces: [{ ...ID, state: 'running' }],
    },
  },
  getSshConfig: {
    line: 'Include /home/u/.nexus/ssh/config',
    config: { path: '/home/u/.nexus/ssh/config', text: '# made by Nexus' },
    workspaces: [],
  },
  installSshConfig: INCLUDED,
  uninstallSshConfig: INCLUDED,
  getSshInfo: SSH,
  listPorts: { ports: PORTS },
  followEvents: `id: ${EVENT.id}\nevent: ${EVENT.type}\ndata: ${JSON.stringify(EVENT)}\n\n`,
  listRepositories: { repositories: [{ path: PLACE.repo, aliases: ['app'], workspaces: 1 }] },
  createWorkspace: WORKSPACE,
  startWorkspace: WORKSPACE,
  stopWorkspace: STOPPED,
  restartWorkspace: WORKSPACE,
  rebuildWorkspace: WORKSPACE,
  pauseWorkspace: { ...WORKSPACE, state: 'paused' },
  resumeWorkspace: WORKSPACE,
  deleteWorkspace: { deleted: ID, keptBranch: { name: PLACE.branch, uniqueCommits: 2 }, trash: null },
  renameWorkspace: { renamed: { ...ID, ...PLACE, name: 'auth', from: ID.name }, changed: true },
  adoptWorkspace: { adopted: { ...ID, ...PLACE, lost: false } },
  repairWorkspace: { repaired: [{ ...ID, ...PLACE, done: [], left: null }] },
  repairWorkspaces: { repaired: [{ ...ID, ...PLACE, done: ['generated files are written again'], left: null }] },
  execInWorkspace: SAID,
  getLogs: {
    logs: [{ service: 'web', stream: 'stdout', time: '2026-11-23T08:00:04Z', text: 'listening on 3000' }],
    truncated: false,
  },
  listServices: { services: [SERVICE] },
  execInWorkspaces: {
    results: [{ ...ID, repo: PLACE.repo, state: 'running', ...SAID, why: null, ms: 120 }],
  },
  runOnce: { ...SAID, kept: null },
  getDiff: REVIEW,
  getLog: { workspace: ID.name, branch: PLACE.branch, base: REVIEW.base, commits: [COMMIT], incomplete: null },
  compareWorkspaces: {
    workspaces: [REVIEW],
    overlaps: [{ path: 'src/login.ts', workspaces: ['feature-auth', 'feature-b'] }],
  },
  pullWorkspace: { ...MOVED, others: [], standing: 'inside-ahead' },
  pushWorkspace: MOVED,
  mergeWorkspace: MERGED,
  getNetwork: NETWORK,
  allowHosts: NETWORK,
  denyHosts: { ...NETWORK, allow: ['github.com'] },
  listRefusals: {
    refusals: [{ time: '2026-11-23T08:30:00Z', method: 'CONNECT', host: 'example.com', port: 443, reason: 'name' }],
  },
  listTrash: { trash: [ENTRY] },
  restoreTrash: { restored: { key: ENTRY.key, ...ID, ...PLACE } },
  emptyTrash: { removed: [ENTRY], kept: [] },
  getConfig: { settings: [{ ...SETTING, origin: '/home/u/.nexus/config.yaml:3' }] },
  getSetting: SETTING,
  setSetting: EDITED,
  unsetSetting: { ...EDITED, value: null },
  listApprovals: { pending: [APPROVAL], approved: [] },
  approveTrust: { approved: [APPROVAL] },
  revokeTrust: { revoked: [APPROVAL] },
  initRepository: { dryRun: false, found: 'a compose file with 2 services', files: ['.nexus/config.yaml'], kept: [] },
  getHealth: { healthy: true, findings: [FINDING], fixed: [] },
  fixHealth: { healthy: true, findings: [FINDING], fixed: [] },
  collectGarbage: {
    dryRun: true,
    items: [{ kind: 'image', name: 'nexus-base:1f0c3a9b7d5e', cause: 'no workspace uses it', bytes: 412_000_000 }],
    kept: [],
  },
  pruneWorkspaces: { dryRun: true, pruned: [PRUNED], kept: [] },
  getVersion: { version: '0.1.0', node: '20.20.2', docker: '26.1.5', compose: '2.26.1' },
  listOperations: { operations: [OPERATION] },
  getOperation: OPERATION,
  cancelOperation: {
    ...{ ...OPERATION, status: 'cancelled', endedAt: '2026-11-23T08:00:04Z' },
    error: {
      ...{ code: 'BACKEND_UNAVAILABLE', message: 'The operation was cancelled; what was begun is undone.' },
      ...{ hint: 'To see what there is now, run `nexus list --all`', retryable: true, details: { cancelled: true } },
    },
  },
}
