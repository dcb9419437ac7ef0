// Makes dist/: nexus.js (the entry), program.cjs (everything else, in one file), serve.cjs (the same with the server in it), V8's
// code caches of both for this Node version, and ssh-proxy.js (what ssh runs for an alias). Templates and
// container files are embedded as text; only compose/base-image.sh stays a file.
// `settings` is shared with the test runner, so that the tests run what ships.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { verbFolder } from './folder.mjs'
import { shapes } from './shapes.mjs'
import { readyServices, templates } from './templates.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

/** A script of lib is sent as text with each command, so its head stays here; those of compose become files with theirs. */
const scriptsWithoutHead = {
  name: 'scripts-without-head',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.sh$/ }, async ({ path }) => {
      if (!path.startsWith(join(root, 'lib/'))) return undefined
      return { contents: (await readFile(path, 'utf8')).replace(/^(#.*\n)+/, ''), loader: 'text' }
    }),
}

export const settings = {
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  loader: { '.sh': 'text' },
  plugins: [templates, readyServices, verbFolder, shapes, scriptsWithoutHead],
  define: { __NEXUS_VERSION__: JSON.stringify(version) },
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  absWorkingDir: root,
  logLevel: 'warning',
}

/** One file that is a function expression: the entry calls it with what a CommonJS module gets, and its own URL. */
const commonJs = {
  ...settings,
  splitting: false,
  format: 'cjs',
  minify: true,
  legalComments: 'none',
  supported: { 'dynamic-import': false },
}

const program = {
  ...commonJs,
  banner: { js: '(function (exports, require, module, __url) {' },
  footer: { js: '})' },
  define: { ...settings.define, 'import.meta.url': '__url' },
  outExtension: { '.js': '.cjs' },
}

/** `serve` is in a file of its own: its libraries would double the time that every other command takes to load. */
const withoutServer = {
  name: 'without-server',
  setup({ onLoad }) {
    onLoad({ filter: /scripts\/server\.ts$/ }, () => ({
      contents: "export const listen = () => { throw new Error('the server is in serve.cjs') }",
    }))
  },
}

/** Parts of Node are loaded only where something of them is called: each costs every connection through an alias its time. */
const onlyWhatIsUsed = {
  name: 'only-what-is-used',
  setup: (bundler) =>
    bundler.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false })),
}

async function buildProduct() {
  const dist = await mkdtemp(join(root, 'dist-'))
  try {
    await bundle(dist)
  } catch (error) {
    await rm(dist, { recursive: true, force: true })
    throw error
  }
  return dist
}

async function bundle(dist) {
  await Promise.all([
    build({ ...commonJs, banner: {}, entryPoints: { nexus: 'scripts/nexus.ts' }, outdir: dist }),
    build({
      ...commonJs,
      banner: {},
      plugins: [onlyWhatIsUsed, shapes],
      entryPoints: { 'ssh-proxy': 'scripts/ssh-proxy.ts' },
      outdir: dist,
    }),
    build({
      ...program,
      outdir: dist,
      entryPoints: { program: 'scripts/main.ts' },
      plugins: [...settings.plugins, withoutServer],
    }),
    build({ ...program, outdir: dist, entryPoints: { serve: 'scripts/main.ts' } }),
  ])
  for (const name of ['program.cjs', 'serve.cjs']) await toAscii(join(dist, name))
  await writeFile(join(dist, 'package.json'), '{ "type": "commonjs" }\n')
  await chmod(join(dist, 'nexus.js'), 0o755)
  await writeCodeCache(dist)
  await chmod(dist, 0o755)
}

/** One letter outside of ASCII, as a library's pattern has it, makes V8 keep the whole text in twice the room, which costs every start. */
async function toAscii(file) {
  const text = await readFile(file, 'utf8')
  const escaped = text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  if (escaped !== text) await writeFile(file, escaped)
}

/** Puts the finished folder in place: a build that fails leaves the old one as it was. */
async function install(made) {
  const dist = join(root, 'dist')
  const old = `${made}-old`
  await rename(dist, old).catch(ignoreMissing)
  await rename(made, dist)
  await rm(old, { recursive: true, force: true })
}

