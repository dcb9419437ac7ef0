/** Which published ports get a URL. Pure. */
import type { PortMapping } from './workspace.ts'

/** True for a port that speaks HTTP as far as anyone can tell from its name. */
export function hasUrl(port: Pick<PortMapping, 'name' | 'protocol'>): boolean {
  return port.protocol === 'tcp' && !['ssh', 'database', 'db'].includes(port.name)
}
