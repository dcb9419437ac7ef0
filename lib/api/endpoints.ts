/** All endpoints, as the server, the document and the tests have them. */
import type { Endpoint } from './endpoint.ts'
import { EVENTS } from './routes-events.ts'
import { LOOK } from './routes-look.ts'
import { WORKSPACES } from './routes-workspaces.ts'

export const ENDPOINTS: readonly Endpoint[] = [...LOOK, ...WORKSPACES, ...EVENTS]
