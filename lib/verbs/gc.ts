/** gc: removes what no workspace needs. */
import type { Endpoints } from '../api/kit.ts'
import { formatSize } from '../core/sizes.ts'
import type { GcItem } from '../doctor/gc.ts'
import { formatTable } from '../report/tables.ts'
import { flag } from '../verb-form/fields.ts'
import { DRY_RUN } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { count } from '../verb-form/words.ts'

const gc = verb({
  name: 'gc',
  group: 'care',
  effect: 'changes',
  summary: 'remove what no workspace needs: parts of deleted ones, images, old logs',
  fields: {
    all: flag(
      'also caches, prepared and shared data of repositories without workspaces, and the image for the next one',
      {
        http: 'Also caches and data of repositories without workspaces',
      },
    ),
    dryRun: { ...DRY_RUN, text: 'list it with sizes and remove nothing' },
  },
  example: 'nexus gc --dry-run',
  run: async ({ app }, { all, dryRun }) => {
    const { collectGarbage } = await import('../doctor/gc.ts')
    const { items, kept } = await collectGarbage(app, { all, dryRun })
    const text = () =>
      [
        ...(items.length === 0 ? [] : [formatItems(items)]),
        ...kept.map(({ kind, name }) => `${kind} ${name} is still there`),
        items.length === 0
          ? 'nothing to remove'
          : `${dryRun ? 'would remove' : 'removed'} ${count(items.length, 'thing')}${atLeast(items)}`,
      ].join('\n')
    return { data: { dryRun, items, kept }, text, exitCode: kept.length === 0 ? 0 : 1 }
  },
})

function formatItems(items: readonly GcItem[]): string {
  const rows = items.map(({ kind, name, bytes, cause }) => [kind, shorten(name), formatSize(bytes), cause])
  return formatTable(['KIND', 'NAME', 'SIZE', 'CAUSE'], rows)
}

/** Ids of Docker's are long and their beginning tells them apart. */
function shorten(name: string): string {
  return /^(sha256:)?[0-9a-f]{64}$/.test(name) ? name.replace('sha256:', '').slice(0, 12) : name
}

/** Layers that images share are counted with each of them. */
function atLeast(items: readonly GcItem[]): string {
  const known = items.map(({ bytes }) => bytes ?? 0).reduce((sum, bytes) => sum + bytes, 0)
  return known === 0 ? '' : `, up to ${formatSize(known)}`
}

export const verbs = [gc]

export const endpoints: Endpoints = ({ z, via }) => {
  const item = z.object({ kind: z.string(), name: z.string(), cause: z.string(), bytes: z.int().nullable() })
  return [
    via(gc, {
      http: 'POST /gc',
      operationId: 'collectGarbage',
      tag: 'care',
      query: ['dryRun'],
      body: ['all'],
      bodyName: 'Gc',
      answer: z.object({ dryRun: z.boolean(), items: z.array(item), kept: z.array(item) }).openapi('Garbage'),
      example: {
        dryRun: true,
        items: [{ kind: 'image', name: 'nexus-base:1f0c3a9b7d5e', cause: 'no workspace uses it', bytes: 412_000_000 }],
        kept: [],
      },
    }),
  ]
}
