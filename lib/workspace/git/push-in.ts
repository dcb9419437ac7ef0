/**
 * Commits that were made here go into a workspace with a git dir of its own. Their objects are there already, borrowed: only
 * the branch inside has to move, and the git inside moves it.
 */
import { NexusError } from '../../core/errors.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import type { App } from '../app.ts'
import { privateHead } from '../current-branch.ts'
import { observeOne } from '../observe.ts'
import { bringBack } from './bring-back.ts'
import { askInside } from './git-look.ts'

/** Nothing of its configuration takes part. */
const PLAIN = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']

export interface Pushed {
  readonly commits: number
  readonly commit: string | null
}

/**
 * @throws {NexusError} DIVERGED when both sides moved; WORKSPACE_DIRTY when files inside stand in the way; nothing is changed then
 */
export async function pushIn(app: App, record: WorkspaceRecord): Promise<Pushed> {
  const { state } = await observeOne(app, record)
  const running = state === 'running'
  const back = await bringBack(app, record, running)
  if (back.standing !== 'host-ahead' || back.commit === null) return { commits: 0, commit: back.commit }
  if (!running) {
    throw new NexusError(
      'WORKSPACE_NOT_RUNNING',
      `Workspace ${record.name} is ${state}, so its branch cannot be moved.`,
      {
        hint: `To start it, run \`nexus start ${record.name}\``,
        details: { state },
      },
    )
  }
  const before = await app.git.findCommit(record.repo, `refs/nexus/${record.id}/synced`)
  await moveInside(app, record, back.commit)
  // that it has moved is seen here, not believed
  const after = await bringBack(app, record, true)
  if (after.standing === 'host-ahead') throw notMoved(record)
  return { commits: await app.git.countCommits(record.repo, before ?? back.commit, back.commit), commit: back.commit }
}

function notMoved({ name, branch }: WorkspaceRecord): NexusError {
  return new NexusError('GIT_ERROR', `git inside ${name} said that it moved ${branch}, and did not.`, {
    hint: `To see where it is, run \`nexus exec ${name} -- git log -1 ${branch}\``,
  })
}

async function moveInside(app: App, record: WorkspaceRecord, commit: string): Promise<void> {
  const checkedOut = privateHead(app.home, record)?.branch === record.branch
  const args = checkedOut
    ? ['reset', '--quiet', '--keep', commit]
    : ['update-ref', `refs/heads/${record.branch}`, commit]
  const { code, stderr } = await askInside(app, record, true, [...PLAIN, ...args], { okCodes: 'any' })
  if (code === 0) return
  throw new NexusError('WORKSPACE_DIRTY', `Changes inside ${record.name} stand in the way of what would come in.`, {
    hint: `To see them, run \`nexus exec ${record.name} -- git status\``,
    output: stderr,
  })
}
