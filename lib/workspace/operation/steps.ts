/**
 * Plans as values. A plan is a list of steps, each with a cause; it is printed by `--dry-run`, emitted as events, and
 * walked by `apply`. A step names the steps it needs; what does not need each other runs side by side.
 * Pure: everything is decided from facts that were observed before.
 */

import type { StepId } from '../../core/operations.ts'

export interface Step {
  readonly id: StepId
  /** What it is done to, in the user's words: a path, a branch, a name. */
  readonly subject: string
  readonly cause: string
  readonly needs: readonly StepId[]
}

export type Plan = readonly Step[]

/** A step whose needs are not part of the plan (they are done already) does not wait for them. */
function step(id: StepId, subject: string, cause: string, needs: readonly StepId[] = []): Step {
  return { id, subject, cause, needs }
}

export interface UpFacts {
  readonly name: string
  readonly branch: string
  /** How the branch was chosen, such as `new, from HEAD`. */
  readonly branchCause: string
  readonly worktree: string | null
  readonly isNew: boolean
  readonly worktreePresent: boolean
  readonly portsLeased: boolean
  readonly state: 'absent' | 'running' | 'paused' | 'stopped' | 'error'
  readonly start: boolean
  readonly capabilities: ReadonlySet<string>
  /** What the project brings to run, such as `compose.yaml`; undefined for a plain workspace. */
  readonly stack: string | undefined
  /** Templates of ignored files, which need ports. */
  readonly templates: readonly string[]
  /** The hook before a start, as its command; undefined for none. */
  readonly preStart: string | undefined
  /** Prepared data follows from files of the worktree. */
  readonly seeded: boolean
  /** It gets a git dir of its own, with the worktree. */
  readonly privateGit?: boolean
  /** Its create was cut off before its data was prepared. */
  readonly unseeded?: boolean
  /** Whoever is inside may not go on while its files are looked at and used. */
  readonly distrusted?: boolean
  /** Its containers were made for other secrets, or hold some as variables. */
  readonly secretsOutdated?: boolean
  /** Its containers were made for other ports. */
  readonly portsMoved?: boolean
}

/** Steps that bring a workspace from what there is to running (or, with `start` false, to ready to run). */
export function planUp(facts: UpFacts): Plan {
  const plan: Step[] = []
  if (facts.isNew) plan.push(step('record', facts.name, 'no workspace of this name yet'))
  if (facts.capabilities.has('local-ports') && !facts.portsLeased && facts.stack === undefined) {
    plan.push(step('lease', 'ports', 'no ports yet', ['record']))
  }
  if (facts.capabilities.has('worktree') && !facts.worktreePresent && facts.worktree !== null) {
    const runs = facts.state === 'running' || facts.state === 'paused'
    if (runs) plan.push(step('stop', facts.name, 'its mount leads to a folder that is gone'))
    plan.push(step('worktree', facts.worktree, `branch ${facts.branch}, ${facts.branchCause}`, ['record', 'stop']))
  } else if (facts.state === 'running' && facts.unseeded !== true) {
    return facts.portsMoved === true && facts.start ? startAgain(facts) : plan
  }
  if (facts.distrusted === true && facts.state === 'error' && plan.length === 0) plan.push(stopFirst(facts.name))
  const asItIs = facts.secretsOutdated !== true && facts.unseeded !== true
  if (facts.state === 'stopped' && facts.start && plan.length === 0 && asItIs) return startAsItIs(facts)
  return [...plan, ...prepare(facts), ...startPrepared(facts)]
}

/** Its containers are there: nothing that they are started from has to be made first. */
function startAsItIs(facts: UpFacts): Plan {
  return [
    ...preStart(facts, []),
    step('start', facts.name, startCause(facts), ['pre-start']),
    step('configure', 'generated files', 'written where they differ'),
  ]
}

/** What its containers are made from. */
function prepare(facts: UpFacts): Plan {
  const plan: Step[] = []
  if (facts.stack !== undefined) {
    plan.push(step('resolve', facts.stack, 'read before anything of it runs', ['worktree', 'stop']))
    plan.push(step('lease', 'ports', facts.portsLeased ? 'as the files say now' : 'no ports yet', ['resolve']))
  }
  if (facts.templates.length > 0) {
    plan.push(step('templates', facts.templates.join(', '), 'with the ports in them', ['worktree', 'lease', 'stop']))
  }
  plan.push(step('provision', 'image and keys', 'needed to start', ['record', 'resolve']))
  plan.push(step('configure', 'generated files', 'written where they differ', ['lease', 'provision', 'templates']))
  return plan
}

function startPrepared(facts: UpFacts): Plan {
  if (!facts.start) return []
  // a new worktree is filled while the container starts; one that is made again has a new folder, which is mounted at start
  // and nobody inside is there to put links in the way while git writes files on this machine
  const whole = facts.privateGit === true
  const waits = !facts.isNew || facts.stack !== undefined || facts.preStart !== undefined || facts.seeded || whole
  const first: readonly StepId[] = waits ? ['configure', 'stop', 'worktree', 'pre-start'] : ['configure']
  return [...preStart(facts, ['configure', 'worktree']), step('start', facts.name, startCause(facts), first)]
}

function preStart({ preStart: command }: UpFacts, needs: readonly StepId[]): Plan {
  return command === undefined ? [] : [step('pre-start', command, 'configured', needs)]
}

/** Its files are written first, by the start itself. */
function startAgain({ name }: UpFacts): Plan {
  const start = step('start', name, 'its containers publish other ports')
  return [start, step('configure', 'generated files', 'written where they differ')]
}

