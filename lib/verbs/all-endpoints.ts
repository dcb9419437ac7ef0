/** All endpoints, as the server, the document and the tests have them. Only the server loads it. */
import { files } from 'folder:endpoints'
import type { Endpoint } from '../api/endpoint.ts'
import { KIT } from '../api/kit.ts'

/** Files of this folder in the order of the document; one that is not named here comes last. */
const ORDER = [
  'list status current ssh ports top repositories up start-stop rebuild pause delete rename adopt repair',
  'exec logs services cp exec-several run keys ssh-config diff log compare pull push merge network trash config trust init',
  'doctor gc prune version operations events',
]
  .join(' ')
  .split(' ')

const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)

export const ENDPOINTS: readonly Endpoint[] = [...files]
  .sort((a, b) => rank(a.name) - rank(b.name))
  .flatMap(({ endpoints }) => endpoints?.(KIT) ?? [])

/** Verbs of the command line without an endpoint, each with the reason why. */
export const WITHOUT_ENDPOINT: Readonly<Record<string, string>> = Object.assign(
  {},
  ...files.map(({ withoutEndpoint }) => withoutEndpoint ?? {}),
)
