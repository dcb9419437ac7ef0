/** SHA-256 in the forms that others print it in. Pure. */
import { createHash } from 'node:crypto'

/** Lower-case hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** `SHA256:...` of a public key in its wire form, as `ssh-add -l` and `ssh-keygen -l` print it. */
export function keyFingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}
