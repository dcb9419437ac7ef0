// The cases of `bench.mjs` about the alias of a workspace: what ssh costs through it, and what a start by connecting costs.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const ALIAS = 'standing.nexus'

export const SSH_CASES = [
  {
    name: 'ssh, open master',
    factor: 0.5,
    plus: 0,
    ssh: (b) => [...masterOf(b), ALIAS, 'true'],
    floor: 'exec.sh',
    standing: true,
    beforeAll: (b) =>
      b.ssh('-o', 'ControlMaster=auto', '-o', 'ControlPersist=300', ...masterOf(b), '-nf', ALIAS, 'true'),
    afterAll: (b) => b.ssh(...masterOf(b), '-O', 'exit', ALIAS),
  },
  {
    name: 'ssh, first connection',
    factor: 1,
    plus: 100,
    ssh: () => [ALIAS, 'true'],
    floor: 'exec-first.sh',
    standing: true,
  },
  {
    name: 'ssh, to a paused one',
    factor: 1,
    plus: 250,
    ssh: () => [ALIAS, 'true'],
    floor: ({ ssh }) => ssh(ALIAS, 'true'),
    standing: true,
    beforeNexus: (b) => b.nexus('pause', 'standing'),
    afterNexus: (b) => b.nexus('start', 'standing'),
  },
  {
    name: 'ssh, to a stopped one',
    factor: 1,
    plus: 200,
    ssh: () => [ALIAS, 'true'],
    floor: 'start.sh',
    standing: true,
    beforeNexus: stopForIdle,
    afterNexus: (b) => b.nexus('start', 'standing'),
    beforeFloor: (b) => b.floor('stop.sh'),
  },
]

function masterOf({ home }) {
  return ['-o', `ControlPath=${join(home, 'run', 'bench-master')}`]
}

/** What a person stopped would stay stopped for a client without a terminal. */
async function stopForIdle(b) {
  await b.nexus('stop', 'standing')
  const file = join(b.standing, 'workspace.json')
  const record = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, `${JSON.stringify({ ...record, stopped: { ...record.stopped, by: 'idle' } })}\n`)
}
