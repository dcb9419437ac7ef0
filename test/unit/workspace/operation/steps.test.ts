/** Plans as text: what is done in which situation, with which cause, and that no step waits for a later one. */
import {
  type DeleteFacts,
  formatPlan,
  type Plan,
  planDelete,
  planPause,
  planRebuild,
  planResume,
  planStop,
  planUp,
  type UpFacts,
} from '../../../../lib/workspace/operation/steps.ts'
import { assert, suite } from '../../../support/suite.ts'

const DOCKER = new Set(['worktree', 'local-ports', 'ssh', 'pause', 'logs', 'compose-file'])

const up = (change: Partial<UpFacts> = {}): Plan =>
  planUp({
    name: 'x',
    branch: 'nexus/x',
    branchCause: 'new, from HEAD',
    worktree: '/r/.worktree/x',
    isNew: false,
    worktreePresent: true,
    portsLeased: true,
    state: 'stopped',
    start: true,
    capabilities: DOCKER,
    stack: undefined,
    templates: [],
    preStart: undefined,
    seeded: false,
    ...change,
  })

const fresh = { isNew: true, worktreePresent: false, portsLeased: false, state: 'absent' } as const

const remove = (change: Partial<DeleteFacts> = {}): Plan =>
  planDelete({
    name: 'x',
    worktree: '/r/.worktree/x',
    branch: 'nexus/x',
    deleteBranchCause: undefined,
    portsLeased: true,
    ...change,
  })

const RECORD = '+ record x   no workspace of this name yet'
const LEASE = '+ lease ports   no ports yet'
const WORKTREE = '+ worktree /r/.worktree/x   branch nexus/x, new, from HEAD'
const PROVISION = '+ provision image and keys   needed to start'
const CONFIGURE = '+ configure generated files   written where they differ'
const REMOVE = '+ remove x   containers, networks and volumes by label'
const WORKTREE_REMOVE = '+ worktree-remove /r/.worktree/x   nothing in it would be lost or --force was given'
const RELEASE = '+ release ports   leased until now'
const FORGET = '+ forget x   nothing is left of it'

suite('plans', (test) => {
  for (const [what, plan, expected] of [
    [
      'a create that was cut off before its data was prepared',
      up({ state: 'running', unseeded: true, seeded: true }),
      [PROVISION, CONFIGURE, '+ start x   its data is not prepared yet'],
    ],
    ['create', up(fresh), [RECORD, LEASE, WORKTREE, PROVISION, CONFIGURE, '+ start x   nothing runs yet']],
    ['create --no-start', up({ ...fresh, start: false }), [RECORD, LEASE, WORKTREE, PROVISION, CONFIGURE]],
    [
      'create without local files and ports',
      up({ ...fresh, worktree: null, capabilities: new Set(['pause']) }),
      [RECORD, PROVISION, CONFIGURE, '+ start x   nothing runs yet'],
    ],
    ['start of a stopped one', up(), ['+ start x   it is stopped', CONFIGURE]],
    [
      'start of a stopped one that was made for other secrets',
      up({ secretsOutdated: true }),
      [PROVISION, CONFIGURE, '+ start x   it is stopped'],
    ],
    ['no start of a stopped one', up({ start: false }), [PROVISION, CONFIGURE]],
    [
      'start of a stopped one without its worktree',
      up({ worktreePresent: false }),
      [WORKTREE, PROVISION, CONFIGURE, '+ start x   it is stopped'],
    ],
    ['start of a paused one', up({ state: 'paused' }), [PROVISION, CONFIGURE, '+ start x   it is paused']],
    [
      'start of a broken one',
      up({ state: 'error' }),
      [PROVISION, CONFIGURE, '+ start x   a part is missing or failed'],
    ],
    ['start of a running one', up({ state: 'running' }), []],
    [
      'start of a running one whose worktree is gone',
      up({ state: 'running', worktreePresent: false }),
      [
        '+ stop x   its mount leads to a folder that is gone',
        WORKTREE,
        PROVISION,
        CONFIGURE,
        '+ start x   it is running',
      ],
    ],
    ['start without ports', up({ portsLeased: false }), [LEASE, PROVISION, CONFIGURE, '+ start x   it is stopped']],
    ['stop of a running one', planStop('x', 'running'), ['+ stop x   it is running']],
    ['stop of a paused one', planStop('x', 'paused'), ['+ stop x   it is paused']],
    ['stop of a broken one', planStop('x', 'error'), ['+ stop x   it is error']],
    ['stop of a stopped one', planStop('x', 'stopped'), []],
    ['pause', planPause('x'), ['+ pause x   it is running']],
    ['resume', planResume('x'), ['+ resume x   it is paused']],
    ['delete that keeps the branch', remove(), [REMOVE, WORKTREE_REMOVE, RELEASE, FORGET]],
    [
      'delete with the branch',
      remove({ deleteBranchCause: 'no commits of its own' }),
      [REMOVE, WORKTREE_REMOVE, '+ branch-delete nexus/x   no commits of its own', RELEASE, FORGET],
    ],
    [
      'delete with what goes to the trash',
      remove({ trashCause: 'kept for a while:  M a', filesCause: 'in the trash' }),
      [
        REMOVE,
        '+ trash /r/.worktree/x   kept for a while:  M a',
        '+ worktree-remove /r/.worktree/x   in the trash',
        RELEASE,
        FORGET,
      ],
    ],
    ['delete of one whose worktree stays', remove({ keepWorktree: true }), [REMOVE, RELEASE, FORGET]],
    ['delete without local files and ports', remove({ worktree: null, portsLeased: false }), [REMOVE, FORGET]],
  ] as const) {
    test(what, () => assert.equal(formatPlan(plan), expected))
  }
})

