/** What the endpoints of a verb are written with: the server hands it to each file of `lib/verbs`, which load none of it. */
import { z } from '@hono/zod-openapi'
import { type Endpoint, endpoint } from './endpoint.ts'
import * as sample from './samples.ts'
import * as shapes from './shapes.ts'
import * as statusShapes from './status-shapes.ts'
import { changing, refuseCurrent, settingsOf, via, workspaceOf } from './via.ts'

export const KIT = {
  z,
  endpoint,
  via,
  changing,
  settingsOf,
  workspaceOf,
  refuseCurrent,
  sample,
  ...shapes,
  ...statusShapes,
}

/** What a file of `lib/verbs` exports as `endpoints`. */
export type Endpoints = (kit: typeof KIT) => readonly Endpoint[]
