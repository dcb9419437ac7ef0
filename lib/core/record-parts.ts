/** The parts of a record, for code that cannot do without one of them. Pure. */
import type { DockerPart, LocalPart, WorkspaceRecord } from './workspace.ts'

/** The folder of its code on this machine; null where that is elsewhere. */
export function worktreeOf({ local }: Pick<WorkspaceRecord, 'local'>): string | null {
  return local === null ? null : local.worktree
}

/** Where what runs inside begins: the worktree has the same path there. */
export function folderInside({ local }: Pick<WorkspaceRecord, 'local'>): string {
  return local?.worktree ?? '/'
}

/** @throws {Error} for a workspace whose code is elsewhere: only what its backend's `code` allows asks for this part */
export function localOf({ id, local }: Pick<WorkspaceRecord, 'id' | 'local'>): LocalPart {
  if (local === null) throw new Error(`${id} has no local files`)
  return local
}

/** @throws {Error} for a workspace of another backend: only the docker backend asks for this part */
export function dockerOf({ id, docker }: Pick<WorkspaceRecord, 'id' | 'docker'>): DockerPart {
  if (docker === undefined) throw new Error(`${id} does not run in containers`)
  return docker
}

/** With other fields of its docker part; as it is where it has none. */
export function withDocker<R extends Pick<WorkspaceRecord, 'docker'>>(record: R, fields: Partial<DockerPart>): R {
  return record.docker === undefined ? record : { ...record, docker: { ...record.docker, ...fields } }
}
