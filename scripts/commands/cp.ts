/** cp: files and folders between this machine and workspaces. */

import { formatSize } from '../../lib/core/sizes.ts'
import { printable } from '../../lib/core/visible.ts'
import { copy } from '../../lib/workspace/inside/copy.ts'
import type { CopyPlan, Place } from '../../lib/workspace/inside/copy-places.ts'
import type { Run } from './command.ts'

export const cp: Run = async (call) => {
  // after `--` there are paths, too, such as ones that begin with a dash
  const places = [...call.args, ...call.rest].filter((word) => word !== undefined && word !== 'undefined')
  const dryRun = call.flag('dry-run')
  // for `docker cp` owners are all that it means
  if (call.flag('archive'))
    call.app.emit({ type: 'warning', text: 'owners are not kept: what is copied belongs to whoever copies' })
  const { plan, ...done } = await copy(call.app, { places, repo: call.value('repo'), dryRun })
  const copied = plan.steps.map(({ from, names }) => ({
    from: placeData(from, from.path),
    to: placeData(plan.target, [plan.base.replace(/\/$/, ''), ...names].join('/') || '/'),
  }))
  const lines = copied.map(
    ({ from, to }) => `${dryRun ? 'would copy' : 'copied'} ${shownPlace(from)} to ${shownPlace(to)}`,
  )
  const total = `${count(done.files, 'file')}, ${formatSize(done.bytes)}`
  return {
    data: { ...(dryRun ? { dryRun } : {}), copied, ...done },
    text: dryRun
      ? lines.join('\n')
      : `${copied.length === 1 ? lines[0] : `copied ${copied.length} things to ${targetOf(plan)}`}: ${total}`,
  }
}

function placeData({ record }: Place, path: string) {
  return { workspace: record?.name ?? null, path }
}

function shownPlace({ workspace, path }: { readonly workspace: string | null; readonly path: string }): string {
  return printable(workspace === null ? path : `${workspace}:${path}`)
}

function targetOf({ target, base }: CopyPlan): string {
  return shownPlace(placeData(target, base))
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
