/**
 * From rows of `docker ps` to the states of the contract, and from record, view and worktree to what the user is told.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { observeWorkspaces } from '../../../lib/backends/docker/observation.ts'
import type { WorkspaceId } from '../../../lib/core/names.ts'
import type { Observation, Operation, WorkspaceRecord } from '../../../lib/core/workspace.ts'
import { isAlive, ownIdentity } from '../../../lib/system/process.ts'
import { type ContainerRow, parseContainers } from '../../../lib/tools/docker.ts'
import type { Drift } from '../../../lib/workspace/drift.ts'
import { observeAll, stateOf } from '../../../lib/workspace/observe.ts'
import { appWorld, localIn } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { assert, suite } from '../../support/suite.ts'

const ID = 'ws-k3v7q2xa' as WorkspaceId

const row = (state: string, status = '', service = 'workspace', workspace: string = ID): ContainerRow => ({
  workspace,
  service,
  role: '',
  project: `nexus-x-${workspace.slice(3)}`,
  name: `nexus-x-${service}-1`,
  state,
  status,
})

/** `state: reason`, as one line. */
const told = ({ state, reason }: { readonly state: string; readonly reason: string }) =>
  reason === '' ? state : `${state}: ${reason}`

const seen = (...rows: readonly ContainerRow[]) => {
  const observation = observeWorkspaces(rows).get(ID)
  return observation === undefined ? 'absent' : told(observation)
}

suite('docker ps rows', (test) => {
  for (const [what, rows, expected] of [
    ['no container', [], 'absent'],
    ['running', [row('running', 'Up 3 seconds')], 'running'],
    [
      'running behind a gate that is not',
      [row('running', 'Up'), row('exited', 'Exited (137)', 'nexus-gate')],
      'error: the gate, which leads in and out, is exited',
    ],
    ['running and healthy', [row('running', 'Up 3 seconds (healthy)')], 'running'],
    ['running, unhealthy', [row('running', 'Up 3 seconds (unhealthy)')], 'running: service workspace is unhealthy'],
    [
      'running, not healthy yet',
      [row('running', 'Up 1 second (health: starting)')],
      'running: the health check of workspace has not passed yet',
    ],
    ['paused', [row('paused', 'Up 3 minutes (Paused)')], 'paused'],
    ['ended with 0', [row('exited', 'Exited (0) 2 minutes ago')], 'stopped'],
    ['ended by SIGTERM', [row('exited', 'Exited (143) 2 minutes ago')], 'stopped'],
    ['killed', [row('exited', 'Exited (137) 2 minutes ago')], 'stopped: the container was killed'],
    ['failed', [row('exited', 'Exited (1) 2 minutes ago')], 'error: the workspace container ended with code 1'],
    ['an unreadable exit', [row('exited', 'what')], 'error: the workspace container ended with code NaN'],
    ['never started', [row('created', 'Created')], 'error: the workspace container never started'],
    ['restarting', [row('restarting')], 'error: the workspace container restarts again and again'],
    ['dead', [row('dead', 'Dead')], 'error: the workspace container is dead'],
    ['removing', [row('removing')], 'error: the workspace container is removing'],
    ['only a service left', [row('running', 'Up', 'db')], 'error: the workspace container is missing'],
    ['all services run', [row('running', 'Up'), row('running', 'Up', 'db')], 'running'],
    [
      'a service down',
      [row('exited', 'Exited (1) 1 s ago', 'db'), row('running', 'Up')],
      'running: service db is exited',
    ],
    [
      'several services down',
      [
        row('exited', 'Exited (3)', 'js'),
        row('running', 'Up'),
        row('exited', 'Exited (1)', 'css'),
        row('paused', '', 'db'),
      ],
      'running: services css and js are exited; service db is paused',
    ],
    ['a service that did its work', [row('running', 'Up'), row('exited', 'Exited (0) 1 s ago', 'init')], 'running'],
    ['all gone', [row('exited', 'Exited (0) 1 s ago'), row('exited', 'Exited (0) 1 s ago', 'db')], 'stopped'],
    [
      'stopped while a service runs',
      [row('exited', 'Exited (0) 1 s ago'), row('running', 'Up', 'db')],
      'error: the workspace container is stopped while db runs',
    ],
  ] as const) {
    test(what, () => {
      assert.is(seen(...rows), expected)
    })
  }

  test('workspaces are kept apart, and labels that are no id are ignored', () => {
    const other = 'ws-bbbbbbbb'
    const views = observeWorkspaces([
      row('running'),
      row('paused', '', 'workspace', other),
      row('running', '', 'db', ''),
    ])
    assert.equal([...views].map(([id, view]) => `${id} ${told(view)}`).sort(), [`${other} paused`, `${ID} running`])
  })

  test('what runs from an image of the workspace outside of its compose project is no part of it', () => {
    const stray = { ...row('exited', 'Exited (1)', 'db'), project: '' }
    const others = { ...row('exited', 'Exited (1)', 'db'), project: 'nexus-x-bbbbbbbb' }
    assert.is(seen(row('running'), stray, others), 'running')
    assert.is(seen({ ...row('running'), project: 'nexus-renamed-since-k3v7q2xa' }), 'running')
    assert.is(seen({ ...row('running'), project: 'k3v7q2xa' }), 'absent')
  })

  test('the text of docker ps is read column by column', () => {
    const text = `${ID}\tworkspace\t\tnexus-x-k3v7q2xa\tnexus-x-workspace-1\texited\tExited (0) 2 minutes ago\n\tweb\t\t\tother\trunning\tUp\n`
    const [first, second] = parseContainers(text)
    assert.equal(first, row('exited', 'Exited (0) 2 minutes ago'))
    assert.is(second?.workspace, '')
    assert.equal(parseContainers(''), [])
  })
})

