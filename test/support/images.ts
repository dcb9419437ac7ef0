/**
 * Images of databases, of a registry, of an editor's server and of a base for tests, built from Debian's packages and npm's
 * (test/fixtures/images): there need be no registry of images. The databases follow the official images' variables and paths as
 * far as the ready services use them.
 *
 * An image is built once and stays on the engine as a cache, for all tests and runs; it is built again when its fixture or
 * the image below it has changed. `docker image rm $(docker image ls -q --filter label=dev.nexus.test)` takes them away.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../lib/system/lock.ts'
import { runProcess } from './process.ts'
import { tempDir } from './temp.ts'

/** With Debian bookworm's versions. */
const TAGS = {
  base: 'nexus-test-base:12',
  postgres: 'nexus-test-postgres:15',
  mariadb: 'nexus-test-mariadb:10.11',
  redis: 'nexus-test-redis:7.0',
  registry: 'nexus-test-registry:2.8',
  'code-server': 'nexus-test-code-server:4.99',
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
  await using packed = existsSync(join(folder, 'package.json')) ? await withPackages(folder) : undefined
  const argv = ['docker', 'build', '--progress', 'plain', '--tag', reference, ...labels, packed?.path ?? folder]
  const { code, stderr } = await runProcess(argv, { env: { DOCKER_BUILDKIT: '1' }, timeoutMs: BUILD_LIMIT_MS })
  if (code !== 0) throw new Error(`${reference} cannot be built\n${stderr.slice(-4_000)}`)
  // nobody would find it again without its name; a container that still runs on it keeps it
  if (old !== undefined && old !== (await idOf(reference))) await runProcess(['docker', 'image', 'rm', old])
}

/**
 * A copy of a fixture with its npm packages: they are downloaded by this machine's npm, which knows its mirror and its
 * certificates. Their scripts are not run, as those would download from elsewhere. A package may bring a tree of its own.
 */
async function withPackages(folder: string) {
  const copy = await tempDir()
  await cp(folder, copy.path, { recursive: true })
  for (const place of ['.', 'node_modules/code-server/lib/vscode']) {
    const flags = ['--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error']
    const { code, stderr } = await runProcess(['npm', 'install', ...flags], {
      cwd: join(copy.path, place),
      timeoutMs: BUILD_LIMIT_MS,
    })
    if (code !== 0) throw new Error(`the packages of ${folder} cannot be had\n${stderr.slice(-4_000)}`)
  }
  return copy
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
