/**
 * Editors: `nexus open` tells programs and links where a workspace is, what a host must have for an editor's server is there in both
 * isolations, and a real server of VS Code's kind is brought in through the alias, answers over a forwarded port, and is still there
 * after a rebuild.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type NetConnectOpts } from 'node:net'
import { join } from 'node:path'
import type { WorkspaceResource } from '../../lib/core/workspace.ts'
import { eventually } from '../support/eventually.ts'
import { BUILD_LIMIT_MS, requireTestImage } from '../support/images.ts'
import { runProcess } from '../support/process.ts'
import { httpGet } from '../support/projects.ts'
import { assert, suite } from '../support/suite.ts'
import { openWindow } from '../support/vscode-server.ts'
import { LIMIT_MS, must, openScene, type Scene, startProcess } from './scene.ts'

const CONFIG = `ports:
  api: {container: 8080}
  web: {container: 3000}
  database: {container: 5432}
caches: [~/.vscode-server/data/CachedExtensionVSIXs]
`
/** Where the server lies inside: as editors have it, in a folder of theirs below the home. */
const SERVER = '.vscode-server/cli/servers/code-server'
const SERVER_PORT = 23_800
/** Of a SOCKS proxy: to the greeting, and to the wish for a connection. */
const SOCKS_ANSWER_BYTES = 2 + 10

suite('editors', (test) => {
  test(
    'a workspace opens in what is there, its server comes in through the alias, and stays after a rebuild',
    async () => {
      const image = await requireTestImage('code-server')
      // a path that means something else in shells, URLs and ssh's files
      await using scene = await openScene({ folder: "my app #1 100%41 é'x", files: { '.nexus/config.yaml': CONFIG } })
      const bin = await fakePrograms(scene)
      await scene.ok(['create', 'demo', '--no-start'])
      await opensEditors(scene, bin)
      await opensBrowsers(scene, bin)
      await scene.up('guarded', '--isolation', 'agent')
      for (const alias of ['demo.nexus', 'guarded.nexus']) await hasWhatEditorsNeed(scene, alias)

      await bringServer(scene, image)
      await serves(scene)
      await must(
        inside(scene, 'demo.nexus', 'echo 7 > ~/.vscode-server/.abc.pid; echo x > ~/.cache/JetBrains/RemoteDev/kept'),
      )
      await scene.ok(['rebuild', 'demo'])
      assert.is(
        await must(inside(scene, 'demo.nexus', 'cat ~/.cache/JetBrains/RemoteDev/kept; ls -A ~/.vscode-server')),
        'x\ncli\ndata\n',
      )
      await serves(scene)
      await staysOneWorkspaces(scene)
    },
    BUILD_LIMIT_MS + 4 * LIMIT_MS,
  )
})

/** What editors are called with is written down; `broken` ones fail. The user's ssh reads the configuration of the scene's home. */
async function fakePrograms(scene: Scene): Promise<string> {
  const bin = join(scene.root, 'bin')
  await mkdir(bin)
  await mkdir(join(scene.home, '.ssh'), { mode: 0o700 })
  const note = `#!/bin/sh\nfor word; do printf '%s\\n' "$word"; done > '${bin}/'"\${0##*/}.argv.new"\nmv '${bin}/'"\${0##*/}.argv.new" '${bin}/'"\${0##*/}.argv"\n`
  const programs = {
    cursor: note,
    zed: note,
    'xdg-open': note,
    codium: '#!/bin/sh\nexit 3\n',
    ssh: `#!/bin/sh\nPATH="\${PATH#*:}" exec ssh -F '${scene.home}/.ssh/config' "$@"\n`,
  }
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), script)
    await chmod(join(bin, name), 0o755)
  }
  await writeFile(join(scene.home, '.ssh', 'config'), '')
  return bin
}

