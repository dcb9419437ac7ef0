/** cp: files and folders between this machine and workspaces. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { formatSize } from '../core/sizes.ts'
import { printable } from '../core/visible.ts'
import { flag, words } from '../verb-form/fields.ts'
import { DRY_RUN, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'
import { count, planned } from '../verb-form/words.ts'
import type { CopyPlace, CopyPlan } from '../workspace/exec/copy-places.ts'

const cp = verb({
  name: 'cp',
  group: 'inside',
  effect: 'changes',
  summary: 'copy files and folders into a workspace, out of it, or from one to another',
  fields: {
    places: words('sources, then the target; <name>:<path> is in a workspace, below its worktree, ~ or absolute', {
      as: 'paths',
      optional: true,
      completes: 'places',
    }),
    recursive: flag('folders with all that is in them; it is so without it, too', { short: 'r' }),
    preserve: flag('modes and times; they are kept without it, too', { short: 'p' }),
    archive: flag('the same, and links as links; owners are not kept, which is said', { short: 'a' }),
    repo: REPO,
    dryRun: DRY_RUN,
  },
  takesCommand: true,
  usage: '<source>... <target> [options]',
  example: 'nexus cp README.md feature-auth:/tmp/notes.md',
  run: async (call, { places: given, archive, repo, dryRun }) => {
    const { copy } = await import('../workspace/exec/copy.ts')
    // after `--` there are paths, too, such as ones that begin with a dash
    const places = [...given, ...call.rest]
    // for `docker cp` owners are all that it means
    if (archive)
      call.app.emit({ type: 'warning', text: 'owners are not kept: what is copied belongs to whoever copies' })
    const { plan, ...done } = await copy(call.app, { places, repo, dryRun })
    const copied = plan.steps.map(({ from, names }) => ({
      from: placeData(from, from.path),
      to: placeData(plan.target, [plan.base.replace(/\/$/, ''), ...names].join('/') || '/'),
    }))
    const text = () => {
      const lines = copied.map(
        ({ from, to }) => `${dryRun ? 'would copy' : 'copied'} ${shownPlace(from)} to ${shownPlace(to)}`,
      )
      if (dryRun) return lines.join('\n')
      const total = `${count(done.files, 'file')}, ${formatSize(done.bytes)}`
      return `${copied.length === 1 ? lines[0] : `copied ${copied.length} things to ${targetOf(plan)}`}: ${total}`
    }
    return { data: { ...planned(dryRun), copied, ...done }, text }
  },
})

function placeData({ record }: CopyPlace, path: string) {
  return { workspace: record?.name ?? null, path }
}

function shownPlace({ workspace, path }: { readonly workspace: string | null; readonly path: string }): string {
  return printable(workspace === null ? path : `${workspace}:${path}`)
}

function targetOf({ target, base }: CopyPlan): string {
  return shownPlace(placeData(target, base))
}

export const verbs = [cp]

export const endpoints: Endpoints = ({ z, via, text, sample }) => {
  const place = z.object({ workspace: z.string().nullable(), path: z.string() })
  return [
    via(cp, {
      http: 'POST /copy',
      operationId: 'copyFiles',
      tag: 'inside',
      query: ['dryRun'],
      body: ['places', 'repo'],
      bodyName: 'Copy',
      bodyAbout: { example: { places: ['/home/u/notes.md', 'feature-auth:/tmp/notes.md'] } },
      own: {
        places: z
          .array(text('An absolute path of this machine, or `<name>:<path>` in a workspace'))
          .min(2)
          .max(1_000)
          .openapi({ description: 'Sources, then the target' }),
      },
      refuse: ({ places }) => places.forEach(requireAbsolute),
      answer: z
        .object({
          dryRun: z.literal(true).optional(),
          copied: z.array(z.object({ from: place, to: place })),
          files: z.int(),
          folders: z.int(),
          links: z.int(),
          bytes: z.int(),
          skipped: z.array(z.string()),
        })
        .openapi('Copied'),
      example: {
        copied: [
          {
            from: { workspace: null, path: '/home/u/notes.md' },
            to: { workspace: sample.ID.name, path: '/tmp/notes.md' },
          },
        ],
        files: 1,
        folders: 0,
        links: 0,
        bytes: 812,
        skipped: [],
      },
    }),
  ]
}

/** A path of this machine, where it is one, does not begin where the server happens to stand. */
function requireAbsolute(place: string): void {
  if (place.startsWith('/') || /^[^/]+:/.test(place)) return
  throw new NexusError(
    'INVALID_ARGUMENT',
    `The place ${JSON.stringify(place)} is neither an absolute path nor <name>:<path>.`,
    {
      hint: 'To name a file of the current folder, use `nexus cp <file> <name>:<path>`',
    },
  )
}
