/**
 * The first words of an editor with its server, as VS Code speaks them over a WebSocket: enough to know that behind a port there is a
 * server of this commit that takes a window. Frames and messages are made by hand, so that no client of ours is believed.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import type { Socket } from 'node:net'

const HANDSHAKE_MS = 10_000
/** Kind of a message that controls the connection, and of a connection that a window is managed over. */
const CONTROL = 2
const MANAGEMENT = 1
/** Before the text of a message: kind, number, acknowledged number, length. */
const HEADER_BYTES = 13

/** What the server answers at last: `{type: 'ok'}`, or `{type: 'error', reason}`. @throws {Error} when it speaks otherwise */
export async function openWindow(
  port: number,
  commit: string,
): Promise<{ readonly type: string; readonly reason?: string }> {
  const socket = await upgrade(
    port,
    `/stable-${commit}?reconnectionToken=${randomUUID()}&reconnection=false&skipWebSocketFrames=false`,
  )
  try {
    const messages = controlMessages(socket)
    send(socket, { type: 'auth', auth: '00000000000000000000', data: randomUUID() })
    const { value: sign } = await messages.next()
    if (sign?.type !== 'sign') throw new Error(`the server said ${JSON.stringify(sign)}`)
    send(socket, { type: 'connectionType', commit, signedData: sign.data, desiredConnectionType: MANAGEMENT })
    const { value: last } = await messages.next()
    if (last === undefined) throw new Error('the server ended the connection')
    return last
  } finally {
    socket.destroy()
  }
}

function upgrade(port: number, path: string): Promise<Socket> {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
  }
  return new Promise((done, fail) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, timeout: HANDSHAKE_MS })
    asked.once('error', fail)
    asked.once('timeout', () => asked.destroy(new Error('no answer to the upgrade')))
    asked.once('response', ({ statusCode }) => fail(new Error(`no WebSocket at ${path}: ${statusCode}`)))
    asked.once('upgrade', (_, socket, head) => {
      socket.unshift(head)
      socket.setTimeout(HANDSHAKE_MS, () => socket.destroy(new Error('the server is silent')))
      done(socket as Socket)
    })
    asked.end()
  })
}

/** A message in one binary frame, masked as a client has to. */
function send(socket: Socket, content: object): void {
  const text = Buffer.from(JSON.stringify(content))
  const message = Buffer.alloc(HEADER_BYTES + text.length)
  message.writeUInt8(CONTROL, 0)
  message.writeUInt32BE(text.length, 9)
  text.copy(message, HEADER_BYTES)
  const mask = randomBytes(4)
  const length = Buffer.from([0x82, 0x80 | 126, message.length >> 8, message.length & 0xff])
  const masked = message.map((byte, i) => byte ^ (mask[i % 4] ?? 0))
  socket.write(Buffer.concat([length, mask, masked]))
}

async function* controlMessages(socket: Socket) {
  let frames: Buffer = Buffer.alloc(0)
  let bytes: Buffer = Buffer.alloc(0)
  for await (const chunk of socket) {
    frames = Buffer.concat([frames, chunk as Buffer])
    for (let frame = frameAt(frames); frame !== undefined; frame = frameAt(frames)) {
      bytes = Buffer.concat([bytes, frame.content])
      frames = frames.subarray(frame.end)
    }
    while (bytes.length >= HEADER_BYTES && bytes.length >= HEADER_BYTES + bytes.readUInt32BE(9)) {
      const end = HEADER_BYTES + bytes.readUInt32BE(9)
      if (bytes[0] === CONTROL) {
        yield JSON.parse(bytes.subarray(HEADER_BYTES, end).toString()) as {
          type: string
          data?: string
          reason?: string
        }
      }
      bytes = bytes.subarray(end)
    }
  }
}

/** Of a server, which masks nothing; undefined before it is whole. */
function frameAt(bytes: Buffer): { readonly content: Buffer; readonly end: number } | undefined {
  const short = (bytes[1] ?? 0) & 0x7f
  const start = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < start) return undefined
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const end = start + length
  return bytes.length < end ? undefined : { content: bytes.subarray(start, end), end }
}
