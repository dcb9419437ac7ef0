/**
 * The tables behind failpoints: every step that a plan can have stands in them, so that a new step without a case fails here, and every
 * case can be asked for.
 */
import { GIT_STEPS, KINDS, type OperationKind, STEP_LIMITS_MS, STEPS_AFTER } from '../../../../lib/core/operations.ts'
import { FAILURES, parseFailpoint } from '../../../../lib/workspace/operation/failpoint.ts'
import {
  type Plan,
  planDelete,
  planPause,
  planRebuild,
  planResume,
  planStop,
  planUp,
  type UpFacts,
} from '../../../../lib/workspace/operation/steps.ts'
import { listCases, nameOf } from '../../../support/failpoints.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'

const CAPABILITIES = new Set(['worktree', 'local-ports', 'pause', 'compose-file'])

const both = [false, true]
const states = ['absent', 'running', 'paused', 'stopped', 'error'] as const

/** Every plan of an `up` that facts can lead to. */
function* upPlans(isNew: boolean): Generator<Plan> {
  const base = { name: 'x', branch: 'b', branchCause: 'c', worktree: '/w', isNew, capabilities: CAPABILITIES }
  for (const start of both)
    for (const full of both)
      for (const worktreePresent of isNew ? [false] : both)
        for (const portsLeased of isNew ? [false] : both)
          for (const state of isNew ? (['absent'] as const) : states) {
            const brings = { stack: full ? 'compose.yaml' : undefined, preStart: full ? 'true' : undefined }
            const more = { templates: full ? ['a'] : [], seeded: full, start, worktreePresent, portsLeased, state }
            yield planUp({ ...base, ...brings, ...more } satisfies UpFacts)
          }
}

const hooks = { 'pre-stop': 'a', 'post-stop': 'b', bringBack: 'nexus/x' }
const remove = { name: 'x', worktree: '/w', branch: 'b', deleteBranchCause: 'c', portsLeased: true, preDelete: 'a' }
const rebuild = {
  name: 'x',
  capabilities: CAPABILITIES,
  stack: 'compose.yaml',
  templates: ['a'],
  state: 'running' as const,
  distrusted: true,
}
const PLANS: Readonly<Record<OperationKind, readonly Plan[]>> = {
  create: [...upPlans(true)],
  start: [...upPlans(false)],
  stop: [planStop('x', 'running', hooks)],
  pause: [planPause('x')],
  resume: [planResume('x')],
  rebuild: [planRebuild(rebuild)],
  delete: [planDelete({ ...remove, trashCause: 'c' })],
}

suite('failpoints', (test) => {
  for (const [operation, plans] of Object.entries(PLANS)) {
    test(`the table has the steps of ${operation}, and no others`, () => {
      const after: readonly string[] = STEPS_AFTER
      const listed: readonly string[] = KINDS[operation as OperationKind].steps
      const planned = new Set<string>(plans.flatMap((plan) => plan.map(({ id }) => id)))
      assert.equal(
        [...planned].filter((id) => !listed.includes(id)),
        [],
        'steps without a case',
      )
      assert.equal(
        listed.filter((id) => !planned.has(id) && !after.includes(id)),
        [],
        'steps of no plan',
      )
    })
  }

  test('each step belongs to an operation, or to git alone, and has a limit', () => {
    const operations: readonly string[] = Object.values(KINDS).flatMap(({ steps }) => steps)
    assert.equal(
      GIT_STEPS.filter((step) => operations.includes(step)),
      [],
    )
    const listed = new Set<string>([...operations, ...GIT_STEPS])
    assert.equal(Object.keys(STEP_LIMITS_MS).sort(), [...listed].sort())
  })

  test('every case can be asked for, and nothing else', async () => {
    for (const one of listCases()) {
      const { operation, step, failure, moment } = parseFailpoint(nameOf(one))
      assert.equal({ operation, step, failure, moment }, one)
    }
    assert.is(parseFailpoint('create.start:kill').moment, 'before')
    const wrong = ['', 'create', 'create.start', 'create.forget:kill', 'up.start:kill', 'create.start:explode']
    for (const text of [...wrong, 'create.start:kill:during', 'constructor.start:kill']) {
      const error = await rejects(() => parseFailpoint(text), 'INVALID_ARGUMENT')
      assert.match(error.hint ?? '', 'unset NEXUS_FAILPOINT')
    }
    assert.is(listCases().length, Object.values(KINDS).flatMap(({ steps }) => [...steps]).length * FAILURES.length * 2)
  })
})
