/** All endpoints, as the server, the document and the tests have them. */
import type { Endpoint } from './endpoint.ts'
import { BY_HAND } from './routes/by-hand.ts'
import { CARE, TRASH } from './routes/care.ts'
import { DOORS } from './routes/doors.ts'
import { EVENTS } from './routes/events.ts'
import { INSIDE } from './routes/inside.ts'
import { LOOK } from './routes/look.ts'
import { OPERATIONS } from './routes/operations.ts'
import { RUN } from './routes/run.ts'
import { NETWORK, SETTINGS } from './routes/settings.ts'
import { WORK } from './routes/work.ts'
import { WORKSPACES } from './routes/workspaces.ts'

export const ENDPOINTS: readonly Endpoint[] = [
  ...LOOK,
  ...WORKSPACES,
  ...BY_HAND,
  ...INSIDE,
  ...RUN,
  ...DOORS,
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
  forward:
    'it holds ports of this machine for as long as a terminal is open; GET /workspaces/{id}/ports has those that stay',
  tmux: 'it attaches a terminal; POST /workspaces/{id}/exec runs tmux as well',
  open: 'it opens a window on the user’s screen, where a server has none; GET /workspaces/{id}/ssh has what an editor needs',
  watch: 'events tell of every change, and POST /workspaces/{id}/rebuild does what --apply does',
  serve: 'it is this server',
  'serve status': 'who can ask is answered: GET /healthz',
  'serve stop': 'a server that ends by a request could be ended by whoever gets one through; it is a signal',
  api: 'it calls this server',
  'api token': 'the token is never given out over what it guards',
  wake: 'the aliases of ssh call it; for everybody else there is POST /workspaces/{id}/start',
  completion: 'a script for the user’s own shell',
  complete: 'it completes words in that shell',
  help: 'GET /openapi.json is the help here',
}