function startCause({ state, unseeded }: UpFacts): string {
  if (state === 'running' && unseeded === true) return 'its data is not prepared yet'
  switch (state) {
    case 'absent':
      return 'nothing runs yet'
    case 'error':
      return 'a part is missing or failed'
    default:
      return `it is ${state}`
  }
}

/** A link that is turned elsewhere between a look at it and its use would lead out. */
function stopFirst(name: string): Step {
  return step('stop', name, 'nobody inside may change files while they are looked at')
}

type RebuildFacts = Pick<UpFacts, 'name' | 'capabilities' | 'stack' | 'templates' | 'state' | 'distrusted'>

/** Makes a workspace anew from what its files say now; worktree, volumes and ports stay. */
export function planRebuild(facts: RebuildFacts): Plan {
  const alive = facts.state !== 'stopped' && facts.state !== 'absent'
  const plan: Step[] = facts.distrusted === true && alive ? [stopFirst(facts.name)] : []
  const cause = 'asked for'
  if (facts.stack !== undefined) plan.push(step('resolve', facts.stack, cause, ['stop']))
  if (facts.capabilities.has('local-ports')) plan.push(step('lease', 'ports', 'as the files say now', ['resolve']))
  if (facts.templates.length > 0) plan.push(step('templates', facts.templates.join(', '), cause, ['lease', 'stop']))
  plan.push(step('provision', 'image and keys', cause, ['resolve']))
  plan.push(step('configure', 'generated files', 'written where they differ', ['lease', 'provision', 'templates']))
  plan.push(step('start', facts.name, 'its containers are made anew', ['configure', 'stop']))
  return plan
}

/** The hooks as their commands, where there are any. */
export interface StopHooks {
  readonly 'pre-stop'?: string | undefined
  readonly 'post-stop'?: string | undefined
  /** The branch, where it has a git dir of its own. */
  readonly bringBack?: string | undefined
}

export function planStop(name: string, state: string, hooks: StopHooks = {}): Plan {
  if (state === 'stopped') return []
  const { 'pre-stop': before, 'post-stop': after, bringBack: branch } = hooks
  return [
    ...(before === undefined ? [] : [step('pre-stop', before, 'configured')]),
    ...(branch === undefined ? [] : [step('bring-back', branch, 'commits made inside', ['pre-stop'])]),
    step('stop', name, `it is ${state}`, ['pre-stop', 'bring-back']),
    ...(after === undefined ? [] : [step('post-stop', after, 'configured', ['stop'])]),
  ]
}

export function planBringBack(branch: string): Plan {
  return [step('bring-back', branch, 'commits made inside')]
}

export function planPushIn(branch: string): Plan {
  return [
    step('bring-back', branch, 'only where both sides are known can one be moved'),
    step('push-in', branch, 'commits made here', ['bring-back']),
  ]
}

export function planMerge(branch: string, into: string, commits: number): Plan {
  return [step('merge', `${branch} into ${into}`, `${commits === 1 ? 'a commit' : `${commits} commits`}, no conflicts`)]
}

export function planPause(name: string): Plan {
  return [step('pause', name, 'it is running')]
}

export function planResume(name: string): Plan {
  return [step('resume', name, 'it is paused')]
}

export interface DeleteFacts {
  readonly name: string
  readonly worktree: string | null
  readonly branch: string
  /** Why the branch goes; undefined when it stays. */
  readonly deleteBranchCause: string | undefined
  readonly portsLeased: boolean
  /** The hook before a delete, as its command; undefined for none. */
  readonly preDelete?: string | undefined
  /** Why something of it goes to the trash; undefined when nothing does. */
  readonly trashCause?: string | undefined
  /** Where its files are then, where they are kept. */
  readonly filesCause?: string | undefined
  /** Volumes with data stay, for the trash. */
  readonly keepsVolumes?: boolean
  /** Its worktree was there before it and stays. */
  readonly keepWorktree?: boolean
}

export function planDelete(facts: DeleteFacts): Plan {
  const plan: Step[] = facts.preDelete === undefined ? [] : [step('pre-delete', facts.preDelete, 'configured')]
  const volumes = facts.keepsVolumes === true ? '; volumes with data stay for the trash' : ''
  plan.push(step('remove', facts.name, `containers, networks and volumes by label${volumes}`, ['pre-delete']))
  if (facts.trashCause !== undefined) {
    plan.push(step('trash', facts.worktree ?? facts.branch, facts.trashCause, ['remove']))
  }
  if (facts.worktree !== null && facts.keepWorktree !== true) {
    const cause = facts.filesCause ?? 'nothing in it would be lost or --force was given'
    plan.push(step('worktree-remove', facts.worktree, cause, ['remove', 'trash']))
  }
  if (facts.deleteBranchCause !== undefined) {
    plan.push(step('branch-delete', facts.branch, facts.deleteBranchCause, ['trash', 'worktree-remove']))
  }
  if (facts.portsLeased) plan.push(step('release', 'ports', 'leased until now', ['remove']))
  const all: readonly StepId[] = ['trash', 'worktree-remove', 'branch-delete', 'release', 'remove']
  plan.push(step('forget', facts.name, 'nothing is left of it', all))
  return plan
}

/** One line per step, for dry runs and tests: `+ worktree /p/.worktree/x   branch nexus/x, new`. */
export function formatPlan(plan: Plan): readonly string[] {
  return plan.map(({ id, subject, cause }) => `+ ${id} ${subject}   ${cause}`)
}
