/**
 * schemathesis, which makes requests from the OpenAPI document: one version of it, in a folder of its own outside the repository,
 * installed when it is not there. What it asks goes to a server on the mock backend, with a home, a repository and no engine: the
 * requests are random, and what they change has to be nothing that anybody has.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { startProcess } from '../scenario/scene.ts'
import { eventually } from './eventually.ts'
import { ensurePrograms, installPackages } from './packages.ts'
import { type ProcessResult, runProcess } from './process.ts'
import { tempDir, tempRepo } from './temp.ts'

const VERSION = '4.32.5'
const INSTALL_MS = 300_000

/** The program's path. */
export async function ensureSchemathesis(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nexus-tests')
  const folder = join(cache, `schemathesis-${VERSION}`)
  const program = join(folder, 'bin', 'schemathesis')
  if (existsSync(join(folder, 'whole'))) return program
  await ensurePrograms({ python3: 'python3' })
  // Debian has what venv brings pip in with in a package of its own
  if ((await runProcess(['python3', '-c', 'import ensurepip'])).code !== 0) await installPackages(['python3-venv'])
  await mkdir(cache, { recursive: true })
  // put in place whole: two who need it at once do not get half of each other's
  const must = async (...argv: string[]) => {
    const { code, stderr } = await runProcess(argv, { timeoutMs: INSTALL_MS })
    if (code !== 0) throw new Error(`schemathesis ${VERSION} could not be installed; ${argv.join(' ')}:\n${stderr}`)
  }
  const lock = `${folder}.lock`
  const script = `exec 9> "$3"; flock 9; [ ! -e "$1/whole" ] || exit 0; rm -rf "$1"; "$4" -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check "$2" && touch "$1/whole"`
  await must('bash', '-c', script, 'bash', folder, `schemathesis==${VERSION}`, lock, 'python3')
  return program
}

export interface FuzzOptions {
  readonly seed: number
  /** For each operation. */
  readonly examples: number
  readonly seconds: number
  readonly phases: string
}

export interface Fuzzed extends ProcessResult {
  /** What the server wrote of errors that it had not foreseen. */
  readonly crashes: readonly string[]
}

/** What it found, in its own words, and its exit code: 0 for nothing. */
export async function fuzzApi({ seed, examples, seconds, phases }: FuzzOptions): Promise<Fuzzed> {
  const program = await ensureSchemathesis()
  await using home = await tempDir()
  await using repo = await tempRepo()
  const env = {
    ...{ HOME: home.path, NEXUS_HOME: join(home.path, '.nexus'), NEXUS_BACKEND: 'mock' },
    DOCKER_HOST: 'unix:///nonexistent',
  }
  const nexus = [process.execPath, join(process.cwd(), 'dist', 'nexus.js')]
  const server = startProcess([...nexus, 'serve', '--port', '0'], { cwd: repo.path, env: { ...process.env, ...env } })
  try {
    const url = await eventually(() => /http:\/\/127\.0\.0\.1:\d+/.exec(server.stderr())?.[0] ?? false, {
      timeoutMs: 20_000,
    })
    const token = (await readFile(join(home.path, '.nexus', 'run', 'api.token'), 'utf8')).trim()
    const words = [
      ...[
        '--config-file',
        resolve('test/fuzz/schemathesis.toml'),
        'run',
        resolve('docs/openapi.json'),
        '--url',
        `${url}/api/v1`,
      ],
      ...['-H', `Authorization: Bearer ${token}`, '--checks', 'all', '--phases', phases],
      ...['--seed', String(seed), '--generation-database', 'none'],
      ...['-n', String(examples), '--max-time', String(seconds), '--request-timeout', '30', '--continue-on-failure'],
      // an answer that goes on until one leaves
      ...['--exclude-operation-id', 'followEvents', '--no-color'],
    ]
    const result = await runProcess([program, ...words], {
      cwd: home.path,
      timeoutMs: seconds * 1_000 + 60_000,
    })
    const logs = join(home.path, '.nexus', 'logs')
    const crashes = (await readdir(logs)).filter((name) => name.startsWith('crash-'))
    const texts = crashes.map(async (name) => (await readFile(join(logs, name), 'utf8')).slice(0, 2_000))
    return { ...result, crashes: await Promise.all(texts) }
  } finally {
    server.child.kill('SIGTERM')
    await server.ended
  }
}
