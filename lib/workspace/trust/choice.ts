/**
 * What the user chose for a workspace: which configuration of the project's holds for it, and what its files asked for then. Whoever
 * works in an agent's workspace writes that configuration, so that its text is kept in Nexus's home, beside the record. It counts
 * until the user approves another one.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config, ConfigSources, Settings } from '../../config/load.ts'
import { readText } from '../../config/read.ts'
import { workspacePaths } from '../../core/paths.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { readJson, writeJson } from '../../system/store.ts'
import type { Choice } from '../../trust/changes.ts'
import type { App } from '../app.ts'

const CONFIG = '.nexus/config.yaml'

type Project = ConfigSources['project']

export interface ChoiceFile extends Choice {
  readonly schema: 1
  /** Text of the configuration in the worktree; null without one: then that of the main worktree counts, which is the user's. */
  readonly config: string | null
  /** The compose files were not looked at. */
  readonly unread?: true
}

/** Undefined where there is none, or where it is damaged, which is told: all that is asked for is asked about again then. */
export function readChoice(app: App, record: WorkspaceRecord): Promise<ChoiceFile | undefined> {
  const file = workspacePaths(app.home, record.id).choice
  const onDamage = (kept: string) =>
    app.emit({ type: 'warning', text: `${file} was damaged; it was kept as ${kept}, and you are asked again` })
  return readJson<ChoiceFile>(file, 1, onDamage, isWhole)
}

export async function writeChoice(app: App, record: WorkspaceRecord, choice: ChoiceFile): Promise<void> {
  await writeJson(workspacePaths(app.home, record.id).choice, choice)
}

function isWhole({ settings, files, config }: ChoiceFile): boolean {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null
  return isObject(settings) && isObject(files) && (config === null || typeof config === 'string')
}

/**
 * The settings of one operation, read once, when it is decided: whoever writes into the project's file meanwhile changes nothing of
 * what runs.
 */
export interface Chosen {
  readonly project: Project
  readonly config: Config
  readonly settings: Settings
  /** The user's alone, without the project's. */
  readonly own: Settings
}

export async function readChosen(app: App, project: Project): Promise<Chosen> {
  const [config, { settings: own }] = await Promise.all([app.config(project), app.config()])
  return { project, config, settings: config.settings, own }
}

/**
 * The project's configuration of an existing workspace: the one in its own worktree, else in the main one; of an agent's workspace
 * the one that the user chose.
 */
export async function projectOf(app: App, record: WorkspaceRecord): Promise<Project> {
  if (record.isolation !== 'agent') return projectIn(foldersOf(record))
  const choice = await readChoice(app, record)
  if (choice === undefined) return projectInFiles(record)
  return choice.config === null ? projectIn([record.repo]) : { file: fileIn(record), text: choice.config }
}

/** As the files say now. Of an agent's workspace with the text, so that a later look in the same command sees the same. */
export async function projectInFiles(record: WorkspaceRecord): Promise<Project> {
  if (record.isolation !== 'agent') return projectIn(foldersOf(record))
  const file = fileIn(record)
  const text = record.local === null ? undefined : await readText(file, { within: record.local.worktree })
  return text === undefined ? projectIn([record.repo]) : { file, text }
}

/** In the first of these folders that has one. */
export function projectIn(folders: readonly string[]): Project {
  const file = folders.map((folder) => join(folder, CONFIG)).find((path) => existsSync(path))
  return file === undefined ? undefined : { file }
}

function foldersOf({ local, repo }: WorkspaceRecord): readonly string[] {
  return local === null ? [repo] : [local.worktree, repo]
}

function fileIn({ local, repo }: WorkspaceRecord): string {
  return join(local?.worktree ?? repo, CONFIG)
}
