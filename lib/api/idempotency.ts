/**
 * `Idempotency-Key`: the same key with the same request has one answer, however often it is sent, for a day. Who comes while
 * the first still runs waits for it. Memory of the server only; after a restart the names of workspaces still guard.
 */
import { sha256 } from '../core/digest.ts'
import type { Answer } from './answers.ts'
import { Refusal } from './failure.ts'

const KEPT_MS = 24 * 60 * 60_000
const KEYS_MAX = 1_000
const KEY = /^[\x21-\x7e]{1,255}$/

export interface Idempotency {
  /** @throws {Refusal} 422 when the key came with another request before */
  once(key: string, request: unknown, run: () => Promise<Answer>): Promise<Answer>
}

interface Entry {
  readonly request: string
  readonly answer: Promise<Answer>
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

  async function once(key: string, request: unknown, run: () => Promise<Answer>): Promise<Answer> {
    if (!KEY.test(key)) throw new Refusal(400, 'The header Idempotency-Key takes 1 to 255 printable characters.')
    forget()
    const digest = sha256(JSON.stringify(request))
    const known = entries.get(key)
    if (known !== undefined) {
      if (known.request !== digest) throw reused(key)
      const answer = await known.answer
      return { ...answer, headers: { ...answer.headers, 'Idempotency-Replayed': 'true' } }
    }
    const answer = run()
    entries.set(key, { request: digest, answer, since: now() })
    // what failed may be tried again, as it changed nothing
    answer.then(
      ({ status }) => status >= 400 && entries.delete(key),
      () => entries.delete(key),
    )
    return answer
  }

  return { once }
}

function reused(key: string): Refusal {
  return new Refusal(422, `The Idempotency-Key ${JSON.stringify(key)} came with another request before.`, {
    hint: 'To make something else, take a new key such as the output of `uuidgen`',
  })
}
