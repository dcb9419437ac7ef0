/**
 * The door: what is asked of every request, HTTP or WebSocket, before anything reads more of it than its head. In this
 * order: target, Host, Origin and Sec-Fetch-Site, method, token, Content-Type and length. Pure but for the throttle.
 *
 * No answer ever carries a CORS header, so that no web page can read one; and no page can send one either, as its browser
 * says where it comes from.
 */
import { NexusError } from '../../core/errors.ts'
import { Refusal } from '../failure.ts'
import { BODY_MAX_BYTES, tooLarge } from './body.ts'
import type { Throttle } from './throttle.ts'

export interface Head {
  readonly method: string
  /** As it came: path and query. */
  readonly target: string
  /** Name in lower case and value, as often as they came. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Where the request came in. On the unix socket the permissions of file and folder say who may. */
export type Entrance = { readonly kind: 'unix' } | { readonly kind: 'tcp'; readonly port: number }

export interface TokenCheck {
  readonly throttle: Throttle
  /** Compares in constant time. */
  isToken(given: string): boolean
}

const TARGET_MAX = 4_096
const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const METHODS = new Set(['GET', 'HEAD', ...MUTATING])
const SINGLE = ['host', 'origin', 'authorization', 'content-type', 'content-length', 'idempotency-key']

/** @throws {Refusal} */
export function requireAdmitted(head: Head, entrance: Entrance, check: TokenCheck): void {
  checkTarget(head.target)
  checkSingle(head)
  checkHost(head, entrance)
  checkSite(head)
  checkMethod(head)
  checkToken(head, entrance, check)
  checkExpect(head)
  checkContent(head)
}

function headerOf({ headers }: Head, wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1]
}

