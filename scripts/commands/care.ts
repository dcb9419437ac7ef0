/** doctor, gc, prune: words in, one use case each, an answer out. */
import { NexusError } from '../../lib/core/errors.ts'
import type { Finding } from '../../lib/core/finding.ts'
import { formatSize } from '../../lib/core/sizes.ts'
import { formatAge, parseDuration } from '../../lib/core/time.ts'
import { examine } from '../../lib/doctor/doctor.ts'
import { collectGarbage, type Item } from '../../lib/doctor/gc.ts'
import { acceptGitConfig } from '../../lib/doctor/git-config.ts'
import { formatTable } from '../../lib/report/tables.ts'
import { pruneMerged, type Verdict } from '../../lib/workspace/remove/prune.ts'
import type { Call, Run } from './command.ts'
import { wayOut } from './current.ts'
import { repositoryOf } from './look.ts'

export const doctor: Run = async (call) => {
  if (call.flag('accept')) await acceptGitConfig(call.app)
  const { findings, fixed, healthy } = await examine(call.app, { fix: call.flag('fix') })
  const lines = [
    ...findings.map(formatFinding),
    ...fixed.map(({ message }) => `fixed    ${message}`),
    verdict(findings),
  ]
  return { data: { healthy, findings, fixed }, text: lines.join('\n'), exitCode: healthy ? 0 : 1 }
}

function formatFinding({ check, status, message, why, hint }: Finding): string {
  const more = [why, hint].filter((line) => line !== null).map((line) => `           ${line}`)
  const said = status === 'ok' ? `${check}: ${message}` : message
  return [`${status.padEnd(7)}  ${said}`, ...more].join('\n')
}

function verdict(findings: readonly Finding[]): string {
  const count = (wanted: Finding['status']) => findings.filter(({ status }) => status === wanted).length
  const [errors, warnings] = [count('error'), count('warning')]
  const fixable = findings.filter((finding) => finding.fixable).length
  const repair = fixable === 0 ? '' : `; \`nexus doctor --fix\` repairs ${fixable} of them`
  if (errors + warnings === 0) return 'all is well'
  return `${plural(errors, 'error')}, ${plural(warnings, 'warning')}${repair}`
}

export const gc: Run = async (call) => {
  const dryRun = call.flag('dry-run')
  const { items, kept } = await collectGarbage(call.app, { all: call.flag('all'), dryRun })
  const text = [
    ...(items.length === 0 ? [] : [formatItems(items)]),
    ...kept.map(({ kind, name }) => `${kind} ${name} is still there`),
    items.length === 0
      ? 'nothing to remove'
      : `${dryRun ? 'would remove' : 'removed'} ${plural(items.length, 'thing')}${atLeast(items)}`,
  ]
  return { data: { dryRun, items, kept }, text: text.join('\n'), exitCode: kept.length === 0 ? 0 : 1 }
}

function formatItems(items: readonly Item[]): string {
  const rows = items.map(({ kind, name, bytes, cause }) => [kind, shorten(name), formatSize(bytes), cause])
  return formatTable(['KIND', 'NAME', 'SIZE', 'CAUSE'], rows)
}

/** Ids of Docker's are long and their beginning tells them apart. */
function shorten(name: string): string {
  return /^(sha256:)?[0-9a-f]{64}$/.test(name) ? name.replace('sha256:', '').slice(0, 12) : name
}

/** Layers that images share are counted with each of them. */
function atLeast(items: readonly Item[]): string {
  const known = items.map(({ bytes }) => bytes ?? 0).reduce((sum, bytes) => sum + bytes, 0)
  return known === 0 ? '' : `, up to ${formatSize(known)}`
}

export const prune: Run = async (call) => {
  if (!call.flag('merged')) {
    throw new NexusError('INVALID_ARGUMENT', '`nexus prune` needs to be told what to delete.', {
      hint: 'To see which workspaces are merged, run `nexus prune --merged --dry-run`',
    })
  }
  const dryRun = call.flag('dry-run')
  const repo = await repositoryOf(call)
  const verdicts = await pruneMerged(call.app, { repo, olderThanMs: parseAge(call), dryRun })
  const data = (wanted: boolean) =>
    verdicts
      .filter((one) => one.prune === wanted)
      .map(({ record: { id, name, branch }, reason, lastUsed }) => ({ id, name, branch, reason, lastUsed }))
  const pruned = verdicts.filter((one) => one.prune).map(({ record }) => record)
  const text = verdicts.length === 0 ? 'no workspaces' : formatVerdicts(verdicts, dryRun) + wayOut(call, pruned)
  return {
    data: { dryRun, pruned: data(true), kept: data(false) },
    text,
    exitCode: verdicts.some(({ failed }) => failed) ? 1 : 0,
  }
}

function parseAge(call: Call): number | undefined {
  const given = call.value('older-than')
  if (given === undefined) return undefined
  if (/^(\d{1,5}[dhms])+$/.test(given)) return parseDuration(given)
  throw new NexusError('INVALID_ARGUMENT', `--older-than ${JSON.stringify(given)} is not a time.`, {
    hint: 'To mean a month, use `--older-than 30d`',
  })
}

function formatVerdicts(verdicts: readonly Verdict[], dryRun: boolean): string {
  const word = (verdict: Verdict) => (verdict.prune ? (dryRun ? 'would be deleted' : 'deleted') : 'kept')
  const rows = verdicts.map((verdict) => [
    verdict.record.name,
    verdict.record.branch,
    formatAge(verdict.lastUsed),
    `${word(verdict)}: ${verdict.reason}`,
  ])
  return formatTable(['NAME', 'BRANCH', 'AGE', 'WHAT'], rows)
}

function plural(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