const record = (change: Partial<WorkspaceRecord> = {}) =>
  ({
    id: ID,
    name: 'x',
    local: localIn('/r', '/r/.worktree/x'),
    desired: 'running',
    operation: null,
    ...change,
  }) as unknown as WorkspaceRecord

const operation = (kind: Operation['kind'], alive: boolean): Operation => ({
  kind,
  done: [],
  step: 'worktree',
  startedAt: '2026-11-23T08:00:00Z',
  ...ownIdentity(),
  ...(alive ? {} : { bootId: 'another boot' }),
})

const GONE: Drift = { kind: 'worktree-gone', text: 'the worktree is missing', command: 'nexus up x', broken: true }
const running: Observation = { state: 'running', reason: '' }
const stopped: Observation = { state: 'stopped', reason: '' }
const broken: Observation = { state: 'error', reason: 'the workspace container never started' }
const unknown: Observation = { state: 'unknown', reason: 'the engine does not answer' }
const works = 'since 2026-11-23T08:00:00Z'

suite('observeAll', (test) => {
  test('an operation whose process ended after its record was read has ended, and was not interrupted', async () => {
    await using local = await appWorld()
    const ended = await local.record('one')
    const cut = await local.record('two', { operation: operation('stop', false) })
    const gone = { ...ended, id: 'ws-aaaaaaaa' as WorkspaceId, operation: operation('delete', false) }
    const before = [{ ...ended, operation: operation('stop', false) }, cut, gone]
    const all = await observeAll(local.app, before)
    assert.equal(all.map(told), ['stopped', 'stopped: stop was interrupted; the next command finishes it', 'deleting'])
  })
})

suite('stateOf', (test) => {
  for (const [what, change, view, present, expected] of [
    ['running', {}, running, true, 'running'],
    ['a reason of the backend is kept', {}, { state: 'running', reason: 'unhealthy' }, true, 'running: unhealthy'],
    ['the engine cannot be asked', {}, unknown, true, 'unknown: the engine does not answer'],
    ['neither engine nor worktree', {}, unknown, false, 'unknown: the engine does not answer'],
    ['no containers though it should run', {}, undefined, true, 'stopped: it has no containers'],
    ['no containers, as wanted', { desired: 'stopped' }, undefined, true, 'stopped'],
    ['the worktree is gone', {}, running, false, 'error: the worktree is missing; `nexus up x` mends it'],
    ['being created', { operation: operation('create', true) }, undefined, false, `creating: being created ${works}`],
    ['being deleted', { operation: operation('delete', true) }, running, true, `deleting: being deleted ${works}`],
    [
      'being created, engine silent',
      { operation: operation('create', true) },
      unknown,
      true,
      `creating: being created ${works}`,
    ],
    [
      'an interrupted create',
      { operation: operation('create', false) },
      undefined,
      true,
      'error: create was interrupted; `nexus up x` finishes it',
    ],
    [
      'an interrupted delete',
      { operation: operation('delete', false) },
      stopped,
      false,
      'error: delete was interrupted; `nexus delete x` finishes it',
    ],
    [
      'an interrupted stop is what is seen, and said',
      { operation: operation('stop', false) },
      running,
      true,
      'running: stop was interrupted; the next command finishes it',
    ],
    ['being stopped', { operation: operation('stop', true) }, running, true, `running: being stopped ${works}`],
    ['half started', { operation: operation('start', true) }, broken, true, `stopped: being started ${works}`],
    ['half stopped', { operation: operation('stop', true) }, broken, true, `stopped: being stopped ${works}`],
    ['broken, and nobody at work', {}, broken, true, 'error: the workspace container never started'],
  ] as const) {
    test(what, () => assert.is(told(stateOf(record(change), view, present ? undefined : GONE)), expected))
  }

  test('a process that has ended is not alive, though its parent never asks', async () => {
    const script = 'exec 3<&0; read -r <&3 & echo $!; exec sleep 60'
    const parent = spawn('bash', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
    try {
      const [line] = await once(parent.stdout, 'data')
      const pid = Number(String(line))
      // a shell would ask; what it has become does not
      await eventually(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n')
      parent.stdin.end('\n')
      const fields = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      await eventually(() => fields()[0] === 'Z')
      const pidStart = fields()[19] ?? ''
      assert.not(isAlive({ pid, pidStart, bootId: ownIdentity().bootId }))
      assert.ok(isAlive(ownIdentity()))
    } finally {
      parent.kill('SIGKILL')
    }
  })

  test('the pid of an operation alone does not make it alive', () => {
    const reused = { ...operation('create', true), pidStart: '1' }
    assert.is(stateOf(record({ operation: reused }), undefined, undefined).state, 'error')
  })
})
