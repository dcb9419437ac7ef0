/**
 * Reports git settings and hooks that run programs and changed while a workspace shared the repository. It undoes
 * nothing, since the user may have changed them. `nexus doctor --accept` takes the present state.
 */
import { type Diagnosis, warning, well } from '../core/finding.ts'
import { shellWord } from '../core/shell.ts'
import type { App } from '../workspace/app.ts'
import { findChangedParts, noteRunningParts, type PartChange } from '../workspace/git/git-snapshot.ts'
import type { Scan } from './scan.ts'

const SHOWN_MAX = 120

export async function checkChangedGitConfig({ app, records }: Scan): Promise<readonly Diagnosis[]> {
  const told = new Map<string, Diagnosis>()
  for (const record of records) {
    for (const change of await findChangedParts(app, record)) {
      const key = `${record.local?.gitDir}\0${change.name}`
      // the oldest workspace has the earliest note
      if (!told.has(key)) told.set(key, judge(record.repo, record.name, change))
    }
  }
  return told.size > 0 ? [...told.values()] : [well('nothing that git runs changed while a workspace shared it')]
}

function judge(repo: string, workspace: string, { name, before, now }: PartChange): Diagnosis {
  return warning({
    message: `${name} of ${repo} is ${show(now)}; when workspace ${workspace} was made it was ${show(before)}.`,
    why: 'git runs it as you, on this machine, and whoever works in a workspace that shares the repository can write it.',
    hint: `If that was you, run \`nexus doctor --accept\`; else ${remedy(repo, name, now)}`,
  })
}

/** No command names a hook: a stranger may have chosen its name. */
function remedy(repo: string, name: string, now: string | undefined): string {
  const at = shellWord(repo)
  if (/^(hooks|info)\//.test(name)) return `look into it: \`ls -lb ${at}/.git/${name.split('/')[0]}\``
  if (now === undefined) return `see what is set now: \`git -C ${at} config --local --list\``
  return `take it away: \`git -C ${at} config --local --unset-all ${shellWord(name)}\``
}

function show(value: string | undefined): string {
  if (value === undefined) return 'not set'
  const text = JSON.stringify(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}..."` : text
}

/** Takes the present state as the one to compare with. */
export async function acceptGitConfig(app: App): Promise<void> {
  for (const record of await app.records.list()) await noteRunningParts(app, record)
}
