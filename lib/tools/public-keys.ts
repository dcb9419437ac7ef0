/** Lines of public key files: which of them are plain keys, and what each is. Pure. */
import { keyFingerprint } from '../core/digest.ts'

const KEY_TYPES = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
])
/** Bits of keys whose type has but one size. */
const BITS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 256,
  'sk-ssh-ed25519@openssh.com': 256,
  'ecdsa-sha2-nistp256': 256,
  'sk-ecdsa-sha2-nistp256@openssh.com': 256,
  'ecdsa-sha2-nistp384': 384,
  'ecdsa-sha2-nistp521': 521,
}

/**
 * The plain public keys of a text, without duplicates and comments of other shape. Lines with options, certificates,
 * unknown types or control characters are left out: they would be refused or, worse, obeyed.
 */
export function parsePublicKeys(text: string): readonly string[] {
  const keys = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [type = '', blob = '', ...comment] = line.trim().split(/[ \t]+/)
    if (!KEY_TYPES.has(type) || !/^[A-Za-z0-9+/]+={0,3}$/.test(blob)) continue
    const words = comment.join(' ').replace(/\p{Cc}/gu, '')
    if (!keys.has(blob)) keys.set(blob, [type, blob, words].join(' ').trim())
  }
  return [...keys.values()]
}

/** `SHA256:...` as ssh-keygen -l prints it, of a public key line. */
export function fingerprint(publicKey: string): string {
  const blob = publicKey.trim().split(' ')[1] ?? ''
  return keyFingerprint(Buffer.from(blob, 'base64'))
}

export interface PublicKey {
  readonly type: string
  /** Null for a key that is torn. */
  readonly bits: number | null
  readonly fingerprint: string
  readonly comment: string
}

/** What `ssh-keygen -l` says of a public key line. */
export function describeKey(line: string): PublicKey {
  const [type = '', blob = '', ...comment] = line.trim().split(' ')
  return { type, bits: BITS[type] ?? rsaBits(blob), fingerprint: fingerprint(line), comment: comment.join(' ') }
}

/** Of `ssh-rsa`: type, exponent, modulus, each after its length. */
function rsaBits(blob: string): number | null {
  const bytes = Buffer.from(blob, 'base64')
  let at = 0
  for (let field = 0; field < 3; field++) {
    if (at + 4 > bytes.length) return null
    const length = bytes.readUInt32BE(at)
    const value = bytes.subarray(at + 4, at + 4 + length)
    if (value.length !== length) return null
    if (field === 2) return BigInt(`0x${value.toString('hex') || '0'}`).toString(2).length
    at += 4 + length
  }
  return null
}
