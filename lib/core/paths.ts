/**
 * Where things lie on disk: the contract's layout of `NEXUS_HOME` and of a workspace's folder. Pure; touches no disk.
 */
import { join } from 'node:path'
import type { WorkspaceId } from './names.ts'

export interface HomePaths {
  readonly home: string
  readonly config: string
  readonly instance: string
  readonly leases: string
  readonly subnets: string
  readonly approvals: string
  /** Room for a full disk. */
  readonly reserve: string
  readonly workspaces: string
  readonly sshDir: string
  readonly sshKey: string
  readonly sshConfig: string
  /** The host keys of all workspaces. */
  readonly knownHosts: string
  /** The script that the aliases call. */
  readonly sshProxy: string
  readonly run: string
  readonly logs: string
  readonly cache: string
  /** The trash: one folder for each delete. */
  readonly trash: string
  /** One folder for each repository's shared services. */
  readonly shared: string
  readonly locks: string
  /** One stamp for each workspace: when it was used last. */
  readonly activity: string
  /** Prefix of the git dirs of `git-inert.ts`, each of which exists for one look. */
  readonly inertGit: string
}

export function homePaths(home: string): HomePaths {
  return {
    home,
    config: join(home, 'config.yaml'),
    instance: join(home, 'state', 'instance'),
    leases: join(home, 'state', 'ports.json'),
    subnets: join(home, 'state', 'subnets.json'),
    approvals: join(home, 'state', 'approvals.json'),
    reserve: join(home, 'state', 'reserve'),
    workspaces: join(home, 'workspaces'),
    sshDir: join(home, 'ssh'),
    sshKey: join(home, 'ssh', 'id_ed25519'),
    sshConfig: join(home, 'ssh', 'config'),
    knownHosts: join(home, 'ssh', 'known_hosts'),
    sshProxy: join(home, 'ssh', 'proxy'),
    run: join(home, 'run'),
    logs: join(home, 'logs'),
    cache: join(home, 'cache'),
    trash: join(home, 'trash'),
    shared: join(home, 'shared'),
    locks: join(home, 'run', 'locks'),
    activity: join(home, 'run', 'activity'),
    inertGit: join(home, 'run', 'git'),
  }
}

export interface WorkspacePaths {
  readonly dir: string
  readonly record: string
  /** What the user chose at create (`choice.json`), for a workspace whose files an agent writes. */
  readonly choice: string
  readonly composeFile: string
  /** Merged behind the project's own compose files by `composeFile`. */
  readonly overrideFile: string
  /** The resolved model of the project's compose files: what Nexus itself starts. */
  readonly resolvedFile: string
  /** The seccomp profile of isolation `agent`, which the compose file names. */
  readonly seccompFile: string
  /** Configuration of the network gate of a guarded workspace. */
  readonly networkDir: string
  readonly sshDir: string
  readonly sshdConfig: string
  readonly hostKey: string
  readonly authorizedKeys: string
  readonly knownHosts: string
  readonly sshConfig: string
  /** The git dir that is used inside, in the git mode `private`. */
  readonly privateGit: string
  /** What of it was brought back last. */
  readonly broughtBack: string
}

export function workspacePaths(home: HomePaths, id: WorkspaceId): WorkspacePaths {
  const dir = join(home.workspaces, id)
  const sshDir = join(dir, 'ssh')
  return {
    dir,
    record: join(dir, 'workspace.json'),
    choice: join(dir, 'choice.json'),
    composeFile: join(dir, 'docker-compose.yml'),
    overrideFile: join(dir, 'project-override.yml'),
    resolvedFile: join(dir, 'project-resolved.yml'),
    seccompFile: join(dir, 'seccomp.json'),
    networkDir: join(dir, 'network'),
    sshDir,
    sshdConfig: join(sshDir, 'sshd_config'),
    hostKey: join(sshDir, 'ssh_host_ed25519_key'),
    authorizedKeys: join(sshDir, 'authorized_keys'),
    knownHosts: join(sshDir, 'known_hosts'),
    sshConfig: join(dir, 'ssh_config'),
    privateGit: join(dir, 'git'),
    broughtBack: join(dir, 'brought-back.json'),
  }
}
