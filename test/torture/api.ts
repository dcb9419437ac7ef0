/** The API for long: ten minutes of requests with listeners and idlers beside them, clients who never finish, and the long form of the fuzzing. */
import { headFor, idle, load, openLoadServer } from '../support/api-load.ts'
import { fuzzApi } from '../support/schemathesis.ts'

const LISTENERS = 50
const IDLE = 1_000
/** Memory and descriptors may end so far above where they were after the first minute; memory that was given back is no leak. */
const DRIFT = 0.05
const P99_MAX_MS = 20
/** Time limits of the server for a head and for a whole request, with how often it looks. */
const HEAD_MAX_MS = 14_000
const REQUEST_MAX_MS = 36_000

export interface Soaked {
  readonly figures: Readonly<Record<string, unknown>>
  readonly failures: readonly string[]
}

export async function soakApi(seconds: number): Promise<Soaked> {
  await using server = await openLoadServer(100)
  const failures: string[] = []
  const listen = headFor(server, 'GET /api/v1/events HTTP/1.1')
  for (let n = 0; n < LISTENERS; n++) await idle(server, listen)
  await load(server, 50, Math.min(60, seconds / 4))
  const first = await server.resources()
  const steady = await load(server, 50, seconds)
  const last = await server.resources()
  for (const key of ['rssMb', 'descriptors'] as const) {
    if (last[key] > first[key] * (1 + DRIFT)) failures.push(`${key} went from ${first[key]} to ${last[key]}`)
  }
  const idlers = await Promise.all(Array.from({ length: IDLE }, () => idle(server)))
  const quick = await load(server, 200, 10)
  if (quick.p99Ms > P99_MAX_MS)
    failures.push(`p99 was ${quick.p99Ms} ms at 200 requests a second, with ${IDLE} idle connections`)
  if (steady.refused + quick.refused > 0) failures.push(`${steady.refused + quick.refused} requests were refused`)
  const body = headFor(
    server,
    'POST /api/v1/workspaces HTTP/1.1',
    'Content-Type: application/json',
    'Content-Length: 500',
  )
  const [head, whole] = await Promise.all([
    idle(server, 'GET /api/v1/workspaces HTTP/1.1\r\nHost: ').then(({ ended }) => ended),
    idle(server, `${body}{`).then(({ ended }) => ended),
    ...idlers.map(({ ended }) => ended),
  ])
  if ((head ?? 0) > HEAD_MAX_MS) failures.push(`a head that never ends was waited for ${head} ms`)
  if ((whole ?? 0) > REQUEST_MAX_MS) failures.push(`a body that never ends was waited for ${whole} ms`)
  const { rssMb, descriptors } = last
  return {
    figures: {
      seconds,
      requests: steady.requests,
      p50: steady.p50Ms,
      p99: steady.p99Ms,
      p99at200: quick.p99Ms,
      rssMb,
      descriptors,
    },
    failures,
  }
}

export async function fuzzLong(seed: number, seconds: number): Promise<Soaked> {
  const phases = 'examples,coverage,fuzzing,stateful'
  const { code, stdout, crashes } = await fuzzApi({ seed, examples: 50, seconds, phases })
  const cases = /(\d+) generated/.exec(stdout)?.[1]
  const found = stdout.replace(/.{1000,}/g, (line) => `${line.slice(0, 1_000)} ...`)
  return { figures: { seed, seconds, cases }, failures: [...(code === 0 ? [] : [found]), ...crashes] }
}
