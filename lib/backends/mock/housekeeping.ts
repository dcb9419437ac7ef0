/** Leftovers and disk use of the mock backend: entries of its state file, and the folders that stand for an inside. */
import { join } from 'node:path'
import type { WorkspaceId } from '../../core/names.ts'
import type { Observation } from '../../core/workspace.ts'
import { listFolder } from '../../system/store.ts'
import { measureFolder } from '../../tools/disk.ts'
import type { BackendContext } from '../context.ts'
import type { Housekeeping } from '../housekeeping.ts'

interface MockStore {
  observe(): Promise<ReadonlyMap<WorkspaceId, Observation>>
  forget(id: string): Promise<void>
}

export function createMockHousekeeping(context: BackendContext, { observe, forget }: MockStore): Housekeeping {
  const folder = join(context.home.cache, 'mock')

  async function list(): Promise<readonly string[]> {
    return [...new Set<string>([...(await observe()).keys(), ...(await listFolder(folder))])]
  }

  return {
    checks: () => [],
    leftovers: async (needed, sizes) => {
      const found = await list()
      const { ids } = await needed()
      const gone = found.filter((id) => !ids.has(id))
      return Promise.all(
        gone.map(async (id) => {
          const bytes = sizes ? await measureFolder(context.runner, join(folder, id)) : null
          return { kind: 'workspace', name: id, sort: 'part', cause: `workspace ${id} is gone`, bytes } as const
        }),
      )
    },
    remove: async (leftovers) => {
      for (const { name } of leftovers) await forget(name)
    },
    published: async () => new Map(),
    usage: async () => {
      const used = (await list()).map(async (id) => {
        const layers = await measureFolder(context.runner, join(folder, id))
        return [id as WorkspaceId, { layers, volumes: 0 }] as const
      })
      return new Map(await Promise.all(used))
    },
  }
}
