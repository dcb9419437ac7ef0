/** The name of a workspace's own database. Pure. */

/** `feature-auth` -> `feature_auth_k3v9q2xa`: good in every SQL dialect without quotes. */
export function databaseName(name: string, id: string): string {
  return `${/^[a-z]/.test(name) ? '' : 'w_'}${name.replaceAll('-', '_')}_${id.replace(/^ws-/, '')}`
}
