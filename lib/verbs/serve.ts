/** serve, serve status, serve stop: the server of the REST API. */
import { NexusError } from '../core/errors.ts'
import { formatFields } from '../report/tables.ts'
import { writeCrashLog } from '../system/store.ts'
import { option } from '../verb-form/fields.ts'
import { type CommandLine, verb } from '../verb-form/verb.ts'

const serve = verb({
  name: 'serve',
  group: 'configuration',
  effect: 'changes',
  summary: 'serve the REST API on a unix socket until interrupted; commands work beside it as ever',
  fields: { port: option('port', 'also on this port of the loopback address, with a token; 0 for any') },
  example: 'nexus serve --port 0',
  endless: true,
  run: async (call, { port }) => {
    const { app } = call
    const serving = await (call.cli as CommandLine).serve(port)
    const tell = (text: string) => app.emit({ type: 'notice', text })
    tell(`serving at ${serving.socket}; Ctrl-C ends it`)
    if (serving.port !== null) {
      tell(`serving at http://127.0.0.1:${serving.port}; \`nexus api token show\` prints the token for it`)
    }
    // a bug beside one request is kept for whoever reports it, and ends nobody else's
    process.on('unhandledRejection', (error) => writeCrashLog(app.home.logs, error))
    const { signal } = app.interruption
    const interrupted = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }))
    await Promise.race([interrupted, serving.lost])
    const left = await serving.stop()
    if (left > 0) tell(`${left} operations did not end in time; the next command repairs what they left`)
    signal.throwIfAborted()
    throw new NexusError('BACKEND_UNAVAILABLE', `${serving.socket} is gone or another's, so this server has ended.`, {
      hint: 'To serve again, run `nexus serve`',
    })
  },
})

const status = verb({
  name: 'serve status',
  group: 'configuration',
  effect: 'looks',
  summary: 'show whether the API is served, by which process and where',
  fields: {},
  example: 'nexus serve status',
  run: async ({ app }) => {
    const { findServer } = await import('../api/places.ts')
    const server = await findServer(app.home)
    if (server === undefined) return { data: { server: null }, text: 'nobody serves; `nexus serve` does' }
    const { pid, socket, port, startedAt, version } = server
    const at = port === null ? 'none' : String(port)
    const fields = Object.entries({ process: String(pid), socket, port: at, since: startedAt, version })
    return { data: { server: { pid, socket, port, startedAt, version } }, text: formatFields(fields) }
  },
})

const stop = verb({
  name: 'serve stop',
  group: 'configuration',
  effect: 'changes',
  summary: 'end the server; operations that run are interrupted and undone',
  fields: {},
  example: 'nexus serve stop',
  run: async ({ app }) => {
    const { stopServer } = await import('../api/start.ts')
    const server = await stopServer(app)
    const text = server === undefined ? 'nobody serves' : `the server (process ${server.pid}) has ended`
    return { data: { stopped: server === undefined ? null : { pid: server.pid } }, text }
  },
})

export const verbs = [serve, status, stop]

export const withoutEndpoint = {
  serve: 'it is this server',
  'serve status': 'who can ask is answered: GET /healthz',
  'serve stop': 'a server that ends by a request could be ended by whoever gets one through; it is a signal',
}
