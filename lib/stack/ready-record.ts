/** The part of a record about ready services. Pure. */
import { sha256 } from '../core/digest.ts'
import type { ReadyRecord } from '../core/workspace.ts'

const SEEDED_DATABASE = 'app'

export interface ReadyWish {
  readonly wanted: readonly string[]
  readonly images: ReadonlyMap<string, string>
  /** A seed is cloned into them; the password and the database come with it. */
  readonly seeded: boolean
}

/** What the configuration asks for. @param key known to this home alone; `password` is used where it is not seeded */
export function readyRecord(
  { wanted, images, seeded }: ReadyWish,
  key: string,
  password: string,
): { ready?: ReadyRecord } {
  if (wanted.length === 0) return {}
  const own = { wanted, images: Object.fromEntries(images) }
  if (!seeded) return { ready: { ...own, password } }
  return { ready: { ...own, password: sha256(`${key}\0password`).slice(0, 30), database: SEEDED_DATABASE } }
}
