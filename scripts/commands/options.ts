/** Arguments and options that several commands have. Data. */

export const NAME = { name: 'name', text: 'name, id or <repo>/<name> of a workspace', completes: 'workspaces' } as const
export const REPO = {
  flag: '--repo <path>',
  text: 'repository: a path or an alias of the configuration; default: the current folder',
}
export const DRY_RUN = { flag: '--dry-run', text: 'print the plan and change nothing' }

export const NO_HOOKS = { flag: '--no-hooks', text: 'run no hooks and install no dotfiles this time' }

export const APPROVE = {
  flag: '--approve <hash>',
  text: 'allow what the project asks for by this hash of `nexus trust`; several as a,b',
  config: 'trust.approve',
}

/** What guards a workspace is the user's word, given when its record is made. */
export const GUARD_OPTIONS = [
  { flag: '--isolation <level>', text: 'standard or agent', config: 'isolation' },
  { flag: '--git-mode <mode>', text: 'shared or private; default: as the isolation has it', config: 'git.mode' },
  {
    flag: '--network <mode>',
    text: 'open, allowlist or none; default: as the isolation has it',
    config: 'network.mode',
  },
  {
    flag: '--allow <hosts>',
    text: 'hosts that can be reached in mode allowlist: names, git-hosts, model-apis, registries; several as a,b',
    config: 'network.allow',
  },
]

export const CREATE_OPTIONS = [
  { flag: '--backend <name>', text: 'where it runs: docker or mock', config: 'defaults.backend' },
  { flag: '--from <ref>', text: 'start the new branch there instead of at HEAD' },
  { flag: '--branch <name>', text: 'work on this existing branch' },
  { flag: '--pr <number>', text: 'start from a pull or merge request of origin' },
  { flag: '--env <KEY=value>', text: 'set a variable inside; KEY alone takes its value from here', many: true },
  { flag: '--port <port>', text: 'publish a container port: 3000 or web=3000', many: true },
  { flag: '--cpus <number>', text: 'at most this many processors', config: 'workspace.cpus' },
  { flag: '--memory <size>', text: 'at most this much memory, such as 2g', config: 'workspace.memory' },
  ...GUARD_OPTIONS,
  { flag: '--pids <number>', text: 'at most this many processes', config: 'workspace.pids' },
  { flag: '--no-start', text: 'make everything but start nothing' },
  NO_HOOKS,
  APPROVE,
  REPO,
  DRY_RUN,
]
