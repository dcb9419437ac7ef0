/**
 * Images of databases, of a registry and of a base for tests, built from Debian's packages (test/fixtures/images): there need be no registry. The databases follow
 * the official images' variables and paths as far as the ready services use them.
 *
 * An image is built once and stays on the engine as a cache, for all tests and runs; it is built again when its fixture or
 * the image below it has changed. `docker image rm $(docker image ls -q --filter label=dev.nexus.test)` takes them away.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../lib/system/lock.ts'
import { runProcess } from './process.ts'

/** With Debian bookworm's versions. */
const TAGS = {
  base: 'nexus-test-base:12',
  postgres: 'nexus-test-postgres:15',
  mariadb: 'nexus-test-mariadb:10.11',
  redis: 'nexus-test-redis:7.0',
  registry: 'nexus-test-registry:2.8',
}

export type TestImage = keyof typeof TAGS

/** Enough for a test's limit: the packages come from Debian's mirror once. */
export const BUILD_LIMIT_MS = 8 * 60_000

const BASE = 'debian:bookworm-slim'
const CONTENT_LABEL = 'dev.nexus.test.content'

/** The reference of an image that is there when this returns. */
export async function requireTestImage(name: TestImage): Promise<string> {
  const folder = join(process.cwd(), 'test', 'fixtures', 'images', name)
  const reference = TAGS[name]
  const content = await contentOf(folder)
  if ((await labelOf(reference)) === content) return reference
  const lock = join(process.cwd(), 'node_modules', '.cache', 'nexus-test-images', name)
  await withLock(lock, () => build(reference, folder, content), { waitMs: BUILD_LIMIT_MS })
  return reference
}

async function build(reference: string, folder: string, content: string): Promise<void> {
  if ((await labelOf(reference)) === content) return
  const old = await idOf(reference)
  const labels = ['--label', 'dev.nexus.test=1', '--label', `${CONTENT_LABEL}=${content}`]
  const argv = ['docker', 'build', '--progress', 'plain', '--tag', reference, ...labels, folder]
  const { code, stderr } = await runProcess(argv, { env: { DOCKER_BUILDKIT: '1' }, timeoutMs: BUILD_LIMIT_MS })
  if (code !== 0) throw new Error(`${reference} cannot be built\n${stderr.slice(-4_000)}`)
  // nobody would find it again without its name; a container that still runs on it keeps it
  if (old !== undefined && old !== (await idOf(reference))) await runProcess(['docker', 'image', 'rm', old])
}

/** Changes with every file of the fixture and with the image below. */
async function contentOf(folder: string): Promise<string> {
  const hash = createHash('sha256').update((await idOf(BASE)) ?? '')
  for (const file of (await readdir(folder)).sort()) {
    hash.update(`\0${file}\0`).update(await readFile(join(folder, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

async function labelOf(reference: string): Promise<string | undefined> {
  return inspect(reference, `{{index .Config.Labels "${CONTENT_LABEL}"}}`)
}

async function idOf(reference: string): Promise<string | undefined> {
  return inspect(reference, '{{.Id}}')
}

/** Undefined for an image that is not there. */
async function inspect(reference: string, format: string): Promise<string | undefined> {
  const { code, stdout, stderr } = await runProcess(['docker', 'image', 'inspect', '--format', format, reference])
  if (code === 0) return stdout.trim()
  if (/No such image/i.test(stderr)) return undefined
  throw new Error(`docker image inspect ${reference}: ${stderr}`)
}