async function opensEditors(scene: Scene, bin: string): Promise<void> {
  const worktree = join(scene.repo.path, '.worktree', 'demo')
  const encoded = worktree.split('/').map(encodeURIComponent).join('/')
  const open = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const all = { PATH: `${bin}:${process.env.PATH}`, VISUAL: 'vi', EDITOR: undefined, BROWSER: undefined, ...env }
    const result = await scene.run(['open', ...args], { env: all })
    assert.is(result.code, 0, `${args.join(' ')}: ${result.stderr}`)
    return result
  }

  const dry = await open(['demo', '--in', 'cursor', '--dry-run', '--json'])
  const expected = [join(bin, 'cursor'), '--remote', 'ssh-remote+demo.nexus', worktree]
  assert.equal(JSON.parse(dry.stdout).argv, expected)
  assert.is((await scene.list())[0]?.state, 'stopped', 'a dry run starts nothing')
  assert.match(dry.stderr, /nexus ssh-config install/, 'nothing leads to the alias yet')

  // from here on it is included
  await writeFile(join(scene.home, '.ssh', 'config'), `Include "${scene.home}/.nexus/ssh/config"\n`)
  const first = await open(['demo'])
  assert.equal(await argvOf(bin, 'cursor'), expected.slice(1), 'the first that is there')
  assert.is((await scene.list())[0]?.state, 'running', 'it is started first')
  assert.not.match(first.stderr, /ssh-config install/)
  assert.is(first.stdout, 'demo is open in Cursor\n')

  await open(['demo'], { VISUAL: '/usr/bin/zed --wait' })
  assert.equal(await argvOf(bin, 'zed'), [`ssh://demo.nexus${encoded}`])
  await scene.ok(['config', 'set', 'editor', 'idea'])
  const missing = await open(['demo'])
  assert.match(
    missing.stdout,
    /^jetbrains-gateway:\/\/connect#projectPath=\S+&host=demo\.nexus&port=\d+&user=nexus&type=ssh&deploy=true\n$/,
  )
  assert.is(new URLSearchParams(missing.stdout.trim().split('#')[1]).get('projectPath'), worktree)
  assert.match(missing.stderr, /JetBrains Gateway is not on this machine/)
  const broken = await open(['demo', '--in', 'codium'])
  assert.is(broken.stdout, `vscodium://vscode-remote/ssh-remote+demo.nexus${encoded}\n`)
  assert.match(broken.stderr, /ended with code 3/)
  await scene.refused(['open', 'demo', '--in', 'notepad'], 2, 'INVALID_ARGUMENT')
}

async function opensBrowsers(scene: Scene, bin: string): Promise<void> {
  const [{ ports = [] } = {}] = await scene.list()
  const url = (wanted: string) => ports.find(({ name }) => name === wanted)?.url ?? 'none'
  const PATH = `${bin}:${process.env.PATH}`
  await scene.ok(['open', 'demo', '--web'], { env: { PATH, BROWSER: undefined } })
  assert.equal(await argvOf(bin, 'xdg-open'), [url('web')])
  await scene.ok(['open', 'demo', '--web', '8080'], { env: { PATH, BROWSER: 'not-there:zed --new %s' } })
  assert.equal(await argvOf(bin, 'zed'), ['--new', url('api')])
  const none = await scene.refused(['open', 'demo', '--web', 'database'], 2, 'INVALID_ARGUMENT')
  assert.match(none.message, /web 3000 at http/)
}

async function argvOf(bin: string, program: string): Promise<readonly string[]> {
  const file = join(bin, `${program}.argv`)
  const text = await eventually(() => readFile(file, 'utf8'))
  await rm(file)
  return text.split('\n').slice(0, -1)
}

function sshTo(scene: Scene, ...args: string[]): readonly string[] {
  return ['ssh', '-F', join(scene.home, '.nexus', 'ssh', 'config'), '-o', 'ConnectTimeout=15', ...args]
}

function inside(scene: Scene, alias: string, script: string): readonly string[] {
  return sshTo(scene, alias, script)
}