function ignoreMissing(error) {
  if (error.code !== 'ENOENT') throw error
}

/**
 * Functions that have run are in the cache ready compiled, so the usual commands are run once. Each starts from the cache
 * that the one before wrote. No engine is asked: `docker` and `ssh-keygen` are stand-ins.
 */
async function writeCodeCache(dist) {
  const home = await mkdtemp(join(tmpdir(), 'nexus-build-'))
  const repository = join(home, 'repo')
  const tools = join(home, 'tools')
  const env = {
    ...process.env,
    HOME: home,
    PATH: `${tools}:${process.env.PATH}`,
    NEXUS_HOME: join(home, 'nexus'),
    ...Object.fromEntries(
      ['AUTHOR', 'COMMITTER'].flatMap((who) => [
        [`GIT_${who}_NAME`, 'b'],
        [`GIT_${who}_EMAIL`, 'b'],
      ]),
    ),
  }
  const run = (program, args) => execFileSync(program, args, { cwd: home, env, stdio: ['ignore', 'ignore', 'inherit'] })
  const nexus = (cache, line) => {
    env.NEXUS_CODE_CACHE = join(dist, cache)
    const [verb, ...words] = line.split(' ')
    run(process.execPath, [join(dist, 'nexus.js'), verb, '--quiet', '--repo', repository, ...words])
  }
  try {
    await mkdir(tools)
    for (const [name, text] of Object.entries(STAND_INS)) await writeFile(join(tools, name), text, { mode: 0o755 })
    run('git', ['init', '--quiet', repository])
    run('git', ['-C', repository, 'commit', '--quiet', '--allow-empty', '-m', 'b'])
    const making = (lines) => {
      for (const line of lines) nexus('program.cjs.making.cache', line)
    }
    making([
      'up tour --backend mock',
      'create tour-docker --no-start',
      'create tour-agent --isolation agent --no-start',
      'pause tour',
      'wake tour',
    ])
    await pretendMaster(env.NEXUS_HOME)
    // with a workspace of the docker backend, which they load
    for (const line of ['list', 'status tour-docker', 'exec tour-docker -- true']) nexus('program.cjs.cache', line)
    making(['delete tour-docker --force'])
    await serveOnce(dist, { ...env, NEXUS_CODE_CACHE: join(dist, 'serve.cjs.cache') })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

/** The workspaces look as if an ssh connection to them were open. */
async function pretendMaster(home) {
  for (const id of await readdir(join(home, 'workspaces'))) await writeFile(join(home, 'run', `${id}.ssh`), '')
}

/** The server starts, answers and ends. */
async function serveOnce(dist, env) {
  const server = spawn(process.execPath, [join(dist, 'nexus.js'), 'serve'], { cwd: env.HOME, env, stdio: 'pipe' })
  let said = ''
  server.stdout.resume()
  const ended = once(server, 'exit')
  for await (const piece of server.stderr.iterator({ destroyOnReturn: false })) {
    said += piece
    if (said.includes('Ctrl-C')) break // it serves
  }
  server.stderr.resume()
  if (server.exitCode === null) {
    const socketPath = join(env.NEXUS_HOME, 'run', 'api.sock')
    const [answer] = await once(
      get({ socketPath, path: '/api/v1/workspaces', headers: { host: 'localhost' } }),
      'response',
    )
    answer.resume()
    server.kill('SIGTERM')
  }
  await ended
  if (!existsSync(env.NEXUS_CODE_CACHE)) throw new Error(`the server did not start:\n${said}`)
}

/** As much of Docker and OpenSSH as a `create --no-start` and a `delete` ask for. */
const STAND_INS = {
  docker: `#!/bin/sh
case "$1 $2" in
  'info --format') echo '26.1\t[]' ;;
  'compose version') echo 2.26.1 ;;
  'image inspect') echo sha256:0 ;;
esac
`,
  ssh: '#!/bin/sh\n',
  'ssh-keygen': `#!/bin/sh
while [ "$1" != -f ]; do shift; done
echo private > "$2"
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5leHVz tour' > "$2.pub"
`,
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await install(await buildProduct())
