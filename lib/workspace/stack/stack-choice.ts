/**
 * What a workspace will run, as far as names of files and the configuration tell: decided before anything is read or made. It loads
 * nothing that a plain workspace does not need.
 */

import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Settings } from '../../config/load.ts'
import { readDotenv } from '../../config/read.ts'
import type { StackRecord } from '../../core/workspace.ts'
import type { WantedPort } from '../../ports/blocks.ts'
import { type Detected, detectStack, findComposeFile, sideCarName } from '../../stack/detect.ts'
import type { HasReady } from '../../stack/ready.ts'
import { firstNames, unreadable } from '../../system/read.ts'
import { realPathOf } from '../../system/real-path.ts'
import type { App } from '../app.ts'

/** At the top of a worktree. */
const NAMES_MAX = 100_000

/** With the ports of ready services, which the services of the project must not be called like. */
export async function withReadyPorts(
  wanted: readonly WantedPort[],
  record: HasReady,
  services: readonly string[] = [],
): Promise<readonly WantedPort[]> {
  if (record.docker?.ready === undefined) return wanted
  const { readyOf } = await import('../../stack/ready.ts')
  const names = Object.keys(readyOf(record, { services, startInterval: true })?.services ?? {})
  const others = wanted.filter(({ service }) => service === undefined || !names.includes(service))
  const ready = readyOf(record, { services, startInterval: true, ports: others.map(({ name }) => name) })
  return [...others, ...(ready?.ports ?? [])]
}

/** What a new workspace of a commit would run, as far as the names of its files tell. */
export function stackOf(detected: Detected, settings: Settings): StackRecord | undefined {
  if (detected.files.length === 0 && detected.base.kind === 'default') return undefined
  return {
    files: detected.files,
    profiles: detected.profiles,
    pass: settings.env.pass,
    main: detected.base.kind === 'service' ? (detected.service ?? '') : sideCarName([]),
    base: detected.base,
    ...(settings.compose.external === 'private' ? { external: 'private' as const } : {}),
  }
}

/** What lies in a worktree; the repository's `.env` counts where the worktree has none, as git mostly ignores it. */
export function detectIn(worktree: string, repo: string, settings: Settings): Detected {
  return detectStack({
    names: namesAt(worktree),
    dotenv: readDotenv(join(worktree, '.env'), worktree) ?? readDotenv(join(repo, '.env')),
    compose: settings.compose,
    workspace: settings.workspace,
  })
}

/** @throws {NexusError} CONFIG_INVALID for more than anybody looks through */
function namesAt(worktree: string): readonly string[] {
  const names = firstNames(worktree, NAMES_MAX + 1)
  if (names.length > NAMES_MAX) throw unreadable(worktree, `has more than ${NAMES_MAX} files at its top`)
  return names
}

/** Whoever stands in a sub-folder may mean its stack; only what is at the top is found by itself. */
export function tellElsewhere({ cwd, emit }: Pick<App, 'cwd' | 'emit'>, worktree: string): void {
  const folder = relative(worktree, realPathOf(cwd) ?? cwd)
  if (folder === '' || folder.startsWith('..') || !existsSync(cwd)) return
  const name = findComposeFile(firstNames(cwd, NAMES_MAX))
  if (name === undefined) return
  const file = join(folder, name)
  const hint = `To run it, run \`nexus config set --project compose.files ${file}\``
  emit({ type: 'warning', text: `${file} is not run, as it is not at the top of the repository`, hint })
}
