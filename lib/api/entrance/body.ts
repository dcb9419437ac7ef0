/**
 * Reads what comes in: bodies with a limit on size and depth, and the one way from a zod error to a sentence. Everything
 * here is hostile until it has been through.
 */
import type { z } from '@hono/zod-openapi'
import { NexusError } from '../../core/errors.ts'
import { nearest } from '../../core/names.ts'
import { Refusal, SEE_DOCUMENT } from '../failure.ts'

export const BODY_MAX_BYTES = 1024 * 1024
const DEPTH_MAX = 32
const LONE_SURROGATE = /\p{Surrogate}/u
/** Unknown fields that are told by name. */
const NAMED_MAX = 5
/** Reading by these names reaches what every object inherits. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** The parsed body; undefined for an empty one. @throws {Refusal} */
export async function readBody(request: Request): Promise<unknown> {
  const bytes = await readBytes(request)
  if (bytes.byteLength === 0) return undefined
  const text = decode(bytes)
  requireShallow(text)
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    throw new Refusal(400, `The body is not JSON: ${(error as Error).message.replace(/\.$/, '')}.`)
  }
  requirePlainText(data)
  return data
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let size = 0
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read().catch(refuseTorn)
    if (done) return Buffer.concat(pieces)
    size += value.byteLength
    if (size > BODY_MAX_BYTES) {
      await reader.cancel().catch(() => undefined) // the rest is nobody's
      throw tooLarge()
    }
    pieces.push(value)
  }
}

/** Who goes away in the middle of a body is no bug of ours. */
function refuseTorn(): never {
  throw new Refusal(400, 'The body did not come to its end.')
}

export function tooLarge(): Refusal {
  return new Refusal(413, `The body is larger than ${BODY_MAX_BYTES} bytes.`, { headers: { Connection: 'close' } })
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Refusal(400, 'The body is not UTF-8.')
  }
}

/** Before it is parsed, so that nothing deep is ever walked. */
function requireShallow(text: string): void {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '"') i = endOfText(text, i)
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    if (depth > DEPTH_MAX) throw new Refusal(400, `The body is nested deeper than ${DEPTH_MAX} levels.`)
  }
}

function endOfText(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i
  }
  return text.length
}

/** Text that is no Unicode, which no file or program can be given as it is, and names of fields that are refused. */
export function requirePlainText(data: unknown): void {
  if (typeof data === 'string' && LONE_SURROGATE.test(data)) {
    throw new Refusal(400, `The text ${JSON.stringify(data.slice(0, 100))} has half of a surrogate pair.`)
  }
  if (typeof data !== 'object' || data === null) return
  for (const [key, value] of Object.entries(data)) {
    requirePlainText(key)
    if (FORBIDDEN_KEYS.has(key) && !Array.isArray(data)) {
      throw new Refusal(400, `The body has a field ${JSON.stringify(key)}, which is refused.`)
    }
    requirePlainText(value)
  }
}

/** @throws {NexusError} INVALID_ARGUMENT naming the field and what is wrong with it */
export function check<T extends z.ZodType>(schema: T, value: unknown, place: 'body' | 'query' | 'path'): z.output<T> {
  const { data, error } = schema.safeParse(value)
  if (error === undefined) return data as z.output<T>
  const issues = error.issues.map((issue) => ({ field: fieldOf(place, issue.path), message: wordsOf(issue, schema) }))
  const [first, ...others] = issues
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  throw new NexusError('INVALID_ARGUMENT', `${first?.field}: ${first?.message}${more}.`, {
    hint: SEE_DOCUMENT,
    details: { issues },
  })
}

function fieldOf(place: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (said, part) => (typeof part === 'number' ? `${said}[${part}]` : `${said}.${String(part)}`),
    place,
  )
}

function wordsOf(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  if (issue.code !== 'unrecognized_keys') return issue.message.replace(/^./, (letter) => letter.toLowerCase())
  const known = issue.path.length === 0 && 'shape' in schema ? Object.keys(schema.shape as object) : []
  const [key = ''] = issue.keys
  const near = nearest(key, known)
  const meant = near === undefined || issue.keys.length > 1 ? '' : ` (is ${near} meant?)`
  const named = issue.keys.slice(0, NAMED_MAX).map((one) => JSON.stringify(one.slice(0, 100)))
  const more = issue.keys.length > NAMED_MAX ? ` and ${issue.keys.length - NAMED_MAX} more` : ''
  return `unknown field${issue.keys.length === 1 ? '' : 's'} ${named.join(', ')}${more}${meant}`
}

/** Each parameter once. */
export function queryOf(url: string): Record<string, string> {
  const found: Record<string, string> = Object.create(null)
  for (const [key, value] of new URL(url, 'http://localhost').searchParams) {
    if (key in found) throw new Refusal(400, `The query parameter ${JSON.stringify(key)} is given more than once.`)
    found[key] = value
  }
  return { ...found }
}
