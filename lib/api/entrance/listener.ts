/**
 * One listening socket: limits on time, size and number, the door, the log, and an end that lets running requests finish.
 * The only file that makes an HTTP server.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { type Failure, failureOf, Refusal } from '../failure.ts'
import { type Entrance, headOf, requireAdmitted, type TokenCheck } from './checks.ts'

/** Until the head of a request is here, and until all of it is. */
const HEAD_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_MS = 5_000
const CHECK_EVERY_MS = 2_000
const HEAD_MAX_BYTES = 16 * 1024
const CONNECTIONS_MAX = 2_048
/** For what comes of a body that is refused. */
const LINGER_MS = 2_000

/** Takes over a connection that asks for another protocol, once it was let in; false when it is not for this one. */
export type HandleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean

export interface ListenerOptions {
  readonly entrance: Entrance
  /** For `listen` of node:net. */
  readonly where: object
  readonly api: Hono
  readonly check: TokenCheck
  /** Before the token is compared. */
  readonly refresh: () => Promise<void>
  readonly log: (line: Record<string, unknown>) => void
  readonly logOf: (error: unknown) => string
  readonly upgrade?: HandleUpgrade | undefined
}

export interface Listener {
  readonly port: number
  /** Takes no more, and ends what is still open after so long. */
  close(patienceMs: number): Promise<void>
}

interface Open {
  readonly sockets: Set<Duplex>
  /** That are being answered, or would be if they were all here. */
  readonly requests: Set<IncomingMessage>
}

export async function createListener(options: ListenerOptions): Promise<Listener> {
  const { entrance, where, api, upgrade } = options
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    maxHeaderSize: HEAD_MAX_BYTES,
    requireHostHeader: false, // the door says it better
  })
  server.maxConnections = CONNECTIONS_MAX
  const open: Open = { sockets: new Set(), requests: new Set() }
  const answer = getRequestListener(api.fetch, { overrideGlobalObjects: false })
  const take = async (request: IncomingMessage, response: ServerResponse, whenIn = () => {}) => {
    request.socket.setTimeout(0)
    open.requests.add(request)
    response.once('close', () => open.requests.delete(request))
    note(options, request, response)
    const failure = await refusalOf(options, request)
    if (failure !== undefined) return refuse(request, response, failure)
    whenIn()
    await answer(request, response)
  }
  server.on('connection', (socket) => {
    socket.setTimeout(HEAD_TIMEOUT_MS, () => socket.destroy())
    open.sockets.add(socket)
    socket.once('close', () => open.sockets.delete(socket))
  })
  server.on('request', (request, response) => void take(request, response))
  server.on('checkContinue', (request, response) => void take(request, response, () => response.writeContinue()))
  server.on('checkExpectation', (request, response) => void take(request, response))
  server.on('connect', (request, socket, head) => void takeOver(options, request, socket, head, undefined))
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade?.trim().toLowerCase() === 'websocket') {
      open.sockets.delete(socket) // whoever takes it over ends it
      void takeOver(options, request, socket, head, upgrade)
    } else stayHttp(server, request, socket, head)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseBroken(error, socket))
  await listen(server, where)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  if (entrance.kind === 'tcp') Object.assign(entrance, { port })
  return { port, close: (patienceMs) => close(server, open, patienceMs) }
}

function listen(server: Server, where: object): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail)
    // as many as may be open: while we are busy, the kernel must not turn clients away, who then wait for seconds
    server.listen({ ...where, backlog: CONNECTIONS_MAX }, () => {
      server.off('error', fail)
      done()
    })
  })
}

async function refusalOf(options: ListenerOptions, request: IncomingMessage): Promise<Failure | undefined> {
  try {
    await options.refresh()
    requireAdmitted(headOf(request), options.entrance, options.check)
    return undefined
  } catch (error) {
    return failureOf(error, options.logOf)
  }
}

/**
 * The connection ends too: whoever is refused does not get to send more over it. It ends a moment later where a body is still coming, as
 * who sends into a closed connection does not get to read why.
 */
