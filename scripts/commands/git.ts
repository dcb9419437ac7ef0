/** diff, log, compare, pull, push, merge: look at the work of workspaces and bring it where it is wanted. */

import { printable } from '../../lib/core/visible.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { visible } from '../../lib/report/visible.ts'
import type { FileChange, Review } from '../../lib/workspace/git/review.ts'
import { requireWorkspace } from '../../lib/workspace/look/find.ts'
import type { Answer, Call, Run } from './command.ts'
import { answerPlan } from './plan-text.ts'

const recordOf = (call: Call) => requireWorkspace(call.app, call.args[0] ?? '', call.value('repo'))

export const diff: Run = async (call) => {
  const record = await recordOf(call)
  const { review } = await import('../../lib/workspace/git/review.ts')
  const short = call.flag('stat') || call.json
  const { patch, ...found } = await review(call.app, record, { patch: !short })
  const untracked = found.untracked.map((path) => `?? ${printable(path)}`)
  if (short) return { data: found, text: [...formatFiles(found), ...untracked].join('\n') || nothing(record) }
  const open = found.commits.length > 0 ? openWords(found) : []
  for (const line of [...open, ...(untracked.length > 0 ? ['not known to git yet:', ...untracked] : [])])
    call.app.emit({ type: 'notice', text: line })
  return { data: found, verbatim: true, text: (call.stdoutIsTerminal ? visible(patch) : patch) || nothing(record) }
}

function nothing({ name, branch }: WorkspaceRecord): string {
  return `${name} has changed nothing on ${branch}`
}

/** What takes no part in a merge. */
function openWords({ uncommitted }: Review): readonly string[] {
  if (uncommitted.length === 0) return []
  return [`not committed yet: changes in ${uncommitted.map(({ path }) => path).join(', ')}`]
}

function formatFiles(found: Review): readonly string[] {
  const { files, insertions, deletions, commits } = found
  if (files.length === 0) return []
  const total = `${count(files.length, 'file')} changed, ${count(insertions, 'insertion')}, ${count(deletions, 'deletion')}`
  return [
    formatTable(['ADDED', 'REMOVED', 'FILE'], files.map(fileRow)),
    total,
    ...(commits.length > 0 ? openWords(found).map(printable) : []),
  ]
}

function fileRow({ path, from, insertions, deletions }: FileChange): readonly string[] {
  const name = printable(from === undefined ? path : `${from} -> ${path}`)
  return insertions === null || deletions === null ? ['binary', '', name] : [`+${insertions}`, `-${deletions}`, name]
}

export const log: Run = async (call) => {
  const record = await recordOf(call)
  const { review } = await import('../../lib/workspace/git/review.ts')
  const { workspace, branch, base, commits, incomplete } = await review(call.app, record, { patch: false })
  const rows = commits.map(({ id, subject, author, date }) => [id.slice(0, 10), date.slice(0, 16), author, subject])
  const text =
    rows.length === 0
      ? `${record.name} has no commits of its own on ${branch}`
      : formatTable(['COMMIT', 'DATE', 'AUTHOR', 'SUBJECT'], rows)
  return { data: { workspace, branch, base, commits, incomplete }, text }
}

export const compare: Run = async (call) => {
  const { overlaps, review } = await import('../../lib/workspace/git/review.ts')
  const records = await Promise.all(call.args.map((name) => requireWorkspace(call.app, name, call.value('repo'))))
  const reviews = await Promise.all(records.map((record) => review(call.app, record, { patch: false })))
  const rows = reviews.map(({ workspace, commits, files, untracked, insertions, deletions, dirty }) => [
    workspace,
    String(commits.length),
    String(files.length + untracked.length),
    `+${insertions}`,
    `-${deletions}`,
    dirty ? 'yes' : 'no',
  ])
  const shared = overlaps(reviews)
  const table = formatTable(['NAME', 'COMMITS', 'FILES', 'ADDED', 'REMOVED', 'DIRTY'], rows)
  const both = shared.map(({ path, workspaces }) => [printable(path), workspaces.join(', ')])
  const text = both.length === 0 ? table : `${table}\n\n${formatTable(['CHANGED BY SEVERAL', 'WORKSPACES'], both)}`
  const workspaces = reviews.map(({ patch: _, ...found }) => found)
  return { data: { workspaces, overlaps: shared }, text }
}

/** In step without anything to do. */
function sharedAnswer({ name, branch }: WorkspaceRecord): Answer {
  const text = `nothing to do for ${name}: it shares the repository, so ${branch} is the same inside and here`
  return { data: { name, branch, shared: true, commits: 0, others: [] }, text }
}

export const pull: Run = async (call) => {
  const record = await recordOf(call)
  if (record.gitMode !== 'private') return sharedAnswer(record)
  if (call.flag('dry-run')) {
    const { findMoved } = await import('../../lib/workspace/git/moved.ts')
    const moved = await findMoved(call.app, record)
    return answerPlan(
      moved === undefined ? [] : (await import('../../lib/workspace/operation/steps.ts')).planBringBack(record.branch),
      record,
    )
  }
  const { bringBack } = await import('../../lib/workspace/git/bring-back.ts')
  const { observeOne } = await import('../../lib/workspace/observe.ts')
  const running = (await observeOne(call.app, record)).state === 'running'
  const { commits, commit, others, standing } = await bringBack(call.app, record, running)
  const { name, branch } = record
  const here =
    commits > 0 ? `${count(commits, 'commit')} came back to ${branch}` : `${branch} has nothing new inside ${name}`
  const ahead =
    standing === 'host-ahead'
      ? [`it has commits here that are not inside yet; \`nexus push ${name}\` brings them in`]
      : []
  const text = [here, ...others.map((ref) => `another branch is here as ${printable(ref)}`), ...ahead].join('\n')
  return { data: { name, branch, shared: false, commits, commit, others, standing }, text }
}

export const push: Run = async (call) => {
  const record = await recordOf(call)
  if (record.gitMode !== 'private') return sharedAnswer(record)
  const { name, branch } = record
  if (call.flag('dry-run'))
    return answerPlan((await import('../../lib/workspace/operation/steps.ts')).planPushIn(branch), record)
  const { pushIn } = await import('../../lib/workspace/git/push-in.ts')
  const { commits, commit } = await pushIn(call.app, record)
  const text =
    commits > 0 ? `${count(commits, 'commit')} of ${branch} went into ${name}` : `${branch} has nothing new for ${name}`
  return { data: { name, branch, shared: false, commits, commit }, text }
}

export const merge: Run = async (call) => {
  const record = await recordOf(call)
  const { mergeWorkspace } = await import('../../lib/workspace/git/merge.ts')
  const [squash, dryRun] = [call.flag('squash'), call.flag('dry-run')]
  const merged = await mergeWorkspace(call.app, record, { squash, into: call.value('into'), dryRun })
  const { branch, into, commits } = merged
  if (dryRun)
    return answerPlan(
      commits === 0 ? [] : (await import('../../lib/workspace/operation/steps.ts')).planMerge(branch, into, commits),
      record,
    )
  const what = `${count(commits, 'commit')} of ${branch}`
  const text =
    commits === 0
      ? `${into} has all of ${branch} already`
      : `${what} ${squash ? 'became one commit of' : 'merged into'} ${into}`
  return { data: { name: record.name, squash, ...merged }, text }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