/** Line by line what docs/editors.md says. */
async function hasWhatEditorsNeed(scene: Scene, alias: string): Promise<void> {
  const checks = {
    'a shell': '[ "$(command -v bash)" ] && [ -x "$SHELL" ]',
    programs:
      'command -v tar gzip sed grep uname cat mkdir mktemp ps flock curl wget awk tr head base64 sha256sum nohup setsid >/dev/null',
    'the kind of machine': '[ "$(uname -s)" = Linux ]',
    'glibc 2.28': '[ "$(printf "%s\\n" 2.28 "$(ldd --version | sed -n "1s/.* //p")" | sort -V | head -n 1)" = 2.28 ]',
    'libstdc++ 3.4.25': 'grep -q GLIBCXX_3.4.25 /usr/lib/*/libstdc++.so.6',
    'a home to write to': 'touch ~/.probe && chmod 700 ~/.probe && ~/.probe && rm ~/.probe',
    'folders for servers':
      'for d in .vscode-server .cursor-server .windsurf-server .vscodium-server .zed_server .local/share/zed .cache/JetBrains/RemoteDev .local/share/code-server; do touch ~/$d/.probe && rm ~/$d/.probe || exit 1; done',
    'a cache below such a folder': 'd=~/.vscode-server/data/CachedExtensionVSIXs; mountpoint -q $d && touch $d/shared',
    'a temporary folder that runs programs':
      'd=$(mktemp -d) && printf "#!/bin/sh\\n" > $d/x && chmod +x $d/x && $d/x && rm -r $d',
    'two gigabytes of disk': '[ "$(df -Pk ~ | awk "NR==2 {print \\$4}")" -gt 2000000 ]',
    'a terminal': 'script -qec true /dev/null </dev/null >/dev/null',
    'files can be watched': '[ "$(cat /proc/sys/fs/inotify/max_user_watches)" -ge 8192 ]',
    'nothing printed at login': '[ -z "$(bash -lc true 2>&1)" ]',
  }
  const lines = Object.entries(checks).map(([name, check]) => `(${check}) </dev/null || echo 'missing: ${name}'`)
  const began = performance.now()
  const { stdout, stderr, code } = await runProcess(sshTo(scene, alias, 'bash -s'), { input: lines.join('\n') })
  assert.is(`${stdout}${stderr}`, '', alias)
  assert.is(code, 0)
  assert.ok(performance.now() - began < 15_000, 'slower than editors wait')
  await forwards(scene, alias)
  // as Zed and Gateway bring their servers
  await writeFile(join(scene.root, 'upload'), 'uploaded')
  await must(['scp', '-q', ...sshTo(scene).slice(1), join(scene.root, 'upload'), `${alias}:.zed_server/upload`])
  assert.is(await must(inside(scene, alias, 'cat ~/.zed_server/upload')), 'uploaded')
}

/** TCP by a port of ours, by SOCKS and from inside to here, and sockets. */
async function forwards(scene: Scene, alias: string): Promise<void> {
  const [local, socks] = [await freePort(), await freePort()]
  const socket = join(scene.root, 's')
  const flags = ['-N', '-o', 'ExitOnForwardFailure=yes', '-L', `${local}:127.0.0.1:22`, '-D', `127.0.0.1:${socks}`]
  const back = ['-R', `/tmp/nexus-probe:127.0.0.1:${local}`, '-L', `${socket}:/tmp/nexus-probe`]
  const tunnel = startProcess(sshTo(scene, ...flags, ...back, alias))
  try {
    for (const place of [{ host: '127.0.0.1', port: local }, { path: socket }])
      await eventually(async () => (await firstWords(place)) === 'SSH-2.0', { timeoutMs: 10_000 })
    // a greeting without a password, then: connect to 127.0.0.1, port 22
    const asked = Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 22])
    assert.is(await firstWords({ host: '127.0.0.1', port: socks }, asked, SOCKS_ANSWER_BYTES), 'SSH-2.0')
  } finally {
    tunnel.child.kill()
    await tunnel.ended
    await rm(socket, { force: true })
  }
}