suite('the order of plans', (test) => {
  const all: readonly (readonly [string, Plan])[] = [
    ['create', up(fresh)],
    ['start', up()],
    ['repair', up({ worktreePresent: false, portsLeased: false })],
    ['delete', remove({ deleteBranchCause: 'none' })],
    ['delete to the trash', remove({ deleteBranchCause: 'none', trashCause: 'kept' })],
    ['small delete', remove({ worktree: null, portsLeased: false })],
  ]
  for (const [what, plan] of all) {
    test(`${what}: a step comes after what it needs, and once`, () => {
      const ids = plan.map((step) => step.id)
      assert.is(new Set(ids).size, ids.length)
      for (const [i, step] of plan.entries()) {
        for (const need of step.needs) {
          const at = ids.indexOf(need)
          assert.ok(at < i, `${step.id} needs ${need}, which comes later`)
        }
      }
    })
  }

  const needs = (plan: Plan, id: string) => plan.find((step) => step.id === id)?.needs ?? []

  test('nothing is made before the name is reserved', () => {
    for (const id of ['lease', 'worktree', 'provision']) assert.ok(needs(up(fresh), id).includes('record'), id)
  })

  test('files are made only with ports and image known, and started only then', () => {
    assert.equal([...needs(up(fresh), 'configure')].sort(), ['lease', 'provision', 'templates'])
    assert.equal(needs(up(fresh), 'start'), ['configure'])
  })

  test('a worktree is made again only while nothing has it mounted', () => {
    const plan = up({ state: 'running', worktreePresent: false })
    assert.ok(needs(plan, 'worktree').includes('stop'))
    assert.ok(needs(plan, 'start').includes('worktree'))
  })

  test('the record is forgotten last of all', () => {
    const plan = remove({ deleteBranchCause: 'none', trashCause: 'kept' })
    const others = plan.filter((step) => step.id !== 'forget').map((step) => step.id)
    assert.equal([...needs(plan, 'forget')].sort(), others.sort())
  })

  test('ports are free for others only when nothing publishes them', () => {
    assert.ok(needs(remove(), 'release').includes('remove'))
  })
})

suite('whoever is inside is not trusted', (test) => {
  const ids = (plan: Plan) => plan.map(({ id }) => id).join(' ')
  const rebuild = (state: UpFacts['state'], distrusted: boolean) =>
    planRebuild({
      name: 'x',
      capabilities: DOCKER,
      stack: 'compose.yaml',
      templates: ['.env.nexus'],
      state,
      distrusted,
    })

  test('nobody is inside while files are looked at and used', () => {
    for (const state of ['running', 'paused', 'error'] as const) {
      const [first, ...rest] = rebuild(state, true)
      assert.is(first?.id, 'stop')
      for (const { id, needs } of rest.filter((one) => ['resolve', 'templates', 'start'].includes(one.id)))
        assert.ok(needs.includes('stop'), id)
    }
    const broken = up({ state: 'error', stack: 'compose.yaml', distrusted: true })
    assert.match(ids(broken), /^stop resolve /)
  })

  test('nobody is stopped without need', () => {
    assert.not.match(ids(rebuild('stopped', true)), /stop/)
    assert.not.match(ids(rebuild('running', false)), /stop/)
    assert.not.match(ids(up({ state: 'error', stack: 'compose.yaml' })), /stop/)
  })
})
