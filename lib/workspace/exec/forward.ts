/**
 * `forward`: ports of this machine's loopback that lead to ports as they are reached from inside a workspace, until it is
 * interrupted. A port has the number that it has inside where that is free here, else one of a block that is leased for as long as
 * this process lives.
 */
import type { Backend, SshFacet } from '../../backends/backend.ts'
import { capture } from '../../backends/captured.ts'
import { requireFacet } from '../../backends/facets.ts'
import { NexusError } from '../../core/errors.ts'
import { newWorkspaceId } from '../../core/names.ts'
import type { Forward, Forwarding } from '../../core/session.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { BLOCK_SIZE, portAt } from '../../ports/blocks.ts'
import { describePortOwner } from '../../ports/owner.ts'
import { isPortFree } from '../../system/net.ts'
import { ownIdentity } from '../../system/process.ts'
import type { App } from '../app.ts'
import { observeOne } from '../observe.ts'
import { connectionLost, goInside } from './inside.ts'

const LOWEST_PORT = 1024
/** How often a port may be taken between the look at it and ssh's own bind. */
const ATTEMPTS = 5
const REFUSALS_APART_MS = 10_000
const LOOK_UP_TIMEOUT_MS = 15_000
const TAKEN = /Address already in use|cannot listen to port/

/** What was asked for; `local` is null where any port of this machine will do. */
export interface WantedForward {
  readonly local: number | null
  readonly host: string
  readonly port: number
}

export interface ForwardRequest {
  readonly wanted: readonly WantedForward[]
  /** Called once every port listens. */
  readonly onListening: (record: WorkspaceRecord, forwards: readonly Forward[]) => Promise<unknown>
}

/**
 * `3000`, `8080:3000`, `db:5432` for a service as it is reached from inside, or `15432:db:5432`.
 * @throws {NexusError} INVALID_ARGUMENT
 */
export function parseForward(text: string): WantedForward {
  const match = /^(?:(\d{1,5}):)?(?:(?=[\w.-]*[A-Za-z.])(\w[\w.-]*):)?(\d{1,5})$/.exec(text)
  const [, local, host = 'localhost', port] = match ?? []
  if (/\budp\b/i.test(text) && match === null) {
    throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(text)} is not forwarded: SSH carries TCP alone.`, {
      hint: 'To reach a UDP port of a service, publish it in the compose file: `ports: ["5353/udp"]`',
    })
  }
  const numbers = [Number(port ?? 0), Number(local ?? 1)]
  if (numbers.some((number) => number < 1 || number > 65_535)) {
    throw new NexusError('INVALID_ARGUMENT', `${JSON.stringify(text)} is not a port to forward.`, {
      hint: 'To reach port 3000, or 5432 of the service db, use `nexus forward <name> 3000 db:5432`',
    })
  }
  if (local !== undefined && Number(local) < LOWEST_PORT) {
    throw new NexusError('INVALID_ARGUMENT', `Port ${local} of this machine is below ${LOWEST_PORT}.`, {
      hint: `To use one that every user may have, write \`${Number(local) + 8000}:${text.slice(local.length + 1)}\``,
    })
  }
  return { local: local === undefined ? null : Number(local), host, port: Number(port) }
}

/** Which port of this machine each would get now; null for a leased one. Nothing is changed. */
export async function planForward(app: App, found: WorkspaceRecord, wanted: readonly WantedForward[]) {
  const { record, backend } = await enter(app, found, wanted)
  await requireHosts(app, backend, record, wanted)
  const ports = await choosePorts(app, wanted)
  return wanted.map(({ host, port }, i) => ({ local: ports[i] ?? null, host, port }))
}

/**
 * Goes on until the operation is interrupted.
 * @throws {NexusError} PORT_CONFLICT for a port that was asked for and is taken; INVALID_ARGUMENT for a service that is not reached;
 * CONTAINER_ERROR, WORKSPACE_NOT_RUNNING when the connection is lost
 */
export async function forwardPorts(app: App, found: WorkspaceRecord, request: ForwardRequest): Promise<never> {
  const { wanted, onListening } = request
  const { record, backend, ssh } = await enter(app, found, wanted)
  await requireHosts(app, backend, record, wanted)
  const leases = createBlocks(app, backend, record)
  try {
    const { forwards, forwarding } = await listen(app, record, ssh, wanted, leases)
    try {
      await onListening(record, forwards)
      await untilEnd(app, record, backend, forwarding)
    } finally {
      forwarding.end()
    }
    app.interruption.signal.throwIfAborted()
    return await connectionLost(app, record, await forwarding.ended)
  } finally {
    await leases.release()
  }
}

async function enter(app: App, found: WorkspaceRecord, wanted: readonly WantedForward[]) {
  const ssh = await requireFacet(app, await app.backend(found.backend), 'ssh', 'forwarding')
  const twice = wanted.find(({ local }, i) => local !== null && wanted.findIndex((one) => one.local === local) !== i)
  if (twice !== undefined) {
    const host = twice.host === 'localhost' ? '' : `${twice.host}:`
    throw new NexusError('INVALID_ARGUMENT', `Port ${twice.local} of this machine is asked for twice.`, {
      hint: `To have another one chosen, use \`nexus forward ${found.name} ${host}${twice.port}\``,
    })
  }
  return { ...(await goInside(app, found)), ssh }
}

