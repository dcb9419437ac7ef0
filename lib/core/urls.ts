/** Which published ports get a URL. Pure. */
import type { PortMapping } from './workspace.ts'

/** Ports of well-known services that speak something else: ssh, mail, DNS, databases, queues, debuggers. */
const NOT_HTTP = new Set([22, 25, 53, 1025, 1433, 1521, 3306, 5432, 5672, 6379, 9092, 9229, 11211, 26257, 27017])

/** True for a port that speaks HTTP as far as anyone can tell from its name and number. */
export function hasUrl(port: Pick<PortMapping, 'name' | 'protocol' | 'container'>): boolean {
  return port.protocol === 'tcp' && !['ssh', 'database', 'db'].includes(port.name) && !NOT_HTTP.has(port.container)
}