/** Encoded or not, nothing here is ever a way up, a second root or an end of text. */
export function checkTarget(target: string): void {
  const refuse = (what: string) => {
    throw new Refusal(400, `The path ${what}.`)
  }
  if (target.length > TARGET_MAX) throw new Refusal(414, `The path is longer than ${TARGET_MAX} characters.`)
  if (!target.startsWith('/')) refuse('does not begin with a slash')
  const path = target.split('?', 1)[0] ?? ''
  if (/[^\x21-\x7e]|[\\<>"{}|^`#]/.test(target)) refuse('holds characters that have to be percent-encoded')
  if (/%(?![0-9a-f]{2})/i.test(target)) refuse('has a % without two digits behind it')
  if (/%(0[0-9a-f]|1[0-9a-f]|7f)/i.test(path)) refuse('holds a control character')
  if (path.includes('//')) refuse('has an empty part')
  if (/(^|\/|%2f|%5c)(\.|%2e){1,2}(\/|%2f|%5c|$)/i.test(path)) refuse('has a part . or ..')
  try {
    decodeURIComponent(path)
  } catch {
    refuse('is not UTF-8 where it is percent-encoded')
  }
}

/** Two of them, and who reads the first and who reads the last would not mean the same request. */
function checkSingle(head: Head): void {
  for (const wanted of SINGLE) {
    if (head.headers.filter(([name]) => name === wanted).length > 1)
      throw new Refusal(400, `The header ${wanted} is given more than once.`)
  }
}

/** A name of another site that leads to this machine (DNS rebinding) is not ours; a missing one is nobody's. */
function checkHost(head: Head, entrance: Entrance): void {
  const host = headerOf(head, 'host')
  const names = entrance.kind === 'unix' ? ['localhost'] : hostsOf(entrance.port)
  if (host !== undefined && names.includes(host.toLowerCase())) return
  const said = host === undefined ? 'is missing' : `${JSON.stringify(host.slice(0, 100))} is not this server's`
  throw new Refusal(403, `The header Host ${said}; it is one of ${names.join(', ')}.`, {
    code: 'PERMISSION_DENIED',
    hint: 'To call it with the right one, use `nexus api <path>`',
  })
}

function hostsOf(port: number): readonly string[] {
  return ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`)
}

/** Only browsers send these, and no web page has anything to do here; there is none of our own. */
function checkSite(head: Head): void {
  const origin = headerOf(head, 'origin')
  const sites = head.headers.flatMap(([name, value]) => (name === 'sec-fetch-site' ? [value.trim().toLowerCase()] : []))
  if (origin === undefined && sites.every((site) => site === 'none' || site === 'same-origin')) return
  throw new Refusal(403, 'A web page may not use this server.', {
    code: 'PERMISSION_DENIED',
    hint: 'To call it from a program, leave Origin and Sec-Fetch-Site out, as `nexus api <path>` does',
  })
}

/** OPTIONS is what a browser asks before it sends for a foreign page. */
function checkMethod({ method }: Head): void {
  if (METHODS.has(method)) return
  if (method === 'OPTIONS') {
    throw new Refusal(403, 'OPTIONS is not answered: no web page may use this server.', { code: 'PERMISSION_DENIED' })
  }
  throw new Refusal(405, `The method ${method.slice(0, 20)} is not known.`, {
    headers: { Allow: [...METHODS].join(', ') },
  })
}

/**
 * On the unix socket none is needed, as who can open that can read the token's file as well; but a wrong one is wrong there
 * too. Whoever has the right one is let in however often others guessed.
 */
function checkToken(head: Head, entrance: Entrance, check: TokenCheck): void {
  const given = headerOf(head, 'authorization')
  if (given === undefined && entrance.kind === 'unix') return
  const token = /^bearer +([A-Za-z0-9_-]{1,200})$/i.exec(given ?? '')?.[1]
  if (token !== undefined && check.isToken(token)) return
  const { waitMs } = given === undefined ? { waitMs: 0 } : check.throttle.failed()
  if (waitMs > 0) {
    throw new Refusal(429, 'Too many wrong tokens were sent.', {
      code: 'AUTHENTICATION_FAILED',
      hint: HOW_TO_LOG_IN,
      headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
    })
  }
  throw new Refusal(401, given === undefined ? 'A token is needed here.' : 'The token is not right.', {
    code: 'AUTHENTICATION_FAILED',
    hint: HOW_TO_LOG_IN,
    headers: { 'WWW-Authenticate': 'Bearer realm="nexus"' },
  })
}

const HOW_TO_LOG_IN = 'To see the token for the header `Authorization: Bearer <token>`, run `nexus api token show`'

/** Nothing else that is expected is known, and what is expected is not to be left undone. */
function checkExpect(head: Head): void {
  const expect = headerOf(head, 'expect')
  if (expect === undefined || expect.trim().toLowerCase() === '100-continue') return
  throw new Refusal(417, `The header Expect is ${JSON.stringify(expect.slice(0, 100))}; only 100-continue is known.`)
}

/** What a form of a foreign page can send is never JSON. */
function checkContent(head: Head): void {
  if (!MUTATING.has(head.method)) return
  const length = headerOf(head, 'content-length')
  const hasBody = (length !== undefined && length !== '0') || headerOf(head, 'transfer-encoding') !== undefined
  const type = headerOf(head, 'content-type')
  if (type === undefined ? hasBody : !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) {
    const said = type === undefined ? 'none' : JSON.stringify(type.slice(0, 100))
    throw new Refusal(415, `The Content-Type has to be application/json, and it is ${said}.`)
  }
  const encoding = headerOf(head, 'content-encoding')
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new Refusal(
      415,
      `The body has to come as it is, and its Content-Encoding is ${JSON.stringify(encoding.slice(0, 100))}.`,
      {
        headers: { 'Accept-Encoding': 'identity' },
      },
    )
  }
  if (length !== undefined && Number(length) > BODY_MAX_BYTES) throw tooLarge()
}

interface Raw {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
}

/** The pairs of node's `rawHeaders`. */
export function headOf(request: Raw): Head {
  const headers = request.rawHeaders.flatMap((name, i) =>
    i % 2 === 0 ? [[name.toLowerCase(), request.rawHeaders[i + 1] ?? ''] as const] : [],
  )
  return { method: request.method ?? '', target: request.url ?? '', headers }
}

/** @throws {NexusError} INVALID_ARGUMENT for what is not a port to listen on; 0 is any */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1
  if (port === 0 || (port >= 1024 && port <= 65535)) return port
  throw new NexusError(
    'INVALID_ARGUMENT',
    `--port ${JSON.stringify(text)} is not a port: it is 0 for any, or 1024 to 65535.`,
    {
      hint: 'To have one chosen, run `nexus serve --port 0`',
    },
  )
}
