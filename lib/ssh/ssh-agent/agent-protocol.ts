/**
 * The messages that ssh agents are asked with, as far as a filter has to understand them (draft-miller-ssh-agent): frames of a length
 * and a type, lists of keys, and whose signature is asked for. Pure; every length that a peer tells is checked before it is used.
 */
import { keyFingerprint } from '../../core/digest.ts'

/** As OpenSSH has it. */
export const FRAME_MAX = 256 * 1024

export const ASK = { identities: 11, sign: 13, extension: 27 } as const
export const REPLY = { failure: 5, identities: 12 } as const

export interface Identity {
  readonly blob: Buffer
  readonly comment: Buffer
}

/** A message with its length before it. */
export function frame(message: Buffer): Buffer {
  return field(message)
}

export const FAILURE = frame(Buffer.from([REPLY.failure]))

/** Cuts a stream into messages without their length. Holds no more than what came after the last whole one. */
export function createCutter() {
  let held: Buffer = Buffer.alloc(0)
  return {
    /** True while the beginning of a message is there and its end is not. */
    isInside: () => held.length > 0,
    /** The messages that are whole now; undefined when the stream is none of messages. */
    push(chunk: Buffer): readonly Buffer[] | undefined {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const whole: Buffer[] = []
      while (held.length >= 4) {
        const length = held.readUInt32BE(0)
        if (length === 0 || length > FRAME_MAX) return undefined
        if (held.length < 4 + length) break
        whole.push(held.subarray(4, 4 + length))
        held = held.subarray(4 + length)
      }
      return whole
    },
  }
}

/** Reads length-prefixed fields one after another; every one is undefined from the first that does not fit. */
function createReader(body: Buffer) {
  let at = 0
  const number = (): number | undefined => {
    if (at < 0 || at + 4 > body.length) at = -1
    if (at < 0) return undefined
    at += 4
    return body.readUInt32BE(at - 4)
  }
  const bytes = (): Buffer | undefined => {
    const length = number()
    if (length === undefined || at + length > body.length) at = -1
    if (length === undefined || at < 0) return undefined
    at += length
    return body.subarray(at - length, at)
  }
  return { number, bytes }
}

/** Of an answer to a list: its keys; undefined when it is none, or torn. */
export function parseIdentities(message: Buffer): readonly Identity[] | undefined {
  if (message[0] !== REPLY.identities) return undefined
  const { number, bytes } = createReader(message.subarray(1))
  const count = number()
  // each takes eight bytes at least
  if (count === undefined || count > message.length / 8) return undefined
  const found: Identity[] = []
  for (let i = 0; i < count; i++) {
    const [blob, comment] = [bytes(), bytes()]
    if (blob === undefined || comment === undefined) return undefined
    found.push({ blob, comment })
  }
  return found
}

export function formatIdentities(identities: readonly Identity[]): Buffer {
  const fields = identities.flatMap(({ blob, comment }) => [field(blob), field(comment)])
  return frame(Buffer.concat([Buffer.from([REPLY.identities]), uint32(identities.length), ...fields]))
}

function field(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** The key that is to sign. */
export function signingKey(message: Buffer): Buffer | undefined {
  return message[0] === ASK.sign ? createReader(message.subarray(1)).bytes() : undefined
}

export function extensionName(message: Buffer): string | undefined {
  return message[0] === ASK.extension ? createReader(message.subarray(1)).bytes()?.toString('latin1') : undefined
}

/** How many fields a key has after its type. */
const KEY_FIELDS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ssh-dss': 4,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
}

/** The key itself where it is given as a certificate: that is the same key. */
export function plainKey(blob: Buffer): Buffer {
  const { bytes } = createReader(blob)
  const [type, nonce] = [bytes()?.toString('latin1') ?? '', bytes()]
  const match = /^(.*)-cert-v01(@openssh\.com)$/.exec(type)
  if (match === null || nonce === undefined) return blob
  const plain = [match[1] ?? '', `${match[1]}${match[2]}`].find((name) => Object.hasOwn(KEY_FIELDS, name))
  if (plain === undefined) return blob
  const fields = Array.from({ length: KEY_FIELDS[plain] ?? 0 }, () => bytes())
  if (fields.includes(undefined)) return blob
  return Buffer.concat([Buffer.from(plain), ...(fields as Buffer[])].map(field))
}

/** `SHA256:...` as `ssh-add -l` shows it, for a certificate too. */
export function fingerprintOf(blob: Buffer): string {
  return keyFingerprint(plainKey(blob))
}

/** As `ssh-add -L` prints it. */
export function keyLine({ blob, comment }: Identity): string {
  const type = createReader(blob).bytes()?.toString('latin1') ?? ''
  return `${type} ${blob.toString('base64')} ${comment.toString('utf8').replace(/\p{Cc}/gu, ' ')}`.trim()
}
