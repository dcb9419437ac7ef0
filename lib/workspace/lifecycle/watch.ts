/**
 * Watches the files that a workspace is made from, and asks for the plan of a rebuild when their content is not what it was
 * made from. A save that changes nothing, or takes a change back, is no change.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { watch } from 'chokidar'
import { NexusError } from '../../core/errors.ts'
import { createQueue } from '../../core/queue.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { changedInputs, hashFiles } from '../../project/inputs.ts'
import type { App } from '../app.ts'
import { rebuild } from './rebuild.ts'
import type { UpResult } from './up.ts'

/** Editors write a file in several steps. */
const QUIET_MS = 300

export interface WatchOptions {
  readonly apply: boolean
  /** Called with the changed files and the plan (with `apply`, what was done). */
  readonly onChange: (files: readonly string[], result: UpResult) => void
}

/**
 * Returns when the operation is interrupted: how many changes it saw.
 * @throws {NexusError} UNSUPPORTED for a workspace without files here
 */
export async function watchInputs(app: App, found: WorkspaceRecord, options: WatchOptions): Promise<number> {
  const { local, inputs } = found
  if (local === null || inputs === undefined) {
    throw new NexusError('UNSUPPORTED', `Workspace ${found.name} was not made from files that can be watched.`, {
      hint: `To make it from its files, run \`nexus rebuild ${found.name}\``,
    })
  }
  const { worktree } = local
  const paths = Object.keys(inputs).map((path) => join(worktree, path))
  // a file that is not there yet is seen through its folder
  const folders = [...new Set(paths.map(dirname))].filter((folder) => existsSync(folder))
  const wanted = new Set([...paths, ...folders])
  const watcher = watch(folders, { ignoreInitial: true, depth: 0, ignored: (path) => !wanted.has(path) })
  const changes = createRounds()
  watcher.on('all', changes.note)
  watcher.on('error', changes.fail)
  // before that, a change may be taken for what was there; with it comes the first look
  watcher.once('ready', () => {
    changes.note()
    app.emit({ type: 'notice', text: `watching the files of ${found.name}; Ctrl-C ends` })
  })
  app.interruption.signal.addEventListener('abort', changes.end, { once: true })
  let seen = 0
  let told = ''
  try {
    for await (const _ of changes.read()) {
      const record = await app.records.load(found.id)
      if (record === undefined) return seen
      const files = changedInputs(worktree, record.inputs ?? {})
      const state = JSON.stringify(hashFiles(worktree, files))
      if (files.length === 0 || state === told) continue
      told = state
      seen++
      options.onChange(files, await rebuild(app, record, true))
      if (options.apply) await rebuild(app, record, false)
    }
    app.interruption.signal.throwIfAborted()
    return seen
  } finally {
    await watcher.close()
  }
}

/** Turns events into rounds: one when it has been quiet for a moment. */
function createRounds() {
  const rounds = createQueue<'round'>()
  let timer: NodeJS.Timeout | undefined
  return {
    note: () => {
      clearTimeout(timer)
      timer = setTimeout(() => rounds.size > 0 || rounds.put('round'), QUIET_MS)
    },
    fail: rounds.fail,
    end: () => {
      clearTimeout(timer)
      rounds.clear()
      rounds.end()
    },
    read: rounds.read,
  }
}
