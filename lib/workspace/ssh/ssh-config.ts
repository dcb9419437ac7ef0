/**
 * The one line in the user's own ssh configuration that brings Nexus's file in: put there, taken out, looked at. Nothing of the user's is
 * changed without consent; what was written and turns out to be no good is taken back.
 */
import { join } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import { writeAliasFile, writeKnownHosts } from '../../ssh/client/alias-file.ts'
import { addLine, findIncludes, includeLine, removeLine } from '../../ssh/client/include-line.ts'
import { probe, type SshWords } from '../../ssh/client/resolved.ts'
import {
  Changed,
  readUserConfig,
  replaceUserConfig,
  requireWritable,
  type UserConfig,
  userHome,
} from '../../ssh/client/user-config.ts'
import type { App } from '../app.ts'
import { clashNotes, explainPlace, placeOf } from './ssh-include.ts'

const ATTEMPTS = 5

/** What will be done to which file. */
export interface Change {
  readonly config: UserConfig
  readonly line: string
  /** undefined: the file goes. */
  readonly next: string | undefined
}

export interface ChangeRequest {
  /** Another file than the one that ssh reads by itself. */
  readonly file: string | undefined
  readonly dryRun: boolean
  /** Asked once, before anything is written. @throws to refuse */
  readonly consent: (change: Change) => Promise<void>
}

export interface Changing {
  readonly file: string
  readonly line: string
  readonly changed: boolean
  readonly change: Change | undefined
  /** What a person should know; each one sentence. */
  readonly notes: readonly string[]
}

/** @throws {NexusError} before anything is changed, or after it was taken back */
export async function installInclude(app: App, request: ChangeRequest): Promise<Changing> {
  const { path, words } = placeOf(app, request.file)
  const line = includeLine(app.home.sshConfig)
  const first = await readUserConfig(path)
  const before = await probe(
    app.runner,
    words.length > 0 && first.text === undefined ? ['-F', 'none'] : words,
    app.home,
  )
  if (before.refusal !== undefined) throw unreadable(words, before.refusal)
  const found = findIncludes(first.text ?? '', app.home.sshConfig, userHome())
  const notes = found.flatMap((one) => explainPlace(path, one))
  if (before.included && found.length === 0) {
    notes.push(`it is not ${path} itself that brings Nexus's file in, but what that includes, or the system's`)
  }
  const isThere = before.included || found.some(({ below }) => below === undefined)
  if (isThere) {
    if (!request.dryRun) await writeOwnFiles(app)
    return {
      file: path,
      line,
      changed: false,
      change: undefined,
      notes: [...notes, ...(await clashNotes(app, words, first))],
    }
  }
  const hint = byHand(app, line, path)
  requireWritable(first, hint)
  notes.push(...linkNotes(first))
  const change = { config: first, line, next: addLine(first.text, line) }
  if (request.dryRun) return { file: path, line, changed: true, change, notes }
  await request.consent(change)
  await writeOwnFiles(app)
  const edit = ({ text }: UserConfig) => {
    const present = findIncludes(text ?? '', app.home.sshConfig, userHome())
    return present.some(({ below }) => below === undefined) ? text : addLine(text, line)
  }
  const changed = await write(app, path, edit, hint, () => verify(app, words, path))
  const now = await readUserConfig(path)
  return { file: path, line, changed, change, notes: [...notes, ...(await clashNotes(app, words, now))] }
}

/** So that there is something to include, before the first workspace and after an update of Nexus. */
async function writeOwnFiles({ home }: App): Promise<void> {
  await writeAliasFile(home)
  await writeKnownHosts(home)
}

export async function uninstallInclude(app: App, request: ChangeRequest): Promise<Changing> {
  const { path } = placeOf(app, request.file)
  const line = includeLine(app.home.sshConfig)
  const first = await readUserConfig(path)
  const next = first.text === undefined ? undefined : removeLine(first.text, line)
  const left = next === undefined ? [] : findIncludes(next, app.home.sshConfig, userHome())
  const notes = left.map(
    (one) => `line ${one.line} of ${path} brings Nexus's file in too; it was written by hand and stays`,
  )
  if (next === first.text) return { file: path, line, changed: false, change: undefined, notes }
  const hint = `To edit it by hand, take out the line \`${line}\``
  requireWritable(first, hint)
  const change = { config: first, line, next }
  if (request.dryRun) return { file: path, line, changed: true, change, notes }
  await request.consent(change)
  const edit = ({ text }: UserConfig) => (text === undefined ? text : removeLine(text, line))
  const changed = await write(app, path, edit, hint, async () => {})
  return { file: path, line, changed, change, notes }
}

