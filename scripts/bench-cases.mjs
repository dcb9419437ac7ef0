// The cases of `bench.mjs`: what is timed, beside which floor, and how much more it may take.
import { SSH_CASES } from './bench-ssh.mjs'

const TEN_COMMITS = 'for n in {1..10}; do echo $n$RANDOM > file-$n.txt; git commit --quiet --all --message $n; done'
const deleteAll = (b) => b.nexus('delete', 'bench', '--force', '--no-trash', '--delete-branch')

/**
 * Each case: how both sides are prepared and cleaned (not timed), what is timed, and the bound: factor x floor + plus ms. The floor is a
 * script without Nexus, or nexus without what is measured, as its words. The short form runs those with `short`.
 */
export const CASES = [
  { name: 'version', factor: 1.3, plus: 0, nexus: ['--version'], floor: 'version.sh', short: true },
  {
    name: 'create to first ssh',
    factor: 1.15,
    plus: 0,
    nexus: ['create', 'bench'],
    floor: 'create.sh',
    short: true,
    afterNexus: (b) => b.nexus('delete', 'bench'),
    afterFloor: (b) => b.floor('delete.sh'),
  },
  {
    name: 'create, reference project',
    factor: 1.15,
    plus: 0,
    nexus: (b) => ['create', 'bench', '--repo', b.project.repo],
    floor: 'create-project.sh',
    fixture: 'project',
    afterNexus: (b) => b.nexus('delete', 'bench', '--force', '--repo', b.project.repo),
    afterFloor: (b) => b.floor('delete.sh', b.project.env),
  },
  {
    name: 'create, 50,000 ignored files',
    factor: 1.2,
    plus: 0,
    nexus: (b) => ['create', 'bench', '--repo', b.ignored.repo],
    floor: 'copy-ignored.sh',
    fixture: 'ignored',
    afterNexus: async (b) => {
      await b.ignored.setAside()
      await b.nexus('delete', 'bench', '--repo', b.ignored.repo)
    },
  },
  {
    name: 'create, isolation agent',
    factor: 1,
    plus: 250,
    nexus: ['create', 'bench', '--isolation', 'agent'],
    floor: ['create', 'bench'],
    afterNexus: deleteAll,
    afterFloor: deleteAll,
  },
  {
    name: 'exec, 10 commits come back',
    factor: 1,
    plus: 250,
    nexus: ['exec', 'bench', '--', 'bash', '-c', TEN_COMMITS],
    floor: ['exec', 'bench', '--', 'bash', '-c', TEN_COMMITS],
    beforeNexus: (b) => b.nexus('create', 'bench', '--git-mode', 'private'),
    afterNexus: deleteAll,
    beforeFloor: (b) => b.nexus('create', 'bench'),
    afterFloor: deleteAll,
  },
  {
    name: 'delete',
    factor: 2,
    plus: 0,
    nexus: ['delete', 'bench'],
    floor: 'delete.sh',
    beforeNexus: (b) => b.nexus('create', 'bench'),
    beforeFloor: (b) => b.floor('create.sh'),
  },
  { name: 'list, 1 workspace', factor: 2, plus: 0, nexus: ['list'], floor: 'list.sh', short: true, standing: true },
  { name: 'list, 100 workspaces (mock)', factor: 3, plus: 0, nexus: ['list', '--all'], floor: 'list.sh', crowd: true },
  {
    name: 'exec over the open master',
    factor: 2,
    plus: 0,
    nexus: ['exec', 'standing', '--', 'true'],
    floor: 'exec.sh',
    short: true,
    standing: true,
  },
  {
    name: 'exec, first connection',
    factor: 1,
    plus: 100,
    nexus: ['exec', 'standing', '--', 'true'],
    floor: 'exec-first.sh',
    standing: true,
    beforeNexus: (b) => b.closeMaster(),
  },
  {
    name: 'start',
    factor: 1,
    plus: 100,
    nexus: ['start', 'standing'],
    floor: 'start.sh',
    short: true,
    standing: true,
    beforeNexus: (b) => b.nexus('stop', 'standing'),
    beforeFloor: (b) => b.floor('stop.sh'),
  },
  {
    name: 'stop',
    factor: 2,
    plus: 100,
    nexus: ['stop', 'standing'],
    floor: 'stop.sh',
    standing: true,
    beforeNexus: (b) => b.nexus('start', 'standing'),
    beforeFloor: (b) => b.floor('start.sh'),
    afterAll: (b) => b.nexus('start', 'standing'),
    afterFloors: (b) => b.floor('start.sh'),
  },
  ...SSH_CASES,
]
