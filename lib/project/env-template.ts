/**
 * Templates of ignored files: `.env.nexus` makes `.env`, with `{{ports.web}}` and the like in it. A template is a
 * stranger's text, so nothing but names in double braces is replaced; there are no helpers, conditions or code.
 */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import { GENERATED } from '../core/made-again.ts'
import { nearest } from '../core/names.ts'
import { isWithin } from '../stack/places.ts'
import { requirePlain } from '../system/read.ts'
import { realPathOf } from '../system/real-path.ts'
import { writeFileAtomic } from '../system/store.ts'
import { readWithin } from '../system/within.ts'
import type { Git } from '../tools/git.ts'

export const SUFFIX = '.nexus'

export type TemplateValues = Readonly<Record<string, string>>

export interface TemplateRequest {
  readonly worktree: string
  /** Paths from the top of the worktree. */
  readonly templates: readonly string[]
  /** By dotted name, such as `ports.web`. */
  readonly values: TemplateValues
  /** In a new worktree a template wins over a file that was copied; later it replaces only what it made itself. */
  readonly isNew: boolean
  /** True before ports are leased: unknown ports are written as 0. */
  readonly early: boolean
}

/**
 * @throws {NexusError} CONFIG_INVALID with file, line and column for a name that is not known; for a target that git
 * would track
 */
export async function renderTemplates(git: Git, request: TemplateRequest): Promise<void> {
  for (const template of request.templates) {
    const target = targetOf(template)
    const text = substitute(template, readTemplate(request.worktree, template), request.values, request.early)
    const path = join(request.worktree, target)
    requireWithin(request.worktree, dirname(path), template)
    const present = readWithin(request.worktree, target)?.toString()
    if (!request.isNew && existsSync(path) && present?.startsWith(GENERATED) !== true) continue
    if (!(await git.isIgnored(request.worktree, target))) throw tracked(template, target)
    const made = `${GENERATED}${template}; change that file, or remove this line to keep what you write here.\n${text}`
    if (made !== present) await writeFileAtomic(path, made, 0o600)
  }
}

function targetOf(template: string): string {
  const clean = template.replace(/^(\.\/)+/, '')
  const inside = !clean.startsWith('/') && !clean.split('/').includes('..')
  if (inside && clean.endsWith(SUFFIX) && !clean.endsWith(`/${SUFFIX}`)) return clean.slice(0, -SUFFIX.length)
  throw new NexusError(
    'CONFIG_INVALID',
    `worktree.templates names ${JSON.stringify(template)}, which is not a file of the repository that ends in ${SUFFIX}.`,
    {
      hint: 'To make .env, name the template .env.nexus: `nexus config set --project worktree.templates .env.nexus`',
    },
  )
}

/** A link in a stranger's repository may lead anywhere. */
function requireWithin(worktree: string, path: string, template: string): void {
  const [top, real] = [realPathOf(worktree), realPathOf(path)]
  if (top !== undefined && real !== undefined && isWithin(real, top)) return
  throw new NexusError('CONFIG_INVALID', `The template ${template} of worktree.templates leads out of the worktree.`, {
    hint: `To see where, run \`ls -la ${path}\``,
    details: { template, leadsTo: real },
  })
}

function readTemplate(worktree: string, template: string): string {
  requireWithin(worktree, join(worktree, template), template)
  const text = requirePlain(join(worktree, template), { within: worktree })
  if (text !== undefined) return text.toString()
  throw new NexusError('CONFIG_INVALID', `The template ${template} of worktree.templates is not there.`, {
    hint: `To see what is there, run \`ls -la ${worktree}\``,
  })
}

function tracked(template: string, target: string): NexusError {
  return new NexusError('CONFIG_INVALID', `The template ${template} would make ${target}, which git does not ignore.`, {
    hint: `To ignore it, run \`echo ${target} >> .gitignore\``,
    details: { template, target },
  })
}

/** @throws {NexusError} CONFIG_INVALID with file, line and column */
export function substitute(file: string, text: string, values: TemplateValues, early = false): string {
  return text.replaceAll(/\{\{([^{}]*)\}\}/g, (whole, inner: string, offset: number) => {
    const name = inner.trim()
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (value !== undefined && !/\p{Cc}/u.test(value)) return value
    if (value === undefined && early) return '0'
    const before = text.slice(0, offset).split('\n')
    const place = `${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
    const known = Object.keys(values)
    const near = nearest(name, known)
    const what = value === undefined ? `${whole} names nothing that is known` : `${whole} has a line break in it`
    throw new NexusError(
      'CONFIG_INVALID',
      `${place}: ${what}${near === undefined ? '' : `; the nearest is {{${near}}}`}.`,
      {
        hint: `Known are ${known.join(', ')}; to see a workspace's ports, run \`nexus ports <name>\``,
        details: { name, known },
      },
    )
  })
}