/** One Nexus at a time, and only over what was read; `verify` throws to have it taken back. */
async function write(
  app: App,
  path: string,
  edit: (config: UserConfig) => string | undefined,
  hint: string,
  verify: () => Promise<void>,
): Promise<boolean> {
  const { withLock } = await import('../../system/lock.ts')
  return withLock(join(app.home.locks, 'ssh-config'), async () => {
    for (let attempt = 1; ; attempt++) {
      const config = await readUserConfig(path)
      const next = edit(config)
      if (next === config.text) return false
      try {
        await replaceUserConfig(config, next)
      } catch (error) {
        if (error instanceof Changed && attempt < ATTEMPTS) continue
        throw error instanceof Changed ? busy(path) : withHint(error, hint)
      }
      const written = await readUserConfig(path)
      try {
        await verify()
      } catch (error) {
        if (written.text === next) await takeBack(written, config)
        throw error
      }
      return true
    }
  })
}

/** Whoever may not write it can do by hand what is left to do. */
function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof NexusError) || error.code !== 'PERMISSION_DENIED') return error
  return new NexusError(error.code, error.message, { hint, cause: error })
}

async function takeBack(written: UserConfig, before: UserConfig): Promise<void> {
  try {
    await replaceUserConfig(written, before.text)
  } catch (error) {
    // by now it is what somebody else made of it
    if (!(error instanceof Changed)) throw error
  }
}

async function verify(app: App, words: SshWords, path: string): Promise<void> {
  const after = await probe(app.runner, words, app.home)
  if (after.refusal === undefined && after.included) return
  const said = after.refusal ?? 'its line is not obeyed'
  throw new NexusError(
    'CONFIG_INVALID',
    `With the line in ${path} ssh does not work (${said}), so it was taken out again.`,
    {
      hint: `To see what ssh reads, run \`ssh -v -G ${words.map(shellWord).join(' ')} localhost\``,
    },
  )
}

/** ssh shows the bytes of a byte order mark so. */
const MARK = '\\357\\273\\277'

function unreadable(words: SshWords, said: string): NexusError {
  const again = `When \`ssh -G ${[...words.map(shellWord), 'localhost'].join(' ')}\` says nothing of it any more, run \`nexus ssh-config install\``
  return new NexusError(
    'CONFIG_INVALID',
    `ssh refuses its configuration as it is, so Nexus does not touch it: ${said.replace(/\.$/, '')}.`,
    { hint: hintFor(said) ?? again, details: { said } },
  )

  function hintFor(text: string): string | undefined {
    if (/Bad owner or permissions/.test(text))
      return `To close it, run \`chmod go-w ~/.ssh ~/.ssh/config\`; to see whose it is, run \`ls -ldL ~/.ssh ~/.ssh/config\``
    if (!text.includes(MARK)) return undefined
    return `The file begins with a byte order mark, which ssh does not know: save it without one. ${again}`
  }
}

function busy(path: string): NexusError {
  return new NexusError('WORKSPACE_BUSY', `${path} is being changed by somebody else.`, {
    hint: 'To try again, run `nexus ssh-config install`',
  })
}

function byHand(app: App, line: string, path: string): string {
  return `To install it, put the line \`${line}\` at the top of ${path} where that is made; without it, run \`ssh -F ${shellWord(app.home.sshConfig)} <name>.nexus\``
}

function linkNotes({ path, target, stats }: UserConfig): string[] {
  const notes = target === path ? [] : [`${path} leads to ${target}, which is the file that changes`]
  if ((stats?.nlink ?? 1) > 1)
    notes.push(`${target} has ${stats?.nlink} names (hard links); the others keep the old text`)
  return notes
}
