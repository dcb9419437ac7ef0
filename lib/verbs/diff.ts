/** diff: what a workspace has changed, committed or not. */
import type { Endpoints } from '../api/kit.ts'
import { notCompared } from '../core/sizes.ts'
import { printable } from '../core/visible.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { formatTable } from '../report/tables.ts'
import { visible } from '../report/visible.ts'
import { flag } from '../verb-form/fields.ts'
import { NAME, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { count } from '../verb-form/words.ts'
import type { FileChange, Review } from '../workspace/git/review.ts'

const diff = verb({
  name: 'diff',
  group: 'git',
  effect: 'looks',
  summary: 'show what a workspace has changed since its branch began, committed or not',
  fields: {
    name: NAME,
    stat: flag('only the files, with the number of lines'),
    patch: flag('With the whole difference as `patch`', { side: 'http' }),
    repo: REPO,
  },
  example: 'nexus diff feature-auth --stat',
  run: async (call, { name, repo, stat, patch: wanted }) => {
    const { review } = await import('../workspace/git/review.ts')
    const record = await call.workspace(name, repo)
    const short = stat || call.json
    const { patch, ...found } = await review(call.app, record, { patch: wanted || !short })
    const untracked = found.untracked.map((path) => `?? ${printable(path)}`)
    if (short) {
      const text = () => [...formatFiles(found), ...untracked].join('\n') || nothing(record)
      return { data: wanted ? { ...found, patch } : found, text }
    }
    const open = found.commits.length > 0 ? openWords(found) : []
    for (const line of [...open, ...(untracked.length > 0 ? ['not known to git yet:', ...untracked] : [])])
      call.app.emit({ type: 'notice', text: line })
    return { data: found, verbatim: true, text: (call.stdoutIsTerminal ? visible(patch) : patch) || nothing(record) }
  },
})

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

function fileRow({ path, from, insertions, deletions, tooLarge }: FileChange): readonly string[] {
  const name = printable(from === undefined ? path : `${from} -> ${path}`)
  if (tooLarge !== undefined) return [notCompared(tooLarge), '', name]
  return insertions === null || deletions === null ? ['binary', '', name] : [`+${insertions}`, `-${deletions}`, name]
}

export const verbs = [diff]

export const endpoints: Endpoints = ({ z, via, reviewSchema, sample }) => [
  via(diff, {
    http: 'GET /workspaces/{id}/diff',
    operationId: 'getDiff',
    tag: 'work',
    query: ['repo', 'patch'],
    answer: reviewSchema.extend({ patch: z.string().optional() }),
    example: sample.REVIEW,
  }),
]
