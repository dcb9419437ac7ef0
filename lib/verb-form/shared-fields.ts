/** Fields that several verbs take. Data, and how their texts are read. */
import { NexusError } from '../core/errors.ts'
import { parseDuration } from '../core/time.ts'
import { flag, option, optionalWord, options, parsed, word } from './fields.ts'

const WORKSPACE = 'name, id or <repo>/<name> of a workspace'
export const NAME = word(WORKSPACE, { completes: 'workspaces' })
export const MAYBE_NAME = optionalWord(WORKSPACE, { completes: 'workspaces' })
export const REPO = option('path', 'repository: a path or an alias of the configuration; default: the current folder', {
  http: 'The repository: an absolute path, or an alias of the configuration',
})
export const DRY_RUN = flag('print the plan and change nothing', { http: 'Answer the plan and change nothing' })
export const NO_HOOKS = flag('run no hooks and install no dotfiles this time')

export const APPROVE = option('hash', 'allow what the project asks for by this hash of `nexus trust`; several as a,b', {
  config: 'trust.approve',
  kind: 'list',
  http: 'Hashes of `GET /trust`: what the project may ask for',
  entry: ['A hash', 200],
  max: 100,
})

/** What guards a workspace is the user's word, given when its record is made. */
export const GUARD_FIELDS = {
  isolation: option('level', 'standard or agent', {
    config: 'isolation',
    kind: 'choice',
    choices: ['standard', 'agent'],
  }),
  gitMode: option('mode', 'shared or private; default: as the isolation has it', {
    config: 'git.mode',
    kind: 'choice',
    choices: ['shared', 'private'],
  }),
  network: option('mode', 'open, allowlist or none; default: as the isolation has it', {
    config: 'network.mode',
    kind: 'choice',
    choices: ['open', 'allowlist', 'none'],
  }),
  allow: option(
    'hosts',
    'hosts that can be reached in mode allowlist: names, git-hosts, model-apis, registries; several as a,b',
    {
      config: 'network.allow',
      kind: 'list',
      http: 'Hosts that can be reached with the network allowlist: names, git-hosts, model-apis, registries',
      entry: ['A host', 300],
      max: 200,
    },
  ),
}

export const CREATE_FIELDS = {
  existing: option('word', 'What to do with one that is there: default refuse', {
    side: 'http',
    kind: 'choice',
    choices: ['refuse', 'start'],
  }),
  backend: option('name', 'where it runs: docker or mock', { config: 'defaults.backend', max: 40 }),
  from: option('ref', 'start the new branch there instead of at HEAD', { max: 1_000 }),
  branch: option('name', 'work on this existing branch', { max: 1_000 }),
  pr: parsed('number', 'start from a pull or merge request of origin', parsePr, {
    kind: 'integer',
    min: 1,
    max: 9_999_999_999,
  }),
  env: options('KEY=value', 'set a variable inside; KEY alone takes its value from here', {
    kind: 'variables',
    http: 'Variables inside',
  }),
  ports: options('port', 'publish a container port: 3000 or web=3000', { as: 'port' }),
  cpus: option('number', 'at most this many processors', { config: 'workspace.cpus', kind: 'number', max: 10_000 }),
  memory: option('size', 'at most this much memory, such as 2g', { config: 'workspace.memory', max: 40 }),
  ...GUARD_FIELDS,
  pids: option('number', 'at most this many processes', {
    config: 'workspace.pids',
    kind: 'integer',
    min: 1,
    max: 10_000_000,
  }),
  start: flag('make everything but start nothing', { on: true, http: 'False makes everything but starts nothing' }),
  noHooks: NO_HOOKS,
  approve: APPROVE,
  repo: REPO,
  dryRun: DRY_RUN,
}

function parsePr(text: string, said: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new NexusError('INVALID_ARGUMENT', `${said} ${JSON.stringify(text)} is not the number of a pull request.`, {
    hint: 'To start from pull request 12, use `--pr 12`',
  })
}

/** Reads `12h` or `30d`, in milliseconds; `hint` shows the option. */
export function readAge(hint: string) {
  return (text: string, said: string): number => {
    const ms = /^(\d{1,5}[dhms])+$/.test(text) ? parseDuration(text) : undefined
    if (ms !== undefined) return ms
    throw new NexusError('INVALID_ARGUMENT', `${said} ${JSON.stringify(text)} is not a time.`, {
      hint: said.startsWith('--') ? hint : 'To mean a month, give `30d`, as in `nexus prune --merged --older-than 30d`',
    })
  }
}
