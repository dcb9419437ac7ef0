/**
 * The filter before the user's ssh agent, by OpenSSH's own programs on both sides of it: keys are listed and sign, and nothing else
 * gets through, whatever bytes come.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { createInterruption } from '../../lib/core/interruption.ts'
import { agentTrouble, lookAtAgent } from '../../lib/ssh/ssh-agent/agent-client.ts'
import { hostAgentFilter } from '../../lib/ssh/ssh-agent/agent-filter.ts'
import { resolveAgentKeys } from '../../lib/ssh/ssh-agent/agent-keys.ts'
import { openAgent } from '../../lib/ssh/ssh-agent/agent-place.ts'
import {
  createCutter,
  fingerprintOf,
  frame,
  parseIdentities,
  plainKey,
} from '../../lib/ssh/ssh-agent/agent-protocol.ts'
import { agentSocketPath } from '../../lib/ssh/ssh-agent/agent-socket.ts'
import { findOwnAgent } from '../../lib/ssh/ssh-agent/own-agent.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { startAgent, startSilent, type TestAgent } from '../support/agent.ts'
import { eventually } from '../support/eventually.ts'
import { FUZZ } from '../support/fuzz.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

const runner = createRunner(() => {}, process.env, createInterruption())
const FAILURE = Buffer.from([0, 0, 0, 1, 5])

async function hosted(agent: TestAgent, folder: string, words: readonly string[] = []) {
  const socketPath = join(folder, 'filter')
  const allowed = await resolveAgentKeys(words, { HOME: folder })
  const { close } = await hostAgentFilter({ socketPath, upstream: agent.socketPath, allowed })
  return { socketPath, [Symbol.asyncDispose]: close }
}

/** Signs with a key that the agent at the socket holds; the exit code of `ssh-keygen -Y sign`. */
async function sign(socketPath: string, publicKey: string): Promise<number> {
  const argv = ['ssh-keygen', '-q', '-Y', 'sign', '-n', 'git', '-f', publicKey]
  return (await runProcess(argv, { env: { SSH_AUTH_SOCK: socketPath }, input: 'text' })).code
}

/** All that comes back for bytes; ends when the other side ends, or after so many bytes. */
function exchange(socketPath: string, bytes: Buffer, enough = Number.POSITIVE_INFINITY): Promise<Buffer> {
  return new Promise((done, fail) => {
    const socket = connect(socketPath, () => socket.write(bytes))
    let got = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
      if (got.length >= enough) socket.destroy()
    })
    socket.once('error', fail)
    socket.once('close', () => done(got))
  })
}

