/**
 * The words in which the allow-list is written: a rule looks at one value of the resolved model and reports what goes
 * beyond the ordinary. Absent, null, false and empty values ask for nothing and never reach a rule. Pure.
 */
import type { OutsidePlace, Places } from '../stack/places.ts'

export interface Inspection {
  readonly places: Places
  /** Each workspace gets a copy of an external volume. */
  readonly copies?: boolean
  report(at: string, value: unknown, why: string): void
}

export type Rule = (value: unknown, at: string, inspection: Inspection) => void

const UNKNOWN = 'is nothing that Nexus knows to be harmless'
const EXTENSION = /^x-/

/** Always allowed: the key affects the service alone, or nothing. */
export const anything: Rule = () => {}

/** A text, number or boolean. */
export const scalar: Rule = (value, at, { report }) => {
  if (!isScalar(value)) report(at, value, UNKNOWN)
}

/** A scalar, or a list or map of them. */
export const scalars: Rule = (value, at, inspection) => {
  if (isScalar(value)) return
  const all = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [value]
  if (!all.every((one) => one === null || isScalar(one))) inspection.report(at, value, UNKNOWN)
}

export function deny(why: string): Rule {
  return (value, at, { report }) => report(at, value, why)
}

/** Each item of a list, or `key=value` of a map, as a finding of its own. */
export function denyEach(why: string): Rule {
  return (value, at, { report }) => {
    const items = isObject(value) ? Object.entries(value).map(([key, one]) => `${key}=${asText(one)}`) : [value].flat()
    for (const item of items) report(at, item, why)
  }
}

/** A text of this form; anything else is reported with the first reason that fits it, else the last. */
export function textLike(allowed: RegExp, ...reasons: readonly (readonly [RegExp, string])[]): Rule {
  return (value, at, { report }) => {
    if (isScalar(value) && allowed.test(String(value))) return
    const [, why] = reasons.find(([form]) => isScalar(value) && form.test(String(value))) ?? ['', UNKNOWN]
    report(at, value, why)
  }
}

export function listOf(rule: Rule): Rule {
  return (value, at, inspection) => {
    if (!Array.isArray(value)) return inspection.report(at, value, UNKNOWN)
    for (const item of value) apply(rule, item, at, inspection)
  }
}

export function mapOf(rule: Rule): Rule {
  return (value, at, inspection) => {
    if (!isObject(value)) return inspection.report(at, value, UNKNOWN)
    for (const [key, one] of Object.entries(value)) apply(rule, one, `${at}.${key}`, inspection)
  }
}

/** A map whose keys are all known, each with its rule. Extensions (`x-...`) mean nothing to compose. */
export function keys(table: Readonly<Record<string, Rule>>): Rule {
  return (value, at, inspection) => {
    if (!isObject(value)) return inspection.report(at, value, UNKNOWN)
    for (const [key, one] of Object.entries(value)) {
      const rule = Object.hasOwn(table, key) ? table[key] : undefined
      const below = at === '' ? key : `${at}.${key}`
      if (rule !== undefined) apply(rule, one, below, inspection)
      // `false` may be what takes a guard away
      else if (!EXTENSION.test(key) && (one === false || !isNothing(one))) inspection.report(below, one, UNKNOWN)
    }
  }
}

/** One of two, by the kind of the value. */
export function scalarOr(rule: Rule): Rule {
  return (value, at, inspection) => {
    if (!isScalar(value)) rule(value, at, inspection)
  }
}

/** Labels, except those by which Nexus and compose recognise their objects. */
export const labels: Rule = (value, at, inspection) => {
  scalars(value, at, inspection)
  const names = isObject(value) ? Object.keys(value) : Array.isArray(value) ? value.map(String) : []
  for (const name of names.filter((one) => /^(dev\.nexus|com\.docker\.compose)\./.test(one))) {
    inspection.report(at, name, 'passes for something that Nexus or compose made')
  }
}

function apply(rule: Rule, value: unknown, at: string, inspection: Inspection): void {
  if (!isNothing(value)) rule(value, at, inspection)
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

export function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** Reports a place outside of the worktree: what is done there, and with what. */
export function reportPlace(place: OutsidePlace, verb: string, at: string, { report }: Inspection, more = ''): void {
  report(at, `${place.value}${more}`, `${verb} ${place.what}`)
}