/** Names are looked up inside, where ssh's server will do it for each connection. */
async function requireHosts(
  app: App,
  backend: Backend,
  record: WorkspaceRecord,
  wanted: readonly WantedForward[],
): Promise<void> {
  const hosts = [...new Set(wanted.map(({ host }) => host))].filter((host) => host !== 'localhost')
  for (const host of hosts) {
    const request = { argv: ['getent', 'ahosts', host], cwd: '/', env: {}, timeoutMs: LOOK_UP_TIMEOUT_MS }
    if ((await capture(app, backend, record, request)).code !== 2) continue
    throw new NexusError('INVALID_ARGUMENT', `Nothing is called ${JSON.stringify(host)} inside ${record.name}.`, {
      hint: `To see its services, run \`nexus status ${record.name}\``,
      details: { host },
    })
  }
}

/** @throws {NexusError} PORT_CONFLICT */
async function choosePorts(app: App, wanted: readonly WantedForward[]): Promise<readonly (number | null)[]> {
  const leased = await (await app.leases()).list()
  const isLeased = (port: number) => leased.some(({ base }) => port >= base && port < base + BLOCK_SIZE)
  const chosen: (number | null)[] = wanted.map(({ local }) => local)
  for (const [i, { local, port }] of wanted.entries()) {
    if (local !== null && !(await isPortFree(local))) throw await refuseTaken(app, local)
    if (local !== null || port < LOWEST_PORT || chosen.includes(port) || isLeased(port)) continue
    if (await isPortFree(port)) chosen[i] = port
  }
  return chosen
}

async function refuseTaken(app: App, port: number): Promise<NexusError> {
  const owner = await describePortOwner(app.runner, port)
  return new NexusError(
    'PORT_CONFLICT',
    `Port ${port} of this machine is taken${owner === undefined ? '' : ` by ${owner}`}.`,
    {
      hint: 'To have another one chosen, leave it out: `nexus forward <name> <port inside>`',
      details: { port },
    },
  )
}

type Blocks = ReturnType<typeof createBlocks>

/** Ports of blocks that are leased to this process under an id of its own. */
function createBlocks(app: App, backend: Backend, record: WorkspaceRecord) {
  const owner = newWorkspaceId()
  let isTaken = false
  return {
    take: async (count: number, refused: string | undefined): Promise<readonly number[]> => {
      const range = backend.endpoints.leased?.((await app.config()).settings.ssh.portRange)
      if (range === undefined) throw new Error(`backend ${backend.name} has no ports here`)
      const offsets = Array.from({ length: count }, (_, offset) => offset)
      const names = { name: `${record.name}, forwarded`, repo: record.repo }
      const request = { workspace: owner, ...names, range, offsets, holder: ownIdentity() }
      const leases = await app.leases()
      isTaken = true
      const bases = refused === undefined ? await leases.acquire(request) : await leases.exchange(request, refused)
      return offsets.map((offset) => portAt(bases, offset))
    },
    release: async () => {
      if (isTaken) await (await app.leases()).release(owner)
    },
  }
}

async function listen(
  app: App,
  record: WorkspaceRecord,
  ssh: SshFacet,
  wanted: readonly WantedForward[],
  blocks: Blocks,
): Promise<{ readonly forwards: readonly Forward[]; readonly forwarding: Forwarding }> {
  let refused: string | undefined
  for (let attempt = 1; ; attempt++) {
    app.interruption.signal.throwIfAborted()
    const chosen = await choosePorts(app, wanted)
    const lacking = chosen.filter((port) => port === null).length
    const more = lacking === 0 ? [] : [...(await blocks.take(lacking, refused))]
    const forwards = wanted.map(({ host, port }, i) => ({ local: chosen[i] ?? more.shift() ?? 0, host, port }))
    const forwarding = await ssh.forward(record, forwards, tellRefused(app, record))
    const onAbort = () => forwarding.end()
    app.interruption.signal.addEventListener('abort', onAbort, { once: true })
    const isListening = await forwarding.listening
    app.interruption.signal.removeEventListener('abort', onAbort)
    if (isListening) return { forwards, forwarding }
    const said = await forwarding.ended
    app.interruption.signal.throwIfAborted()
    if (!TAKEN.test(said) || attempt === ATTEMPTS) return connectionLost(app, record, said)
    refused = said
  }
}

/** A browser alone makes many connections: they are told of once in a while. */
function tellRefused(app: App, { name }: WorkspaceRecord): (why: string) => void {
  let quietUntil = 0
  return (why) => {
    if (Date.now() < quietUntil) return
    quietUntil = Date.now() + REFUSALS_APART_MS
    const hint = `To see what listens there, run \`nexus exec ${name} -- ss -ltn\``
    app.emit({ type: 'warning', text: `a connection was not taken inside ${name}: ${why}`, hint })
  }
}

/** Resolves when the connection is lost, the workspace is paused, or the operation is interrupted. */
async function untilEnd(app: App, record: WorkspaceRecord, backend: Backend, forwarding: Forwarding): Promise<void> {
  const { signal } = app.interruption
  const over = new AbortController()
  const aborted = new Promise<void>((done) => {
    if (signal.aborted) done()
    signal.addEventListener('abort', () => done(), { once: true, signal: over.signal })
  })
  try {
    await Promise.race([forwarding.ended, aborted, untilPaused(app, record, backend, over.signal)])
  } finally {
    over.abort()
  }
}

/** What is paused keeps its connections, so that ssh would miss it for 15 s: the engine tells at once. */
function untilPaused(app: App, record: WorkspaceRecord, backend: Backend, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    let looks = Promise.resolve()
    const look = async () => {
      if (!signal.aborted && (await observeOne(app, record)).state === 'paused') done()
    }
    const onChange = () => {
      looks = looks.then(look).catch(fail)
    }
    backend.lifecycle.watch({ onChange, onReach: () => undefined }, signal).catch(fail)
  })
}
