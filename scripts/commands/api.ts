/** serve status, serve stop, api, api token: the side of those who use the server. Loads nothing of it. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { apiPath, callSocket, REPOSITORY_HEADER } from '../../lib/api/client.ts'
import { loadToken, rotateToken, tokenFile } from '../../lib/api/entrance/token.ts'
import { findServer } from '../../lib/api/places.ts'
import { requireServer, stopServer } from '../../lib/api/start.ts'
import { ERROR_TABLE, type ErrorBody, NexusError } from '../../lib/core/errors.ts'
import { formatFields } from '../../lib/report/tables.ts'
import { findHere } from '../../lib/tools/repository.ts'
import type { Call, Run } from './command.ts'

export const status: Run = async ({ app }) => {
  const server = await findServer(app.home)
  if (server === undefined) return { data: { server: null }, text: 'nobody serves; `nexus serve` does' }
  const { pid, socket, port, startedAt, version } = server
  const fields = formatFields([
    ['process', String(pid)],
    ['socket', socket],
    ['port', port === null ? 'none' : String(port)],
    ['since', startedAt],
    ['version', version],
  ])
  return { data: { server: { pid, socket, port, startedAt, version } }, text: fields }
}

export const stop: Run = async ({ app }) => {
  const server = await stopServer(app)
  const text = server === undefined ? 'nobody serves' : `the server (process ${server.pid}) has ended`
  return { data: { stopped: server === undefined ? null : { pid: server.pid } }, text }
}

export const token: Run = async ({ app, args }) => {
  const [verb] = args
  if (verb !== 'show' && verb !== 'rotate') {
    throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(verb)} is not something to do with a token.`, {
      hint: 'To see it, run `nexus api token show`; to make another one, `nexus api token rotate`',
    })
  }
  const made = verb === 'show' ? await loadToken(app.home) : await rotateToken(app.home)
  return { data: { token: made, file: tokenFile(app.home) }, text: made }
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE']

export const api: Run = async (call) => {
  const path = apiPath(call.args[0] ?? '')
  const body = await bodyOf(call)
  const method = (call.value('method') ?? (body === undefined ? 'GET' : 'POST')).toUpperCase()
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
  const { status, text } = await callSocket(socket, { method, path, headers, body, signal, onPiece })
  if (status >= 400) throw errorOf(text)
  if (text === '') return { data: {}, text }
  const data = JSON.parse(text) as unknown
  return { data, text: JSON.stringify(data, null, 2) }
}

/** `--data` as typed, `@file`, or `-` for stdin. */
async function bodyOf(call: Call): Promise<string | undefined> {
  const given = call.value('data')
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
