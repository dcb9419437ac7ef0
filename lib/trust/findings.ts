/**
 * Writes findings as text: bounded, on one line, and so that two different values never read alike, because the user
 * approves the hash of this text. Pure.
 */
import { sha256 } from '../core/digest.ts'
import { printable } from '../core/visible.ts'
import type { Finding } from '../stack/model.ts'

const PATH_MAX = 120
const VALUE_MAX = 240

/** @param value text, or data to be shown as JSON */
export function makeFinding(path: string, value: unknown, why: string): Finding {
  return { path: tame(path, PATH_MAX), value: tame(textOf(value), VALUE_MAX), why }
}

/**
 * In an option such as `password=...` of a mount, and in an address: neither says what the option or the address may
 * do.
 */
const PASSWORD =
  /((?:pass|passwd|password|pwd|secret|token|credentials?|\w+_(?:key|token|secret|password))["']?\s*[=:]\s*["']?)[^\s,;&"']+/gi
const IN_ADDRESS = /(\/\/)[^/@\s]+@/g

/** A value of a model, in which a password is replaced; a digest of the whole value keeps it distinct. */
export function makeModelFinding(path: string, value: unknown, why: string): Finding {
  const text = textOf(value)
  const hidden = text.replace(PASSWORD, '$1***').replace(IN_ADDRESS, '$1***@')
  return hidden === text ? makeFinding(path, text, why) : makeFinding(path, withDigest(hidden, text), why)
}

/** `shown` stands for `whole`. */
export function withDigest(shown: string, whole: string): string {
  return `${shown} (sha256 ${sha256(whole).slice(0, 32)})`
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
}

/** Cut or escaped text carries a digest of the whole. */
function tame(text: string, limit: number): string {
  const plain = printable(text)
  const short = plain.length > limit ? `${plain.slice(0, limit)}...` : plain
  return short === text ? text : withDigest(short, text)
}

/** Sorted by path and value, each once: the order does not depend on where something stands in a file. */
export function sortFindings(findings: readonly Finding[]): readonly Finding[] {
  const byKey = new Map(findings.map((finding) => [keyOf(finding), finding]))
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, finding]) => finding)
}

/** What `findings` holds and `others` does not. */
export function withoutFindings(findings: readonly Finding[], others: readonly Finding[]): readonly Finding[] {
  const known = new Set(others.map(keyOf))
  return findings.filter((finding) => !known.has(keyOf(finding)))
}

function keyOf({ path, value }: Finding): string {
  return JSON.stringify([path, value])
}
