/**
 * What comes into a worktree after git has registered it: the commit's files, submodules, ignored files of the main worktree,
 * and what templates make of the workspace's ports.
 */
import { existsSync } from 'node:fs'
import { NexusError } from '../core/errors.ts'
import type { WorkspaceRecord } from '../core/workspace.ts'
import { renderTemplates } from '../project/env-template.ts'
import { createIgnoredFiles } from '../project/ignored-files.ts'
import { readIfPresent } from '../system/store.ts'
import type { App } from './app.ts'
import type { Draft } from './draft.ts'
import { templateValues } from './template-values.ts'

export async function fillWorktree(app: App, worktree: string): Promise<void> {
  const onLine = (text: string) => app.emit({ type: 'progress', text })
  await app.git.checkOut(worktree, onLine)
  await tellPointers(app, worktree)
  if (!existsSync(`${worktree}/.gitmodules`)) return
  try {
    await app.git.initSubmodules(worktree, onLine)
  } catch (error) {
    if (!(error instanceof NexusError)) throw error
    const hint = 'To fetch them later, run `git submodule update --init --recursive` in the worktree'
    app.emit({ type: 'warning', text: `the submodules could not be fetched: ${error.message}`, hint })
  }
}

/** Without its filter, git checks out pointers and says nothing. */
async function tellPointers(app: App, worktree: string): Promise<void> {
  const attributes = (await readIfPresent(`${worktree}/.gitattributes`)) ?? ''
  if (!/\bfilter=lfs\b/.test(attributes) || (await app.git.hasLfs(worktree))) return
  const hint = 'To get them, run `sudo apt-get install git-lfs && git lfs install`, then `git lfs pull` in the worktree'
  app.emit({ type: 'warning', text: 'files in Git LFS are pointers, as git-lfs is not set up here', hint })
}

/** Files that git ignores and the project asks for. */
export async function bringIgnored(app: App, record: WorkspaceRecord, { project }: Draft): Promise<void> {
  const { settings } = await app.config(project)
  const { worktree } = record
  if (worktree === null) return
  const { copied, linked } = await createIgnoredFiles(app.runner, app.emit).bring({
    main: record.repo,
    worktree,
    ...settings.worktree,
  })
  const all = [...copied, ...linked]
  const more = all.length > 5 ? ` and ${all.length - 5} more` : ''
  if (all.length > 0)
    app.emit({ type: 'notice', text: `copied ${all.slice(0, 5).join(', ')}${more} from the main worktree` })
}

/** Ports that are not leased yet stand as 0. */
export async function makeTemplates(
  app: App,
  record: WorkspaceRecord,
  { project }: Draft,
  when: { readonly isNew: boolean; readonly early: boolean },
): Promise<void> {
  const { templates } = (await app.config(project)).settings.worktree
  if (templates.length === 0 || record.worktree === null) return
  await renderTemplates(app.git, {
    worktree: record.worktree,
    templates,
    values: await templateValues(record),
    ...when,
  })
}
