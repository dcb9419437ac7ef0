/** The name of a workspace's own database. Pure. */
import type { WorkspaceNames } from '../core/names.ts'

/** `feature-auth` -> `feature_auth_k3v9q2xa`: good in every SQL dialect without quotes; the same after a rename. */
export function databaseName({ id, name, madeAs = name }: WorkspaceNames): string {
  return `${/^[a-z]/.test(madeAs) ? '' : 'w_'}${madeAs.replaceAll('-', '_')}_${id.replace(/^ws-/, '')}`
}