suite('the filter before the agent', (test) => {
  test('lists and signs, and refuses to add, remove, lock or load anything', async () => {
    await using dir = await tempDir()
    await using agent = await startAgent(dir.path)
    const [one] = [await agent.makeKey('one'), await agent.makeKey('two', { type: 'rsa', bits: 2048 })]
    await using filter = await hosted(agent, dir.path)
    const at = filter.socketPath
    assert.is(statSync(at).mode & 0o777, 0o600)

    assert.equal(await agent.add(['-L'], at), await agent.add(['-L']))
    for (const key of ['one', 'two']) assert.is(await sign(at, join(dir.path, `${key}.pub`)), 0)

    await runProcess(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(dir.path, 'more')])
    await writeFile(join(dir.path, 'lib.so'), '')
    const refused = [
      [join(dir.path, 'more')],
      ['-d', join(dir.path, 'one.pub')],
      ['-D'],
      ['-s', join(dir.path, 'lib.so')],
      ['-e', join(dir.path, 'lib.so')],
    ]
    for (const args of refused) assert.is.not((await agent.add(args, at)).code, 0, args.join(' '))
    assert.match((await agent.add(['-L'])).said, one)
    assert.is((await agent.add(['-L'])).said.trim().split('\n').length, 2)
    // lock (22), old protocol (1, 3, 7, 9), an extension that is not ssh's own
    const other = Buffer.concat([Buffer.from([27]), frame(Buffer.from('restrict@example.org'))])
    for (const message of [...[1, 3, 7, 9, 22].map((type) => Buffer.from([type])), other]) {
      assert.equal(await exchange(at, frame(message), FAILURE.length), FAILURE)
    }
  })

  test('lets only the keys through that are named, by fingerprint, file or comment', async () => {
    await using dir = await tempDir()
    await using agent = await startAgent(dir.path)
    const lines = [await agent.makeKey('one'), await agent.makeKey('two'), await agent.makeKey('three')]
    const [one = '', two = '', three = ''] = lines
    const named = [
      fingerprintOf(Buffer.from(one.split(' ')[1] ?? '', 'base64')),
      '~/two.pub',
      'three',
      join(dir.path, 'two'),
    ]
    for (const [word, line] of [
      [named[0], one],
      [named[1], two],
      [named[2], three],
      [named[3], two],
    ] as const) {
      await using filter = await hosted(agent, dir.path, [word ?? ''])
      assert.is((await agent.add(['-L'], filter.socketPath)).said.trim(), line, word)
      for (const key of ['one', 'two', 'three']) {
        const code = await sign(filter.socketPath, join(dir.path, `${key}.pub`))
        assert.is(code === 0, line.endsWith(key), `${word}: ${key}`)
      }
    }
    await using none = await hosted(agent, dir.path, ['nobody'])
    assert.match((await agent.add(['-L'], none.socketPath)).said, /no identities/)
  })

  test('knows a certificate for the key that it certifies', async () => {
    await using dir = await tempDir()
    const types = [['ed25519'], ['rsa', '-b', '1024'], ['ecdsa', '-b', '384']]
    await runProcess(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(dir.path, 'ca')])
    for (const [type = '', ...size] of types) {
      const key = join(dir.path, type)
      await runProcess(['ssh-keygen', '-q', '-t', type, ...size, '-N', '', '-f', key])
      await runProcess(['ssh-keygen', '-q', '-s', join(dir.path, 'ca'), '-I', 'id', '-n', 'nexus', `${key}.pub`])
      const { stdout: plain } = await runProcess(['cat', `${key}.pub`])
      const { stdout: certificate } = await runProcess(['cat', `${key}-cert.pub`])
      const [blob, cert] = [plain, certificate].map((text) => Buffer.from(text.split(' ')[1] ?? '', 'base64'))
      assert.equal(plainKey(cert ?? Buffer.alloc(0)), blob, type)
    }
  })

  test('a dead agent, a silent one and more connections than it takes end nothing but themselves', async () => {
    await using dir = await tempDir()
    await using agent = await startAgent(dir.path)
    await agent.makeKey('one')
    const dead = await hostAgentFilter({ socketPath: join(dir.path, 'f1'), upstream: join(dir.path, 'nothing') })
    assert.is((await agent.add(['-l'], join(dir.path, 'f1'))).code, 1)
    await dead.close()
    assert.not(existsSync(join(dir.path, 'f1')))

    await using _silent = await startSilent(join(dir.path, 'mute'))
    assert.equal([(await lookAtAgent(join(dir.path, 'mute'))).state, (await lookAtAgent('')).state], ['silent', 'none'])
    assert.match(agentTrouble(await lookAtAgent(join(dir.path, 'nothing')))?.text ?? '', /nobody listens/)

    const mute = await hostAgentFilter({ socketPath: join(dir.path, 'f2'), upstream: join(dir.path, 'mute') })
    const began = performance.now()
    for (let i = 0; i < 4; i++) assert.is((await agent.add(['-l'], join(dir.path, 'f2'))).code, 1)
    assert.ok(performance.now() - began < 4_000, 'each of them waited')
    await mute.close()

    await using filter = await hosted(agent, dir.path)
    const idle = Array.from({ length: 80 }, () => connect(filter.socketPath))
    for (const socket of idle) socket.on('error', () => undefined)
    await eventually(() => idle.filter((socket) => socket.destroyed || socket.readyState !== 'open').length >= 16)
    for (const socket of idle) socket.destroy()
    await eventually(async () => (await agent.add(['-l'], filter.socketPath)).code === 0)
  })

  test('no bytes of a stranger break it', async () => {
    await using dir = await tempDir()
    await using agent = await startAgent(dir.path)
    await agent.makeKey('one')
    await using filter = await hosted(agent, dir.path, ['one'])
    const length = (value: number) =>
      Buffer.from([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255])
    for (const bytes of [length(0), length(2 ** 31), length(0xffffffff), length(256 * 1024 + 1)]) {
      assert.is((await exchange(filter.socketPath, bytes)).length, 0)
    }
    // a sign request whose key is longer than the message, and lists that come in single bytes
    assert.equal(await exchange(filter.socketPath, frame(Buffer.from([13, 0, 0, 255, 255, 1])), 5), FAILURE)
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom(11, 13, 17, 18, 19, 20, 22, 25, 26, 27), fc.uint8Array({ maxLength: 60 }))
        .map(([type, rest]) => frame(Buffer.from([type, ...rest]))),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 4 }), async (messages) => {
        const socket = connect(filter.socketPath)
        socket.on('error', () => undefined)
        for (const bytes of messages) socket.write(bytes)
        await new Promise((done) => socket.end(() => done(undefined)))
        socket.destroy()
      }),
      { ...FUZZ, numRuns: Math.min(FUZZ.numRuns, 200) },
    )
    assert.is((await agent.add(['-l'], filter.socketPath)).code, 0)
    assert.is((await agent.add(['-l'])).said.trim().split('\n').length, 1)
  })

  test('messages are the same however the stream is cut, and torn lists are none', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 50 }).map((array) => Buffer.from(array))
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), fc.integer({ min: 1, max: 20 }), (messages, size) => {
        const stream = Buffer.concat(messages.map(frame))
        const { push, isInside } = createCutter()
        const got: Buffer[] = []
        for (let at = 0; at < stream.length; at += size) got.push(...(push(stream.subarray(at, at + size)) ?? []))
        assert.equal(got, messages)
        assert.not(isInside())
      }),
      FUZZ,
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        const found = parseIdentities(Buffer.from([12, ...array]))
        assert.ok(found === undefined || found.length * 8 <= array.length)
        plainKey(Buffer.from(array))
      }),
      FUZZ,
    )
  })
})

