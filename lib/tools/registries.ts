/**
 * Hosts of the package registries that this machine is configured for, as npm, pip, Go and apt tell. A missing tool has
 * none. Names no registry itself.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { NexusError } from '../core/errors.ts'
import type { Runner } from '../system/exec.ts'
import { readIfPresent } from '../system/store.ts'

const TIMEOUT_MS = 10_000
const APT = '/etc/apt'

const ASKED: readonly (readonly string[])[] = [
  ['npm', 'config', 'get', 'registry'],
  ['pip', 'config', 'get', 'global.index-url'],
  ['pip', 'config', 'get', 'global.extra-index-url'],
  // what pip asks where nothing is configured, in its own words
  [
    'python3',
    '-c',
    'from pip._internal.models.index import PyPI as i; print(i.simple_url, i.file_storage_domain, sep="\\n")',
  ],
  ['go', 'env', 'GOPROXY', 'GOSUMDB'],
]

/** Sorted, each once. */
export async function listRegistries(runner: Runner, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const said = await Promise.all(ASKED.map((argv) => ask(runner, argv)))
  const variables = ['PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL', 'UV_INDEX_URL', 'UV_DEFAULT_INDEX'].map(
    (name) => env[name],
  )
  return parseHosts([...said, ...variables, await readSources()].join('\n'))
}

/** Of all URLs over HTTP in a text; a bare name as Go has for its checksums counts where it is a host's. */
export function parseHosts(text: string): readonly string[] {
  const urls = [...text.matchAll(/\bhttps?:\/\/(?:[^\s/@]*@)?([a-z0-9.-]+)(?::(\d+))?/gi)]
  const bare = [...text.matchAll(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/gim)].map(([name]) => name)
  const named = urls.map(([, host = '', port]) => (port === undefined ? host : `${host}:${port}`))
  return [...new Set([...named, ...bare].map((host) => host.toLowerCase()))].filter((host) => /[a-z]/.test(host)).sort()
}

async function ask(runner: Runner, argv: readonly string[]): Promise<string> {
  try {
    return (await runner.run(argv, { okCodes: 'any', timeoutMs: TIMEOUT_MS })).stdout
  } catch (error) {
    if (error instanceof NexusError && ['TOOL_MISSING', 'TIMEOUT'].includes(error.code)) return ''
    throw error
  }
}

async function readSources(): Promise<string> {
  const folder = join(APT, 'sources.list.d')
  const all = await readdir(folder).catch(() => [] as readonly string[])
  const names = all.filter((name) => /\.(list|sources)$/.test(name))
  const files = [join(APT, 'sources.list'), ...names.map((name) => join(folder, name))]
  const texts = await Promise.all(files.map(readIfPresent))
  const lines = texts.flatMap((text) => (text ?? '').split('\n'))
  return lines.filter((line) => !/^\s*#/.test(line)).join('\n')
}
