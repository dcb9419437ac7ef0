/**
 * `Idempotency-Key`: the same key with the same request has one answer, however often it is sent, for a day. Who comes while
 * the first still runs waits for it. Memory of the server only; after a restart the names of workspaces still guard.
 */
import { sha256 } from '../core/digest.ts'
import type { BegunOperation } from './answers.ts'
import { Refusal } from './failure.ts'

const KEPT_MS = 24 * 60 * 60_000
const KEYS_MAX = 1_000
const KEY = /^[\x21-\x7e]{1,255}$/

export interface Idempotency {
  /** What the key began, now or (`again`) before. @throws {Refusal} 422 when the key came with another request before */
  once(
    key: string,
    request: unknown,
    begin: () => BegunOperation,
  ): { readonly begun: BegunOperation; readonly again: boolean }
}

interface Entry {
  readonly request: string
  readonly begun: BegunOperation
  readonly since: number
}

export function createIdempotency(now: () => number = Date.now): Idempotency {
  const entries = new Map<string, Entry>()

  function forget(): void {
    for (const [key, { since }] of entries) {
      if (now() - since < KEPT_MS && entries.size < KEYS_MAX) return // they stand in the order of their coming
      entries.delete(key)
    }
  }

  return {
    once: (key, request, begin) => {
      if (!KEY.test(key)) throw new Refusal(400, 'The header Idempotency-Key takes 1 to 255 printable characters.')
      forget()
      const digest = sha256(JSON.stringify(request))
      const known = entries.get(key)
      if (known !== undefined && known.request !== digest) throw reused(key)
      if (known !== undefined) return { begun: known.begun, again: true }
      const begun = begin()
      entries.set(key, { request: digest, begun, since: now() })
      // what failed may be tried again, as it changed nothing
      begun.answer.then(
        ({ status }) => status >= 400 && entries.delete(key),
        () => entries.delete(key),
      )
      return { begun, again: false }
    },
  }
}

function reused(key: string): Refusal {
  return new Refusal(422, `The Idempotency-Key ${JSON.stringify(key)} came with another request before.`, {
    hint: 'To make something else, take a new key such as the output of `uuidgen`',
  })
}
