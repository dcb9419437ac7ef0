/**
 * Says of git's hooks which programs they name that are not inside, where they run for commits that are made there. Told once, after
 * whatever the project itself installs; nothing of them is run.
 */
import { dirname, join, resolve } from 'node:path'
import { boundedPieces } from '../../core/bounded.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { GIT_HOOK_NAMES, programsOfHook } from '../../project/hook-programs.ts'
import { isWithin } from '../../stack/places.ts'
import { isRunnable, readPlain } from '../../system/read.ts'
import { realPathOf } from '../../system/real-path.ts'
import type { App } from '../app.ts'

const HOOK_MAX_BYTES = 256 * 1024
const SAID_MAX = 16 * 1024
const PROGRAMS_MAX = 200
const MISSING = 'for p; do command -v -- "$p" >/dev/null 2>&1 || printf "%s\\n" "$p"; done'

export async function tellMissingPrograms(app: App, record: WorkspaceRecord): Promise<void> {
  const named = await findNamed(app, record)
  const programs = [...new Set([...named.values()].flat())].slice(0, PROGRAMS_MAX)
  if (programs.length === 0) return
  const missing = new Set(await listMissing(app, record, programs))
  const lacking = [...named].flatMap(([hook, names]) => {
    const absent = names.filter((name) => missing.has(name))
    return absent.length === 0 ? [] : [`${hook} (${absent.join(', ')})`]
  })
  if (lacking.length === 0) return
  const { name } = record
  const command = `nexus exec ${name} -- git commit --no-verify`
  app.emit({
    type: 'warning',
    text: `git's hooks name programs that are not in ${name}, and may stop commits made there: ${lacking.join('; ')}`,
    hint: `To install them for good, use a Dockerfile or a post-create hook; to commit without, run \`${command}\``,
  })
}

/** By hook. A private git dir has none of the repository's. */
async function findNamed(app: App, record: WorkspaceRecord): Promise<ReadonlyMap<string, readonly string[]>> {
  const { local } = record
  if (record.gitMode === 'private' || local === null) return new Map()
  const { worktree, gitDir } = local
  const configured = await app.git.localHooksPath(record.repo)
  const folder = configured === undefined ? join(gitDir, 'hooks') : resolve(worktree, configured)
  // husky keeps what it starts one folder above
  const folders = folder.endsWith('/_') ? [folder, dirname(folder)] : [folder]
  const isInside = (path: string) => [worktree, gitDir].some((top) => isWithin(realPathOf(path) ?? '/', top))
  const named = GIT_HOOK_NAMES.flatMap((hook): readonly (readonly [string, readonly string[]])[] => {
    const first = join(folder, hook)
    if (!isRunnable(first) || !isInside(first)) return []
    const texts = folders.map((one) => readPlain(join(one, hook), { maxBytes: HOOK_MAX_BYTES })?.toString() ?? '')
    return [[hook, [...new Set(texts.flatMap((text) => programsOfHook(text)))]]]
  })
  return new Map(named)
}

async function listMissing(app: App, record: WorkspaceRecord, programs: readonly string[]): Promise<readonly string[]> {
  const backend = await app.backend(record.backend)
  const argv = ['sh', '-c', MISSING, 'sh', ...programs]
  const session = backend.open(record, { argv, cwd: null, env: {}, streams: 'output' })
  session.stderr.resume()
  const said = boundedPieces<Buffer>(SAID_MAX)
  for await (const piece of session.stdout) said.push(piece as Buffer)
  // whoever cannot be asked has been told of in another way
  return (await session.ended) === 0 ? Buffer.concat(said).toString().split('\n').filter(Boolean) : []
}
