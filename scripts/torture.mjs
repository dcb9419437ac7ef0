// The long tests: `node scripts/torture.mjs [--only mock,engine,kill,many,storm,api,fuzz] [--seed N] [--rounds N] [--seconds N] [--count N] [--cases TEXT]`
// Bundles test/torture/torture.ts and runs it in a fresh TMPDIR, with a clean environment. docs/reliability.md has its figures.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { settings } from './build.mjs'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
const SCRUBBED = /^(CI|NEXUS_.*|ZX_.*|GIT_.*|COMPOSE_.*|DOCKER_CONTEXT|SSH_AUTH_SOCK)$/

const cache = join(REPOSITORY, 'node_modules', '.cache', 'nexus-tests')
await mkdir(cache, { recursive: true })
const folder = await mkdtemp(join(cache, 'torture-'))
const temp = await realpath(await mkdtemp(join(tmpdir(), 'nxt-')))
try {
  const outfile = join(folder, 'torture.mjs')
  await build({
    ...settings,
    entryPoints: [join(REPOSITORY, 'test', 'torture', 'torture.ts')],
    outfile,
    outdir: undefined,
    splitting: false,
  })
  process.exitCode = await run(outfile)
} finally {
  await rm(folder, { recursive: true, force: true })
  await rm(temp, { recursive: true, force: true })
}

function run(program) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !SCRUBBED.test(key)))
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...process.argv.slice(2)], {
    cwd: REPOSITORY,
    env: { ...env, TMPDIR: temp },
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  return new Promise((done) => child.once('exit', (code) => done(code ?? 1)))
}