/** The beginning of what a server says, seven characters after `skip` bytes. */
async function firstWords(place: NetConnectOpts, asked: Uint8Array = Buffer.alloc(0), skip = 0): Promise<string> {
  const socket = connect(place)
  socket.setTimeout(2_000, () => socket.destroy(new Error('it is silent')))
  socket.write(asked)
  let said = Buffer.alloc(0)
  for await (const chunk of socket) {
    said = Buffer.concat([said, chunk as Buffer])
    if (said.length >= skip + 7) break
  }
  return said.subarray(skip, skip + 7).toString()
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** As Remote-SSH does when the host may download nothing: one archive through the connection. */
async function bringServer(scene: Scene, image: string): Promise<void> {
  const unpack = `mkdir -p ~/${SERVER} && tar -C ~/${SERVER} -xz`
  const words = [
    'docker run --rm --network none "$0" cat /server.tar.gz | "$@"',
    image,
    ...inside(scene, 'demo.nexus', unpack),
  ]
  await must(['bash', '-o', 'pipefail', '-c', ...words])
}

/** Started over the connection, it answers a browser and an editor over a forwarded port. */
async function serves(scene: Scene): Promise<void> {
  const worktree = join(scene.repo.path, '.worktree', 'demo')
  const flags = `--auth none --bind-addr 127.0.0.1:${SERVER_PORT} --disable-telemetry --disable-update-check`
  const run = `cd ~/${SERVER} && exec bin/node node_modules/code-server/out/node/entry.js ${flags}`
  const port = await freePort()
  const server = startProcess(sshTo(scene, '-tt', '-L', `${port}:127.0.0.1:${SERVER_PORT}`, 'demo.nexus', run))
  try {
    const commit = await eventually(() => httpGet(port, '/version'), { timeoutMs: 20_000 }).catch(() => {
      throw new Error(`the server does not answer: ${server.stderr()}`)
    })
    assert.match(commit, /^[0-9a-f]{40}$/)
    const page = await httpGet(port, `/?folder=${encodeURIComponent(worktree)}`)
    assert.match(page, /id="vscode-workbench-web-configuration"/)
    assert.match(page, /&quot;codeServerVersion&quot;:&quot;4\.99\.4&quot;/)
    const script = /src="([^"]*workbench\.js)"/.exec(page)?.[1] ?? 'no script'
    assert.match(await httpGet(port, script), /vscode-remote/)
    assert.equal(await openWindow(port, commit), { type: 'ok' })
    assert.is((await openWindow(port, commit.replace(/./g, '0'))).type, 'error', 'of another version')
  } finally {
    server.child.kill()
    await server.ended
  }
}

/** A volume of each, that goes with its workspace. */
async function staysOneWorkspaces(scene: Scene): Promise<void> {
  assert.is(await must(inside(scene, 'guarded.nexus', 'ls -A ~/.vscode-server')), 'data\n', 'nothing of the other one')
  const [demo] = (await scene.list()).filter(({ name }) => name === 'demo') as WorkspaceResource[]
  const filter = ['volume', 'ls', '-q', '--filter', `label=dev.nexus.workspace=${demo?.id}`]
  assert.match(await must(['docker', ...filter]), /^nexus-demo-\w+_nexus-editors\n$/)
  // from a shell that stands in what is removed
  await scene.ok(['delete', 'demo'], { cwd: join(scene.repo.path, '.worktree', 'demo') })
  assert.is(await must(['docker', ...filter]), '')
  await scene.ok(['delete', 'guarded'])
  assert.match(
    await scene.ok(['gc', '--all']),
    /CachedExte\S+ .*has no workspaces/,
    'what they shared is found afterwards',
  )
}
