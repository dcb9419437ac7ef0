/**
 * The built ssh-proxy.js between two pipes and a server of the test's: what arrives, in which order things end, and what is said where
 * there is nothing to connect to. Nothing here starts a workspace; test/scenario/alias.test.ts does.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { newWorkspaceId } from '../../lib/core/names.ts'
import { makeRecord } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

const PROXY = join(process.cwd(), 'dist', 'ssh-proxy.js')
const BANNER = 'SSH-2.0-Test\r\n'
const MEGABYTE = 1024 * 1024
/** What a proxy that kept what it cannot pass on would have grown by is a multiple of this. */
const GROWTH_MAX_KB = 60_000

interface Rig extends AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams
  readonly socket: Socket
  /** Code and all that came out. */
  readonly ended: Promise<{ readonly code: number | null; readonly length: number }>
  /** Lets what comes out be read. */
  read(): void
}

/** The proxy, connected to a server that has said its banner. */
async function openRig(): Promise<Rig> {
  const dir = await tempDir()
  const id = newWorkspaceId()
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const folder = join(dir.path, 'workspaces', id)
  await mkdir(folder, { recursive: true })
  const door = { name: 'ssh', container: 22, host: port, protocol: 'tcp' } as const
  const record = makeRecord('x', '/r', { id, desired: 'running', ports: [door] })
  await writeFile(join(folder, 'workspace.json'), JSON.stringify(record))
  const child = spawn(process.execPath, [PROXY, id], { env: { ...process.env, NEXUS_HOME: dir.path } })
  child.stdin.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  socket.on('error', () => {}).write(BANNER)
  let length = 0
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, length }))
  return {
    child,
    socket,
    ended,
    read: () => {
      child.stdout.on('data', (chunk: Buffer) => {
        length += chunk.length
      })
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      socket.destroy()
      server.close()
      await dir[Symbol.asyncDispose]()
    },
  }
}

/** At its most. */
async function residentKb({ pid }: ChildProcessWithoutNullStreams): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
}

suite('ssh-proxy', (test) => {
  test('passes on all that the server said before it ended, and then ends', async () => {
    await using rig = await openRig()
    rig.read()
    rig.socket.end(Buffer.alloc(3 * MEGABYTE))
    assert.equal(await rig.ended, { code: 0, length: BANNER.length + 3 * MEGABYTE })
  })

  test('after its client has closed its side, what the server still says arrives', async () => {
    await using rig = await openRig()
    rig.read()
    const got = once(rig.socket, 'data')
    rig.child.stdin.end('the last word')
    assert.is(String((await got)[0]), 'the last word')
    await once(rig.socket, 'end')
    rig.socket.end(Buffer.alloc(MEGABYTE))
    assert.equal(await rig.ended, { code: 0, length: BANNER.length + MEGABYTE })
  })

  test('waits for a slow reader without keeping what is on its way', async () => {
    await using rig = await openRig()
    await eventually(() => rig.child.stdout.readableLength > 0)
    const before = await residentKb(rig.child)
    const chunk = Buffer.alloc(MEGABYTE)
    for (let sent = 0; sent < 400; sent++) rig.socket.write(chunk)
    let left = 0
    await eventually(() => {
      const stands = rig.socket.writableLength === left
      left = rig.socket.writableLength
      return stands
    })
    assert.ok(left > 300 * MEGABYTE, `only ${left} bytes wait on the server's side`)
    rig.read()
    await eventually(() => rig.socket.writableLength === 0, { timeoutMs: 30_000 })
    assert.ok((await residentKb(rig.child)) - before < GROWTH_MAX_KB)
    rig.socket.end()
    const { code, length } = await rig.ended
    assert.equal([code, length], [0, BANNER.length + 400 * MEGABYTE])
  }, 60_000)

  test('ends with its reader, and is not ended by a key meant for another session', async () => {
    await using rig = await openRig()
    rig.read()
    rig.socket.write('more')
    await once(rig.child.stdout, 'data')
    for (const signal of ['SIGINT', 'SIGHUP'] as const) rig.child.kill(signal)
    rig.socket.write('and more')
    await once(rig.child.stdout, 'data')
    rig.child.stdout.destroy()
    rig.socket.write('for nobody')
    assert.is((await rig.ended).code, 0)
  })

  test('says what it is for, and what is gone', async () => {
    await using dir = await tempDir()
    const run = (...args: string[]) => runProcess([process.execPath, PROXY, ...args], { env: { NEXUS_HOME: dir.path } })
    for (const args of [[], ['x'], ['ws-../../x']]) {
      const { code, stderr, stdout } = await run(...args)
      assert.equal([code, stdout], [255, ''])
      assert.match(stderr, /^nexus: error: This is called by ssh.*\nnexus: {3}To .*`nexus ssh <name>`\n$/)
    }
    const gone = await run(newWorkspaceId())
    assert.is(gone.code, 255)
    assert.match(
      gone.stderr,
      /^nexus: error: There is no workspace ws-\w{8} any more\.\nnexus: {3}To .*`nexus list --all`\n$/,
    )
  })
})
