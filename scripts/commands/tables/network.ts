/** The commands about what a guarded workspace can reach, as data; see `table.ts`. */
import type { Command } from '../command.ts'
import { DRY_RUN, NAME, REPO } from '../options.ts'

const network = () => import('../network.ts')

const HOSTS = {
  name: 'host',
  text: 'a name, *.name for those below it, .name for both, each perhaps with :port; or git-hosts, model-apis, registries',
  many: true,
} as const

export const NETWORK: readonly Command[] = [
  {
    name: 'network show',
    effect: 'looks',
    summary: 'show what can be reached from a workspace',
    args: [NAME],
    options: [REPO],
    example: 'nexus network show feature-auth',
    load: async () => (await network()).show,
  },
  {
    name: 'network allow',
    effect: 'changes',
    summary: 'let hosts be reached from a workspace with the network allowlist, now and later',
    args: [NAME, HOSTS],
    options: [REPO, DRY_RUN],
    example: 'nexus network allow feature-auth git-hosts example.org',
    load: async () => (await network()).allow,
  },
  {
    name: 'network deny',
    effect: 'changes',
    summary: 'take hosts off that list; connections that are open to them end',
    args: [NAME, HOSTS],
    options: [REPO, DRY_RUN],
    example: 'nexus network deny feature-auth example.org',
    load: async () => (await network()).deny,
  },
  {
    name: 'network log',
    effect: 'looks',
    summary: 'show what was refused on the way out of a workspace',
    args: [NAME],
    options: [{ flag: '--tail <lines>', text: 'only the last ones' }, REPO],
    example: 'nexus network log feature-auth',
    load: async () => (await network()).log,
  },
]
