/**
 * Where the user's ssh configuration is, and a look at how it stands with Nexus's file: not there, there, in the wrong place, or with settings of
 * the user's that change what an alias needs. Changes nothing.
 */
import { realpathSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import { type Found, findIncludes } from '../../ssh/client/include-line.ts'
import { type Clash, findClashes, probe, type SshWords, sectionsAbout } from '../../ssh/client/resolved.ts'
import { readUserConfig, type UserConfig, userConfigPath, userHome } from '../../ssh/client/user-config.ts'
import type { App } from '../app.ts'
import { listSshTargets } from './ssh-targets.ts'

export interface IncludePlace {
  readonly path: string
  /** What ssh must be told to read it. */
  readonly words: SshWords
}

/** @throws {NexusError} INVALID_ARGUMENT where HOME is not the home that ssh reads */
export function placeOf(app: App, file: string | undefined): IncludePlace {
  if (file !== undefined) {
    // `--file=~/x` reaches us as it stands
    const path = file.startsWith('~/') ? join(app.env.HOME ?? userHome(), file.slice(2)) : resolve(app.cwd, file)
    return { path, words: ['-F', path] }
  }
  const foreign = foreignHome(app)
  if (foreign === undefined) return { path: userConfigPath(), words: [] }
  throw new NexusError(
    'INVALID_ARGUMENT',
    `HOME is ${foreign}, but ssh reads ~/.ssh/config of ${userHome()} whatever HOME says.`,
    { hint: hintForForeignHome(app) },
  )
}

function hintForForeignHome({ home }: App): string {
  const [own, theirs] = [shellWord(userHome()), shellWord(home.home)]
  // as in a `sudo` that keeps HOME: ssh refuses to read what is another user's
  const { uid } = statSync(home.home, { throwIfNoEntry: false }) ?? {}
  if (uid !== undefined && uid !== process.getuid?.()) {
    return `${home.home} belongs to another user: to make its aliases work, run \`nexus ssh-config install\` as that user, without \`sudo\``
  }
  return `To change that one, run \`HOME=${own} NEXUS_HOME=${theirs} nexus ssh-config install\`; to use no file of yours, run \`ssh -F ${shellWord(home.sshConfig)} <name>.nexus\``
}

/** HOME, where it is another folder than ssh's. */
function foreignHome({ env }: App): string | undefined {
  const given = env.HOME ?? ''
  return given === '' || real(given) === real(userHome()) ? undefined : given
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path) // it need not be there to be compared
  }
}

export function explainPlace(path: string, { line, below }: Found): readonly string[] {
  if (below === undefined) return []
  return [
    `line ${line} of ${path} brings Nexus's file in only for the hosts of \`${below}\`, because it stands below that line`,
  ]
}

export async function clashNotes(app: App, words: SshWords, config: UserConfig): Promise<readonly string[]> {
  const { clashes, named } = await findTroubles(app, words, config)
  return [...clashes.map((clash) => describeClash(config.path, clash)), ...named]
}

export function describeClash(path: string, { host, key, actual, needed, line, section }: Clash): string {
  const where =
    line === undefined
      ? 'a file that it includes, or the system'
      : `line ${line} of ${path}${section === undefined ? '' : `, \`${section}\``}`
  return `for ${host}, ${key} is \`${actual}\` where Nexus has \`${needed}\`: ${where} says so`
}

interface Troubles {
  readonly clashes: readonly Clash[]
  readonly named: readonly string[]
}

/** What the user's own settings change for Nexus's hosts, and which of the user's sections speak of the same names. */
async function findTroubles(app: App, words: SshWords, { path, text = '' }: UserConfig): Promise<Troubles> {
  const { aliases, targets } = await listSshTargets(app)
  const files = { user: words, own: app.home.sshConfig, text }
  const all = (await Promise.all(targets.map((target) => findClashes(app.runner, target, files)))).flat()
  // one setting of `Host *` is told once, not for each workspace
  const cause = ({ key, line, actual }: Clash) => `${key} ${line ?? actual}`
  const clashes = all.filter((one, i) => all.findIndex((other) => cause(other) === cause(one)) === i)
  const named = sectionsAbout(text, aliases).map(
    (section) =>
      `line ${section.line} of ${path}, \`${section.text}\`, speaks of Nexus's names too: what both set is as the upper one has it`,
  )
  return { clashes, named }
}

export interface IncludeInspection extends Troubles {
  readonly path: string
  readonly state: 'foreign-home' | 'refused' | 'absent' | 'conditional' | 'installed'
  /** What ssh said, or the line that is in the wrong place. */
  readonly said: string | undefined
}

/** Changes nothing. */
export async function inspectInclude(app: App, file?: string): Promise<IncludeInspection> {
  const foreign = file === undefined ? foreignHome(app) : undefined
  const nothing = { clashes: [], named: [], said: undefined }
  if (foreign !== undefined) return { ...nothing, path: userConfigPath(), state: 'foreign-home', said: foreign }
  const { path, words } = placeOf(app, file)
  const { refusal, included } = await probe(app.runner, words, app.home)
  if (refusal !== undefined) return { ...nothing, path, state: 'refused', said: refusal }
  const config = await readUserConfig(path)
  const found = findIncludes(config.text ?? '', app.home.sshConfig, userHome())
  if (included) return { ...(await findTroubles(app, words, config)), path, state: 'installed', said: undefined }
  if (found.some(({ below }) => below === undefined)) return { ...nothing, path, state: 'installed', said: undefined }
  const said = found.flatMap((one) => explainPlace(path, one))[0]
  return { ...nothing, path, state: said === undefined ? 'absent' : 'conditional', said }
}