suite('one path for several filters', (test) => {
  const record = { id: 'ws-aaaaaaaa', name: 'demo', agentMode: 'proxy' } as Parameters<typeof openAgent>[1]

  test('whoever lives serves it, and nothing is left behind', async () => {
    await using dir = await tempDir()
    await using agent = await startAgent(dir.path)
    await agent.makeKey('one')
    const path = join(dir.path, 'shared')
    await writeFile(path, '') // what somebody who was killed left
    const filters = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        hostAgentFilter({ socketPath: join(dir.path, name), upstream: agent.socketPath, sharedPath: path }),
      ),
    )
    for (const filter of filters) {
      await eventually(async () => (await agent.add(['-l'], path)).code === 0)
      await filter.close()
    }
    assert.equal(readdirSync(dir.path).sort(), ['agent', 'one.pub'])
  })

  test('it is where ssh would find it: an IdentityAgent for all hosts comes before SSH_AUTH_SOCK', async () => {
    await using dir = await tempDir()
    const configFile = join(dir.path, 'config')
    const home = { sshConfig: join(dir.path, 'nexus', 'ssh', 'config') }
    const find = async (text: string, env: NodeJS.ProcessEnv = { SSH_AUTH_SOCK: '/given', OTHER: '/other' }) => {
      await writeFile(configFile, text)
      return findOwnAgent({ home, env, runner, configFile })
    }
    await writeFile(join(dir.path, 'more'), 'Host *\n  IdentityAgent /brought-in\n')
    const own = `Include "${home.sshConfig}"\n\n`
    assert.is(await find(own), '/given')
    assert.is(
      await find('Host *\n  IdentityAgent "~/Library/Group Containers/x/agent.sock"\n', {}),
      join(homedir(), 'Library/Group Containers/x/agent.sock'),
    )
    assert.is(await find(`${own}Host github.com\n  IdentityAgent /for-one\nHost *\n  identityagent=$OTHER\n`), '/other')
    assert.is(await find(`${own}Include ${dir.path}/mor?\n`), '/brought-in')
    assert.is(await find(`${own}Host *\n  IdentityAgent none\n`), undefined)
    assert.is(await find('IdentityAgent SSH_AUTH_SOCK\n'), '/given')
    assert.is(await find('Host github.com\n  IdentityAgent /for-one\n', {}), undefined)
    assert.is(await find('IdentityAgent /x\nNonsense yes\n'), '/given')
    assert.is(await findOwnAgent({ home, env: { SSH_AUTH_SOCK: '/given' }, runner, configFile: dir.path }), '/given')
  })

  test('a folder of another user’s, or open to others, is not used', async () => {
    await using dir = await tempDir()
    await using agent = await startAgent(dir.path)
    await agent.makeKey('one')
    const said: string[] = []
    const home = { home: dir.path, run: join(dir.path, 'run'), sshConfig: join(dir.path, 'ssh', 'config') }
    await mkdir(home.run, { mode: 0o755 })
    const env = { SSH_AUTH_SOCK: agent.socketPath }
    const context = { home, env, emit: (event: { text?: string }) => void said.push(event.text ?? '') } as never
    assert.is(await openAgent(context, record, false), undefined)
    assert.match(said[0] ?? '', /not a folder of yours alone/)
    await runProcess(['chmod', '700', home.run])
    await writeFile(join(home.run, `${record.id}.agent.4194303`), '')
    const open = await openAgent(context, record, false)
    assert.is((await agent.add(['-l'], open?.socketPath)).code, 0)
    await open?.close()
    assert.equal(readdirSync(home.run), [])
    const long = agentSocketPath({ home: dir.path, run: join('/', 'x'.repeat(120)) }, record)
    assert.match(long, /^\/tmp\/nexus-\d+-[0-9a-f]{8}\/ws-aaaaaaaa\.agent$/)
  })
})
