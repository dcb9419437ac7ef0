/** All endpoints, as the server, the document and the tests have them. */
import type { Endpoint } from './endpoint.ts'
import { BY_HAND } from './routes-by-hand.ts'
import { CARE, TRASH } from './routes-care.ts'
import { EVENTS } from './routes-events.ts'
import { INSIDE } from './routes-inside.ts'
import { LOOK } from './routes-look.ts'
import { OPERATIONS } from './routes-operations.ts'
import { NETWORK, SETTINGS } from './routes-settings.ts'
import { WORK } from './routes-work.ts'
import { WORKSPACES } from './routes-workspaces.ts'

export const ENDPOINTS: readonly Endpoint[] = [
  ...LOOK,
  ...WORKSPACES,
  ...BY_HAND,
  ...INSIDE,
  ...WORK,
  ...NETWORK,
  ...TRASH,
  ...SETTINGS,
  ...CARE,
  ...OPERATIONS,
  ...EVENTS,
]

/** Verbs of the command line without an endpoint, each with the reason why. */
export const WITHOUT_ENDPOINT: Readonly<Record<string, string>> = {
  watch: 'events tell of every change, and POST /workspaces/{id}/rebuild does what --apply does',
  serve: 'it is this server',
  'serve status': 'who can ask is answered: GET /healthz',
  'serve stop': 'a server that ends by a request could be ended by whoever gets one through; it is a signal',
  api: 'it calls this server',
  'api token': 'the token is never given out over what it guards',
  completion: 'a script for the user’s own shell',
  complete: 'it completes words in that shell',
  help: 'GET /openapi.json is the help here',
}
