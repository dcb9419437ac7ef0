/** Versions as programs print them, compared number by number. Pure. */

/** The first three numbers of `git version 2.39.5`, `1.1.5+ds1`, `v2.26`; undefined for a text without any. */
export function parseVersion(text: string): readonly number[] | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
}

/** True when a version is known to be older than `minimum`. */
export function isOlder(version: string, minimum: string): boolean {
  const [own, wanted] = [parseVersion(version), parseVersion(minimum)]
  if (own === undefined || wanted === undefined) return false
  const at = wanted.findIndex((part, i) => own[i] !== part)
  return at !== -1 && (own[at] ?? 0) < (wanted[at] ?? 0)
}

/** True when a version came before the fix in its own line of releases: `fixes` has one for each line, oldest first. */
export function lacksFix(version: string, fixes: readonly string[]): boolean {
  const lineOf = (text: string) => parseVersion(text)?.slice(0, 2).join('.')
  const own = fixes.find((fix) => lineOf(fix) === lineOf(version))
  return isOlder(version, own ?? fixes[0] ?? '')
}
