/**
 * Which canonical ports (`ports.<name>.host`, such as 3000) of a workspace are published beside the leased ones: those that are free.
 * Of an agent's workspace only those that the user's own configuration names: a program of the user's that looks for the user's own
 * server at a well-known port would talk to the agent, and a browser would send it the cookies of that place.
 */
import type { Settings } from '../../config/load.ts'
import type { PortMapping, WorkspaceRecord } from '../../core/workspace.ts'
import { describePortOwner } from '../../ports/owner.ts'
import { isPortFree } from '../../system/net.ts'
import type { App } from '../app.ts'

/**
 * Tells why a port is left out: a warning names its owner.
 * @param user the user's own settings
 */
export async function withCanonical(
  app: App,
  own: WorkspaceRecord,
  ports: readonly PortMapping[],
  user: Pick<Settings, 'ports'>,
): Promise<readonly PortMapping[]> {
  const may = allowedTo(own, user)
  return Promise.all(
    ports.map(async ({ canonical, ...port }) => {
      if (canonical === undefined) return port
      if (!may(canonical)) {
        app.emit(leftOut(own, port, canonical))
        return port
      }
      const kept = own.ports.some((one) => one.canonical === canonical)
      if (kept || (await isPortFree(canonical))) return { ...port, canonical }
      const holder = (await app.records.list()).find((record) =>
        record.ports.some((one) => one.canonical === canonical),
      )
      const owner = holder === undefined ? await describePortOwner(app.runner, canonical) : `workspace ${holder.name}`
      const text = `port ${canonical} is taken${owner === undefined ? '' : ` by ${owner}`}; ${port.name} is reached at ${port.host} alone`
      app.emit({ type: 'warning', text })
      return port
    }),
  )
}

function allowedTo({ isolation }: WorkspaceRecord, { ports }: Pick<Settings, 'ports'>): (port: number) => boolean {
  if (isolation !== 'agent') return () => true
  const named = new Set([...ports.values()].map(({ host }) => host))
  return (port) => named.has(port)
}

function leftOut({ name }: WorkspaceRecord, port: PortMapping, canonical: number) {
  const inside = port.service === undefined ? `${port.container}` : `${port.service}:${port.container}`
  const why = 'programs of yours could take an agent for your own server there'
  const way = `${port.name} is reached at ${port.host}, or with \`nexus forward ${name} ${canonical}:${inside}\``
  return { type: 'notice', text: `port ${canonical} is not published, as ${why}; ${way}` } as const
}
