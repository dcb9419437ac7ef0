/**
 * Gives a workspace another name: in `list`, in commands and in its alias for ssh. Its id, branch, worktree, ports, containers,
 * volumes and databases stay as they are; nothing is started or stopped.
 */
import { NexusError } from '../../core/errors.ts'
import { parseName } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { aliasRoots } from '../names/find.ts'
import { repoWordsOf } from '../names/pick.ts'
import { exclusively } from '../operation/operate.ts'
import { requireThere } from '../operation/repaired.ts'
import { claimName, requireFreeName } from './naming.ts'
import { renewFiles } from './renew.ts'

/** @throws {NexusError} WORKSPACE_ALREADY_EXISTS, INVALID_ARGUMENT for an impossible name */
export async function renameWorkspace(
  app: App,
  found: WorkspaceRecord,
  request: { readonly to: string; readonly dryRun: boolean },
): Promise<{ readonly record: WorkspaceRecord; readonly changed: boolean }> {
  const to = await withoutRepository(app, found, request.to)
  const name = parseName(to)
  const body = async (there: WorkspaceRecord | undefined) => {
    const record = requireThere(there, found)
    if (record.name === name) return { record, changed: false }
    const { madeAs = record.name, ...kept } = record
    const renamed = { ...kept, name, given: to, ...(madeAs === name ? {} : { madeAs }) }
    if (request.dryRun) {
      await requireFreeName(app, renamed)
      return { record: renamed, changed: true }
    }
    const claimed = await claimName(app, renamed)
    await renewFiles(app, claimed)
    return { record: claimed, changed: true }
  }
  return exclusively(app, found.id, body, { dryRun: request.dryRun })
}

/** `<repo>/<name>` of its own repository means the name; a workspace stays in its repository. */
async function withoutRepository(app: App, found: WorkspaceRecord, to: string): Promise<string> {
  const slash = to.indexOf('/')
  if (slash < 1) return to
  const [word, rest] = [to.slice(0, slash), to.slice(slash + 1)]
  const aliased = (await aliasRoots(app)).get(word)
  const named = (await app.records.list())
    .filter((record) => repoWordsOf(record).includes(word))
    .map(({ repo }) => repo)
  const roots = aliased === undefined ? named : [aliased]
  if (roots.length === 0) return to
  if (roots.includes(found.repo)) return rest
  const text = `${JSON.stringify(to)} names the repository ${roots[0]}, and ${found.name} is one of ${found.repo}.`
  throw new NexusError('INVALID_ARGUMENT', text, {
    hint: `To rename it where it is, run \`nexus rename ${found.name} ${shellWord(rest)}\``,
    details: { to, repo: found.repo },
  })
}