function refuse(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Failure): void {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, { ...HEADERS, ...headers, 'Content-Length': Buffer.byteLength(text) })
  if (request.method === 'HEAD') return void response.end()
  response.write(text)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, LINGER_MS)
  request.once('end', end).once('close', end).resume()
}

const HEADERS = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  Connection: 'close',
}

async function takeOver(
  options: ListenerOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  upgrade: HandleUpgrade | undefined,
): Promise<void> {
  request.socket.setTimeout(0)
  socket.on('error', () => socket.destroy())
  const failure = await refusalOf(options, request)
  if (failure === undefined && upgrade?.(request, socket, head) === true) return
  const nothing = new Refusal(404, 'There is nothing here that speaks another protocol.')
  writeRaw(socket, failure ?? failureOf(nothing, options.logOf))
}

/**
 * Clients that would rather speak HTTP/2 offer that with their first request, curl's `--http2` and Java's own among them. Who does not
 * take it answers as if nothing was offered; node has let go of the connection by then, and gets it anew without the offer.
 */
function stayHttp(
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const offers = ['upgrade', 'http2-settings']
  const kept = (value = '') => value.split(',').filter((word) => !offers.includes(word.trim().toLowerCase()))
  const lines = rawHeaders.flatMap((name, i) => {
    if (i % 2 === 1 || offers.includes(name.toLowerCase())) return []
    return [`${name}: ${name.toLowerCase() === 'connection' ? kept(rawHeaders[i + 1]).join(',') : rawHeaders[i + 1]}`]
  })
  const text = [`${method} ${url} HTTP/${httpVersion}`, ...lines, '', ''].join('\r\n')
  socket.unshift(Buffer.concat([Buffer.from(text, 'latin1'), head]))
  server.emit('connection', socket)
}

/** What is not HTTP, or came too slowly. `reason` is the parser's own word for it. */
function refuseBroken(error: NodeJS.ErrnoException & { readonly reason?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const [status, text] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, `The head of the request is larger than ${HEAD_MAX_BYTES} bytes.`]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'The request took too long to come.']
        : [400, `This is not a request of HTTP/1.1${error.reason === undefined ? '' : `: ${error.reason}`}.`]
  writeRaw(
    socket,
    failureOf(new Refusal(Number(status), String(text)), () => ''),
  )
}

function writeRaw(socket: Duplex, { status, headers, body }: Failure): void {
  const text = `${JSON.stringify(body)}\n`
  const lines = Object.entries({ ...HEADERS, ...headers, 'Content-Length': Buffer.byteLength(text) })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} Refused\r\n${head}\r\n${text}`)
}

/** Reads leave a line only when they fail or are slow. Neither bodies nor headers nor queries are written. */
function note({ entrance, log }: ListenerOptions, request: IncomingMessage, response: ServerResponse): void {
  const began = performance.now()
  response.once('close', () => {
    const ms = Math.round(performance.now() - began)
    const quiet = ['GET', 'HEAD'].includes(request.method ?? '') && response.statusCode < 400 && ms < 1_000
    if (quiet) return
    const path = (request.url ?? '').split('?', 1)[0]?.slice(0, 300)
    const gone = response.writableFinished ? {} : { gone: true }
    log({
      event: 'request',
      by: entrance.kind,
      method: request.method,
      path,
      status: response.headersSent ? response.statusCode : null,
      ms,
      ...gone,
    })
  })
}

/** Once it closes, node waits for requests that never come whole: what is not being answered is cut here. */
async function close(server: Server, { sockets, requests }: Open, patienceMs: number): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()))
  const answered = new Set<Duplex>([...requests].flatMap(({ complete, socket }) => (complete ? [socket] : [])))
  for (const socket of sockets) if (!answered.has(socket)) socket.destroy()
  const timer = setTimeout(() => server.closeAllConnections(), patienceMs)
  await closed
  clearTimeout(timer)
}
