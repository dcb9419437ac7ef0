/** api and api token: the side of those who use the server. Loads nothing of it. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ERROR_TABLE, type ErrorBody, NexusError } from '../core/errors.ts'
import { findHere } from '../tools/repository.ts'
import { option, word } from '../verb-form/fields.ts'
import { type Call, verb } from '../verb-form/verb.ts'

const METHODS = ['GET', 'POST', 'PUT', 'DELETE']

const api = verb({
  name: 'api',
  group: 'configuration',
  effect: 'changes',
  summary: 'ask the REST API of this home, whose server is started when it does not run',
  fields: {
    path: word('such as /workspaces; /api/v1 may be left out'),
    method: option('method', 'GET, POST, PUT or DELETE; default: POST with --data, else GET', { short: 'X' }),
    data: option('json', 'the body; @file takes it from a file, - from stdin'),
  },
  example: 'nexus api /workspaces',
  run: async (call, { path: given, method: wanted, data: body }) => {
    const { apiPath, callSocket, REPOSITORY_HEADER } = await import('../api/client.ts')
    const { requireServer } = await import('../api/start.ts')
    const path = apiPath(given)
    const text = await readBody(call, body)
    const method = (wanted ?? (text === undefined ? 'GET' : 'POST')).toUpperCase()
    if (!METHODS.includes(method)) {
      throw new NexusError('INVALID_ARGUMENT', `--method ${JSON.stringify(method)} is none of ${METHODS.join(', ')}.`, {
        hint: 'To create a workspace, run `nexus api /workspaces -X POST --data \'{"name":"feature-auth"}\'`',
      })
    }
    const socket = await requireServer(call.app, call.program, call.version)
    const { signal } = call.app.interruption
    const onPiece = (piece: string) => call.print('stdout', piece)
    const root = findHere(call.cwd)?.root
    const headers = root === undefined ? {} : { [REPOSITORY_HEADER]: encodeURIComponent(root) }
    const answer = await callSocket(socket, { method, path, headers, body: text, signal, onPiece })
    if (answer.status >= 400) throw errorOf(answer.text)
    if (answer.text === '') return { data: {}, text: '' }
    const data = JSON.parse(answer.text) as unknown
    return { data, text: JSON.stringify(data, null, 2) }
  },
})

const token = verb({
  name: 'api token',
  group: 'configuration',
  effect: 'changes',
  summary: 'show the token that the API asks for on its port, or make another one',
  fields: { verb: word('show or rotate') },
  example: 'nexus api token show',
  run: async ({ app }, { verb: what }) => {
    if (what !== 'show' && what !== 'rotate') {
      throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(what)} is not something to do with a token.`, {
        hint: 'To see it, run `nexus api token show`; to make another one, `nexus api token rotate`',
      })
    }
    const { loadToken, rotateToken, tokenFile } = await import('../api/entrance/token.ts')
    const made = what === 'show' ? await loadToken(app.home) : await rotateToken(app.home)
    return { data: { token: made, file: tokenFile(app.home) }, text: made }
  },
})

/** `--data` as typed, `@file`, or `-` for stdin. */
async function readBody(call: Call, given: string | undefined): Promise<string | undefined> {
  if (given === undefined) return undefined
  if (given === '-') return readFile('/dev/stdin', 'utf8')
  if (!given.startsWith('@')) return given
  const file = resolve(call.cwd, given.slice(1))
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new NexusError('INVALID_ARGUMENT', `${file} cannot be read: ${(error as Error).message}.`, {
      hint: 'To give the body itself, use `--data \'{"name":"feature-auth"}\'`',
    })
  }
}

/** The server's own error, so that exit code and text are those of the command that does the same. */
function errorOf(text: string): NexusError {
  const { error } = JSON.parse(text) as ErrorBody
  const code = Object.hasOwn(ERROR_TABLE, error.code) ? error.code : 'INTERNAL'
  return new NexusError(code, error.message, { hint: error.hint ?? undefined, details: error.details })
}

export const verbs = [api, token]

export const withoutEndpoint = {
  api: 'it calls this server',
  'api token': 'the token is never given out over what it guards',
}
