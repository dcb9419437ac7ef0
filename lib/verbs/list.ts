/** list: the workspaces of a repository, or of all. */
import { statSync } from 'node:fs'
import type { Endpoints } from '../api/kit.ts'
import { formatSize } from '../core/sizes.ts'
import { formatAge } from '../core/time.ts'
import type { WorkspaceResource } from '../core/workspace.ts'
import { formatTable } from '../report/tables.ts'
import { findHere } from '../tools/repository.ts'
import { flag, type Values } from '../verb-form/fields.ts'
import { REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'

const fields = {
  all: flag('of every repository'),
  dirty: flag('also ask git for uncommitted changes'),
  size: flag('also measure what each takes on the disk'),
  repo: REPO,
}

const list = verb({
  name: 'list',
  group: 'everyday',
  effect: 'looks',
  aliases: ['ls'],
  summary: 'list the workspaces of this repository',
  fields,
  example: 'nexus list --all',
  run: listHere,
})

/** Exported for `status` outside of any worktree. */
export async function listHere(call: Call, { repo: given, all, dirty, size }: Values<typeof fields>): Promise<Answer> {
  const { listWorkspaces } = await import('../workspace/status/list.ts')
  const repo = await call.scope(given, all)
  const columns = { repo: repo === undefined, dirty, size }
  const workspaces = await listWorkspaces(call.app, { ...columns, repo })
  await tellMoved(call)
  await tellRestoring(call, repo)
  return { data: { workspaces }, text: () => (workspaces.length === 0 ? nothing(repo) : format(workspaces, columns)) }
}

/** A repository that was moved has no workspaces by its new path, though their worktrees are in it. */
async function tellMoved({ app, cwd }: Call): Promise<void> {
  const { listMoved } = await import('../workspace/drift.ts')
  const here = findHere(cwd)
  const moved = here === undefined ? [] : listMoved(await app.records.list(), here)
  if (moved.length === 0) return
  const names = moved.map(({ name }) => name).join(', ')
  const text = `this repository was moved here from ${moved[0]?.repo}, where Nexus looks for ${names}`
  app.emit({ type: 'warning', text, hint: 'To tell Nexus, run `nexus repair --all`' })
}

async function tellRestoring({ app }: Call, repo: string | undefined): Promise<void> {
  const { listRestoring } = await import('../workspace/status/restoring.ts')
  for (const one of await listRestoring(app)) {
    if (repo === undefined || repo === one.repo)
      app.emit({ type: 'warning', text: one.text, hint: `To finish it, run \`${one.command}\`` })
  }
}

function nothing(repo: string | undefined): string {
  const owner = repo === undefined ? undefined : statSync(repo, { throwIfNoEntry: false })?.uid
  // git refuses to work for anybody else there
  if (owner !== undefined && process.getuid?.() !== 0 && owner !== process.getuid?.())
    return `no workspaces in ${repo}, which belongs to another user (uid ${owner})`
  return `no workspaces${repo === undefined ? '' : ` in ${repo}`}; \`nexus up <name>\` makes one`
}

interface Columns {
  readonly repo: boolean
  readonly dirty: boolean
  readonly size: boolean
}

function format(workspaces: readonly WorkspaceResource[], { repo, dirty, size }: Columns): string {
  const more = [...(dirty ? ['DIRTY'] : []), ...(size ? ['SIZE'] : []), ...(repo ? ['REPOSITORY'] : [])]
  const rows = workspaces.map((workspace) => [
    workspace.name,
    workspace.reason === '' ? workspace.state : `${workspace.state}: ${workspace.reason}`,
    workspace.branch,
    portWords(workspace.ports),
    formatAge(workspace.createdAt),
    ...(dirty ? [dirtyWord(workspace.dirty)] : []),
    ...(size ? [sizeWords(workspace.size)] : []),
    ...(repo ? [workspace.repo] : []),
  ])
  return formatTable(['NAME', 'STATE', 'BRANCH', 'PORTS', 'AGE', ...more], rows)
}

/** Exported for tests: what is leased, as a restored workspace has none before its start. */
export function portWords(ports: WorkspaceResource['ports']): string {
  const leased = ports.filter(({ host }) => host !== null)
  return leased.map(({ name, host, url }) => url ?? `${name} ${host}`).join(' ') || '-'
}

/** `1.2 GB: worktree 1.0 GB, layers 40 MB, volumes 120 MB` */
export function sizeWords(size: WorkspaceResource['size']): string {
  if (size === undefined) return '?'
  const { total, worktree, layers, volumes, state } = size
  const parts = Object.entries({ worktree, layers, volumes, state }).map(
    ([name, bytes]) => `${name} ${formatSize(bytes)}`,
  )
  return `${formatSize(total)}: ${parts.join(', ')}`
}

function dirtyWord(dirty: boolean | null | undefined): string {
  return dirty === true ? 'yes' : dirty === false ? 'no' : '?'
}

export const verbs = [list]

export const endpoints: Endpoints = ({ z, endpoint, queryFlag, repoSchema: repo, workspaceSchema, sample }) => [
  endpoint({
    method: 'get',
    path: '/workspaces',
    operationId: 'listWorkspaces',
    tag: 'workspaces',
    summary: 'List workspaces',
    verbs: ['list'],
    query: z.strictObject({
      repo,
      dirty: queryFlag('Also ask git for uncommitted changes'),
      size: queryFlag('Also measure what each takes on the disk'),
    }),
    answer: z.object({ workspaces: z.array(workspaceSchema) }).openapi('Workspaces'),
    example: { workspaces: [sample.WORKSPACE] },
    // from the snapshot that the server keeps
    run: async ({ app, api, query }) => {
      const { findRepo } = await import('../workspace/names/find.ts')
      const { checkedRepo } = await import('../api/context.ts')
      const root = query.repo === undefined ? undefined : (await findRepo(app, await checkedRepo(app, query.repo))).root
      if (query.dirty !== true && query.size !== true) return api.live.listText(root)
      const wanted = { repo: root, dirty: query.dirty === true, size: query.size === true }
      return { workspaces: await api.snapshot.list(wanted) }
    },
  }),
]
