/**
 * What every backend of the registry must do alike: verbs that are fine with being repeated, states that are observed, exec
 * that passes arguments, streams and codes through, removal that leaves nothing. Docker is the real one.
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Backend } from '../../lib/backends/backend.ts'
import { type CaptureRequest, capture } from '../../lib/backends/captured.ts'
import type { BackendContext } from '../../lib/backends/context.ts'
import { FACET_NAMES, facetOf, facetsOf, requireFacet, sshInfo } from '../../lib/backends/facets.ts'
import type { Housekeeping, Needed } from '../../lib/backends/housekeeping.ts'
import { backendNames, createBackend } from '../../lib/backends/registry.ts'
import { createInterruption, type Interruption } from '../../lib/core/interruption.ts'
import { newWorkspaceId } from '../../lib/core/names.ts'
import { homePaths, workspacePaths } from '../../lib/core/paths.ts'
import type { Reach } from '../../lib/core/reach.ts'
import { withDocker } from '../../lib/core/record-parts.ts'
import type { Command, CommandRequest, Session } from '../../lib/core/session.ts'
import type { WorkspaceRecord } from '../../lib/core/workspace.ts'
import { createLeases } from '../../lib/ports/leases.ts'
import { hear } from '../../lib/system/end-word.ts'
import type { Runner } from '../../lib/system/exec.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createGit } from '../../lib/tools/git.ts'
import { localIn, makeRecord } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { type TempDir, type TempRepo, tempDir, tempRepo } from '../support/temp.ts'

const LIMIT_MS = 180_000
const INSTANCE = Array.from({ length: 4 }, () => newWorkspaceId().slice(3, 7)).join('')
const LABEL = `dev.nexus.instance=${INSTANCE}`

/** A backend of the registry, and what it is told of the kind that it plays. */
interface Kind {
  readonly title: string
  readonly name: string
  readonly env: NodeJS.ProcessEnv
}

/** The mock plays both: mounted with leased ports, and carried without a port of this machine. */
const KINDS: readonly Kind[] = backendNames().flatMap((name) =>
  name === 'mock'
    ? [
        { title: 'mock, mounted', name, env: { NEXUS_MOCK_WITH: 'worktree,local-ports' } },
        { title: 'mock, carried', name, env: {} },
      ]
    : [{ title: name, name, env: {} }],
)

interface Heard {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface World extends AsyncDisposable {
  readonly backend: Backend
  readonly home: string
  readonly repo: TempRepo
  /** A record that is provisioned and configured. */
  make(name: string): Promise<WorkspaceRecord>
  up(name: string): Promise<WorkspaceRecord>
  state(record: WorkspaceRecord): Promise<string>
  exec(record: WorkspaceRecord, argv: readonly string[], more?: Partial<Command> & { input?: string }): Promise<Heard>
  /** What an app gives: every backend by its name. */
  readonly backends: { backend(name: string): Promise<Backend> }
  readonly interruption: Interruption
  open(record: WorkspaceRecord, argv: readonly string[], more?: Partial<CommandRequest>): Session
  /** The same backend for another NEXUS_HOME. */
  stranger(): Promise<Backend>
}

/** A runner whose `attach` has pipes of its own in place of the test's streams. */
function createEars(runner: Runner) {
  const heard = { stdout: '', stderr: '', input: '' }
  const attach: Runner['attach'] = ([program = '', ...args], { cwd, env, endWord } = {}) =>
    new Promise((done, fail) => {
      const child = spawn(program, args, {
        ...(cwd === undefined ? {} : { cwd }),
        env: { ...process.env, ...env },
        stdio: ['pipe', 'pipe', 'pipe'],
      })
      const { stdout, stderr } = hear(child, endWord?.word)
      stdout.setEncoding('utf8').on('data', (text: string) => {
        heard.stdout += text
      })
      stderr.setEncoding('utf8').on('data', (text: string) => {
        heard.stderr += text
      })
      child.stdin.on('error', () => {})
      child.stdin.end(heard.input)
      child.once('error', fail)
      child.once('close', (code, signal) => done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  return { runner: { ...runner, attach }, heard }
}

const RANGE = { start: 20_400, end: 20_599 }
const NOBODY = { enabled: false, includeAgentKeys: false, sources: [] }

function makeContext(dir: TempDir, instance: string, more: NodeJS.ProcessEnv) {
  const interruption = createInterruption()
  const env = { ...process.env, HOME: dir.path, SSH_AUTH_SOCK: undefined, NEXUS_MOCK_WITH: undefined, ...more }
  const emit = () => {}
  const ears = createEars(createRunner(emit, { ...process.env, SSH_AUTH_SOCK: undefined }, interruption))
  const context: BackendContext = {
    runner: ears.runner,
    home: homePaths(join(dir.path, 'n')),
    instance,
    env,
    emit,
    interruption,
  }
  return { context, heard: ears.heard }
}

async function world({ name, env }: Kind): Promise<World> {
  const dir = await tempDir()
  const repo = await tempRepo({ files: { 'README.md': 'hello\n' } })
  const { context, heard } = makeContext(dir, INSTANCE, env)
  const backend = await createBackend(name, context)
  const git = createGit(context.runner)
  const leases = createLeases({ file: context.home.leases, rebuild: async () => [], warn: () => {} })
  const made: WorkspaceRecord[] = []
  await backend.check()

  /** Docker leads from a port here to one inside; what is inside of a mock listens here. */
  async function inside(base: number | undefined): Promise<number> {
    if (name !== 'mock') return 3000
    return base === undefined ? freePort() : base + 1
  }

  async function make(given: string): Promise<WorkspaceRecord> {
    const id = newWorkspaceId()
    const local = backend.code.kind === 'mounted'
    const worktree = local ? join(repo.path, '.worktree', given) : null
    if (worktree !== null) {
      const branch = { name: `nexus/${given}`, create: true, commit: await repo.git('rev-parse', 'HEAD'), again: false }
      await git.addWorktree(repo.path, worktree, branch)
      await git.checkOut(worktree, () => {})
    }
    const range = backend.endpoints.leased?.(RANGE)
    const [base] =
      range === undefined
        ? []
        : await leases.acquire({ workspace: id, name: given, repo: repo.path, range, offsets: [0, 1] })
    let record: WorkspaceRecord = makeRecord(given, repo.path, {
      id,
      displayName: 'Conformance',
      project: 'conformance',
      local: worktree === null ? null : localIn(repo.path, worktree),
      address: backend.endpoints.address,
      backend: name,
      host: backend.host,
      desired: 'running',
      ports: [
        { name: 'ssh', container: 22, protocol: 'tcp', host: base ?? null },
        { name: 'web', container: await inside(base), protocol: 'tcp', host: base === undefined ? null : base + 1 },
      ],
    })
    made.push(record)
    const { docker, ...provided } = await backend.lifecycle.provision(record)
    record = withDocker({ ...record, ...provided }, docker ?? {})
    made[made.length - 1] = record
    await backend.lifecycle.configure(record, NOBODY)
    return record
  }

  return {
    backend,
    home: dir.path,
    repo,
    make,
    up: async (given) => {
      const record = await make(given)
      await backend.lifecycle.start(record, undefined)
      return record
    },
    state: async (record) => (await backend.lifecycle.observe()).get(record.id)?.state ?? 'absent',
    exec: async (record, argv, { input = '', ...more } = {}) => {
      Object.assign(heard, { stdout: '', stderr: '', input })
      const code = await backend.open(record, { argv, cwd: null, env: {}, streams: 'ours', ...more }).ended
      return { code, stdout: heard.stdout, stderr: heard.stderr }
    },
    open: (record, argv, more = {}) => backend.open(record, { argv, cwd: null, env: {}, streams: 'pipes', ...more }),
    backends: { backend: async (other) => (other === name ? backend : createBackend(other, context)) },
    interruption: context.interruption,
    stranger: () =>
      createBackend(name, makeContext({ ...dir, path: join(dir.path, 'other') }, `f${INSTANCE.slice(1)}`, env).context),
    [Symbol.asyncDispose]: async () => {
      for (const record of made) await backend.lifecycle.remove(record)
      await removeImages(name)
      await repo[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

/** The image stays for the next test of the file: its layers are cached, so making it again costs a second. */
async function removeImages(name: string): Promise<void> {
  if (name !== 'docker') return
  const { stdout } = await runProcess(['docker', 'image', 'ls', '--quiet', '--filter', `label=${LABEL}`])
  const ids = [...new Set(stdout.split('\n').filter((id) => id !== ''))]
  if (ids.length > 0) await runProcess(['docker', 'image', 'rm', '--force', ...ids])
}

/** Names of everything in the engine with the label. */
async function partsWith(label: string): Promise<readonly string[]> {
  const kinds = [['container', '--all'], ['network'], ['volume']] as const
  const found = await Promise.all(
    kinds.map(async ([kind, ...more]) => {
      const { code, stdout, stderr } = await runProcess([
        'docker',
        kind,
        'ls',
        ...more,
        '-q',
        '--filter',
        `label=${label}`,
      ])
      assert.is(code, 0, stderr)
      return stdout
        .split('\n')
        .filter((id) => id !== '')
        .map((id) => `${kind} ${id}`)
    }),
  )
  return found.flat()
}

async function readAll(stream: Readable): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

/** What is said to one that connects. */
async function readFrom({ host, port, via }: Reach): Promise<string> {
  if (via !== undefined) return (await runProcess([...via])).stdout
  const socket = connect({ host, port })
  return readAll(socket).catch(() => '')
}

/** Of this machine, as far as anyone can tell. */
function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => done(port))
    })
  })
}

const TRICKY = [
  '',
  ' ',
  'a b',
  `it's`,
  '"q"',
  '$HOME',
  '$(id)',
  '`id`',
  '*',
  '\\',
  'a\nb',
  '-n',
  '--',
  '~',
  'ü 🚀',
  ';',
  '!x',
]

for (const kind of KINDS) {
  const { name } = kind
  suite(`backend ${kind.title}`, (test) => {
    test(
      'knows its name and where it runs',
      async () => {
        await using w = await world(kind)
        assert.is(w.backend.name, name)
        assert.match(w.backend.host, /^[a-z0-9-]+$/)
      },
      LIMIT_MS,
    )

    test(
      'verbs are fine with being repeated, and states are observed',
      async () => {
        await using w = await world(kind)
        const { backend, state } = w
        const record = await w.make('life')
        const observed = async () => (await backend.lifecycle.observe()).get(record.id)
        assert.is(await state(record), 'absent')

        const image = record.docker?.image ?? null
        assert.equal(await backend.lifecycle.provision(record), {
          hostKeyFingerprint: record.hostKeyFingerprint,
          ...(image === null ? {} : { docker: { image } }),
        })
        await backend.lifecycle.configure(record, NOBODY)
        assert.is(await state(record), 'absent', 'configure must start nothing')
        assert.is(await backend.isReachable(record), false)

        for (let i = 0; i < 2; i++) {
          await backend.lifecycle.start(record, await observed())
          assert.equal(await observed(), { state: 'running', reason: '' })
        }
        const { pause } = backend
        if (pause !== undefined) {
          await pause.pause(record)
          assert.is(await state(record), 'paused')
          await pause.resume(record)
          assert.is(await state(record), 'running')
          assert.is((await w.exec(record, ['true'])).code, 0, 'after a resume')
          await pause.pause(record)
        }
        for (let i = 0; i < 2; i++) {
          await backend.lifecycle.stop(record, await observed())
          assert.is(await state(record), 'stopped')
        }
        assert.is(await backend.isReachable(record), false)
        await backend.lifecycle.start(record, await observed())
        assert.is(await state(record), 'running')
        assert.is((await w.exec(record, ['true'])).code, 0, 'after a second start')
        for (let i = 0; i < 2; i++) {
          await backend.lifecycle.remove(record)
          assert.is(await state(record), 'absent')
        }
      },
      LIMIT_MS,
    )

    test(
      'housekeeping measures, names what belongs to no workspace of its own instance, and removes that',
      async () => {
        await using w = await world(kind)
        const keeping = await w.backend.upkeep?.()
        if (keeping === undefined) return
        const record = await w.up('kept')
        const { layers, volumes } = (await keeping.usage()).get(record.id) ?? {}
        assert.equal([typeof layers, volumes], ['number', 0])
        const known = async () => ({
          ids: new Set([record.id]),
          records: [record],
          trashed: new Set<string>(),
          all: false,
        })
        const nobody = async () => ({ ids: new Set<string>(), records: [], trashed: new Set<string>(), all: false })
        const parts = async (from: Housekeeping, needed: () => Promise<Needed>) =>
          (await from.leftovers(needed, false)).filter(({ sort }) => sort === 'part')
        assert.equal(await parts(keeping, known), [])
        const stranger = await (await w.stranger()).upkeep?.()
        assert.equal(stranger === undefined ? [] : await parts(stranger, nobody), [])
        const orphans = await parts(keeping, nobody)
        assert.ok(orphans.length > 0)
        for (const { cause } of orphans) assert.is(cause, `workspace ${record.id} is gone`)
        await keeping.remove(orphans)
        assert.equal(await parts(keeping, nobody), [])
        assert.is(await w.state(record), 'absent')
        for (const check of keeping.checks([record])) assert.ok((await check.run()).length > 0, check.name)
      },
      LIMIT_MS,
    )

    test(
      'a resume of a running one is done already',
      async () => {
        await using w = await world(kind)
        const { pause } = w.backend
        if (pause === undefined) return
        const record = await w.up('calm')
        await pause.resume(record)
        assert.is(await w.state(record), 'running')
      },
      LIMIT_MS,
    )

    test(
      'a pause of a paused one is done already',
      async () => {
        await using w = await world(kind)
        const { pause } = w.backend
        if (pause === undefined) return
        const record = await w.up('calm')
        await pause.pause(record)
        await pause.pause(record)
        assert.is(await w.state(record), 'paused')
      },
      LIMIT_MS,
    )

    test(
      'exec passes exit codes, arguments, streams, variables and folder',
      async () => {
        await using w = await world(kind)
        const record = await w.up('run')
        for (const code of [0, 1, 2, 42, 125, 127, 254]) {
          assert.is((await w.exec(record, ['sh', '-c', `exit ${code}`])).code, code)
        }
        assert.is((await w.exec(record, ['sh', '-c', 'kill -9 $$'])).code, 137)

        const argv = await w.exec(record, ['sh', '-c', 'printf "%s\\0" "$@"', 'sh', ...TRICKY])
        assert.equal(argv.stdout.split('\0').slice(0, -1), TRICKY)
        assert.is(argv.stderr, '')

        const input = 'line one\nline "two" $x\n\u0000\u00fc no newline'
        const echoed = await w.exec(record, ['cat'], { input })
        assert.equal([echoed.code, echoed.stdout, echoed.stderr], [0, input, ''])

        const both = await w.exec(record, ['sh', '-c', 'echo out; echo err >&2; exit 3'])
        assert.equal(both, { code: 3, stdout: 'out\n', stderr: 'err\n' })

        const env = { A: `it's "a" $HOME`, EMPTY: '' }
        const shown = await w.exec(
          record,
          ['sh', '-c', 'printf "%s|%s|%s|%s" "$A" "${EMPTY-unset}" "$NEXUS_WS_ID" "$NEXUS_WS_NAME"'],
          { env },
        )
        assert.is(shown.stdout, `${env.A}||${record.id}|${record.name}`)

        assert.is((await w.exec(record, ['pwd'], { cwd: '/usr' })).stdout, '/usr\n')
        if (record.local !== null) assert.is((await w.exec(record, ['pwd'])).stdout, `${record.local?.worktree}\n`)

        const long = await w.exec(record, ['sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x'])
        assert.is(long.stdout.length, 3_000_000)
      },
      LIMIT_MS,
    )

    test(
      'capture returns what a command says, in its order, and ends it at its limit',
      async () => {
        await using w = await world(kind)
        const record = await w.up('heard')
        const hear = (argv: readonly string[], more: Partial<CaptureRequest> = {}) =>
          capture(w, w.backend, record, { argv, cwd: null, env: {}, timeoutMs: 20_000, ...more })
        const lines: string[] = []
        const onLine = (line: string) => lines.push(line)
        const script = 'echo "$A"; echo err >&2; echo out; exit 3'
        const both = await hear(['sh', '-c', script], { env: { A: `it's $x` }, onLine })
        assert.equal(both, { code: 3, output: `it's $x\nerr\nout\n` })
        assert.equal(lines, [`it's $x`, 'err', 'out'])
        const argv = await hear(['sh', '-c', 'printf "%s\\0" "$@"', 'sh', ...TRICKY])
        assert.equal(argv.output.split('\0').slice(0, -1), TRICKY)
        assert.is((await hear(['no-such-program'])).code, 127)
        assert.equal(await hear(['cat']), { code: 0, output: '' }, 'stdin is closed')
        assert.is((await hear(['pwd'], { cwd: '/usr' })).output, '/usr\n')

        await rejects(() => hear(['sh', '-c', 'sleep 4322 & sleep 4322; wait'], { timeoutMs: 500 }), 'TIMEOUT')
        // it is the only one of that length on this machine, inside and out
        await eventually(async () => (await runProcess(['pgrep', '-f', '^sleep 4322$'])).code === 1)
        assert.is((await hear(['true'])).code, 0, 'afterwards')
      },
      LIMIT_MS,
    )

    test(
      'inside is the worktree, and git works on it',
      async () => {
        await using w = await world(kind)
        if (w.backend.code.kind !== 'mounted') return
        const record = await w.up('work')
        assert.is((await w.exec(record, ['cat', 'README.md'])).stdout, 'hello\n')
        const inside = await w.exec(record, ['git', 'commit', '--quiet', '--allow-empty', '-m', 'from inside'])
        assert.is(inside.code, 0, inside.stderr)
        assert.is(await w.repo.git('log', '-1', '--format=%s %an', record.branch), 'from inside Test')
        assert.is((await w.exec(record, ['touch', 'made inside'])).code, 0)
        assert.ok(existsSync(join(record.local?.worktree ?? '', 'made inside')))
      },
      LIMIT_MS,
    )

    test(
      'removal leaves nothing, and nothing of a neighbour is touched',
      async () => {
        await using w = await world(kind)
        const [gone, stays] = [await w.up('gone'), await w.up('stays')]
        assert.equal([...(await w.backend.lifecycle.observe()).keys()].sort(), [gone.id, stays.id].sort())
        assert.equal([...(await (await w.stranger()).lifecycle.observe()).keys()], [], 'another home sees them')
        await w.backend.lifecycle.remove(gone)
        assert.equal([...(await w.backend.lifecycle.observe()).keys()], [stays.id])
        assert.is((await w.exec(stays, ['true'])).code, 0)
        if (name === 'docker') {
          assert.equal(await partsWith(`dev.nexus.workspace=${gone.id}`), [])
          assert.is((await partsWith(`dev.nexus.workspace=${stays.id}`)).length, 2)
        }
        await w.backend.lifecycle.remove(stays)
        if (name === 'docker') assert.equal(await partsWith(LABEL), [])
      },
      LIMIT_MS,
    )

    test(
      'removal of what never started is fine',
      async () => {
        await using w = await world(kind)
        const record = await w.make('never')
        await w.backend.lifecycle.stop(record, undefined)
        await w.backend.lifecycle.remove(record)
        assert.is(await w.state(record), 'absent')
      },
      LIMIT_MS,
    )

    test(
      'git runs where the files are, while it runs and while it does not, and is gone afterwards',
      async () => {
        await using w = await world(kind)
        const git = facetOf(w.backend, 'git')
        if (git === undefined) return
        const record = await w.up('git')
        const ask = async (running: boolean, ...args: string[]) => {
          const [program = '', ...words] = await git.command(record, args, running)
          return runProcess([program, ...words], {})
        }
        const commit = await w.repo.git('rev-parse', 'HEAD')
        const tricky = [`alias.x=!printf %s "it's \\$HOME"`, '-c']
        for (const running of [true, false]) {
          assert.is(
            (await ask(running, 'rev-parse', 'HEAD', '--show-toplevel')).stdout,
            `${commit}\n${record.local?.worktree}\n`,
          )
          assert.is((await ask(running, 'rev-parse', '--verify', '--quiet', 'none')).code, 1)
          assert.is((await ask(running, '-c', tricky[0] ?? '', 'x')).stdout, "it's $HOME")
          if (running) await w.backend.lifecycle.stop(record, undefined)
        }
        assert.is.not((await ask(false, 'commit', '--allow-empty', '-m', 'x')).code, 0, 'the files can be changed')
        assert.equal(
          (await partsWith(`dev.nexus.workspace=${record.id}`)).filter((part) => part.startsWith('container')).length,
          1,
        )
      },
      LIMIT_MS,
    )

    test(
      'what it lacks is UNSUPPORTED, with the backend and those that have it',
      async () => {
        await using w = await world(kind)
        const all = await Promise.all(backendNames().map((other) => w.backends.backend(other)))
        for (const facet of FACET_NAMES) {
          const asked = requireFacet(w.backends, w.backend, facet, 'that')
          if (facetsOf(w.backend).has(facet)) {
            assert.ok((await asked) === facetOf(w.backend, facet))
            continue
          }
          const error = await rejects(() => asked, 'UNSUPPORTED')
          assert.equal(error.details, { backend: name, capability: facet })
          for (const other of all) {
            const named = error.hint?.includes(`--backend ${other.name}`) ?? false
            assert.is(named, facetOf(other, facet) !== undefined, `${facet}: ${error.hint}`)
          }
        }
      },
      LIMIT_MS,
    )

    test(
      'a session hands its streams over, is signalled, ended and cut',
      async () => {
        await using w = await world(kind)
        const record = await w.up('streams')
        const script = 'echo err >&2; cat; exit 7'
        const session = w.open(record, ['sh', '-c', script])
        await session.ready
        session.stdin?.end('in')
        const said = await Promise.all([readAll(session.stdout), readAll(session.stderr)])
        assert.equal([...said, await session.ended], ['in', 'err\n', 7])

        const deaf = w.open(record, ['cat'], { streams: 'output' })
        assert.is(deaf.stdin, null)
        assert.equal([await readAll(deaf.stdout), await deaf.ended], ['', 0])

        // each is the only one of that length on this machine, inside and out
        const sleeper = (seconds: number) => runProcess(['pgrep', '-f', `^sleep ${seconds}$`])
        const asleep = async (seconds: number, more: Partial<CommandRequest> = {}) => {
          const begun = w.open(record, ['sleep', String(seconds)], more)
          begun.stdout.resume()
          begun.stderr.resume()
          await eventually(async () => (await sleeper(seconds)).code === 0)
          return begun
        }
        const signalled = await asleep(4323)
        await signalled.signal('SIGTERM')
        assert.is(await signalled.ended, 143)
        const ended = await asleep(4324)
        await ended.end()
        await eventually(async () => (await sleeper(4324)).code === 1)
        const cut = await asleep(4325, { apart: true })
        cut.cut()
        await cut.ended
        await cut.signal('SIGKILL')
        await eventually(async () => (await sleeper(4325)).code === 1)

        if (w.backend.ssh === undefined) return
        const terminal = w.open(record, ['sh', '-c', 'stty size; read x; stty size'], {
          tty: { columns: 90, rows: 30 },
        })
        await terminal.ready
        const shown = readAll(terminal.stdout)
        await terminal.resize({ columns: 100, rows: 40 })
        terminal.stdin?.write('\n')
        assert.match(await shown, /^30 90\s+40 100\s*$/)
        assert.is(await terminal.ended, 0)
      },
      LIMIT_MS,
    )

    test(
      'what listens inside is reached as it is said',
      async () => {
        await using w = await world(kind)
        const record = await w.up('reached')
        const [, web] = record.ports
        const reach = web === undefined ? undefined : w.backend.endpoints.reach(record, web)
        if (web === undefined || reach === undefined) return assert.not(w.backend.endpoints.leased)
        if (w.backend.endpoints.leased !== undefined) assert.equal([reach.port, reach.via], [web.host, undefined])
        const node = `require("net").createServer((s) => s.end("hello")).listen(${web.container}, "127.0.0.1")`
        const script = `if [ -x ${process.execPath} ]; then exec ${process.execPath} -e '${node}'
          else while :; do echo hello | nc -l -N -p ${web.container}; done; fi`
        const server = w.open(record, ['sh', '-c', script], { streams: 'output' })
        server.stdout.resume()
        server.stderr.resume()
        await eventually(async () => (await readFrom(reach)).trim() === 'hello')
        await server.signal('SIGTERM')
        await server.ended
        for (const { name: port } of record.ports.filter(({ host }) => host === null))
          assert.is(sshInfo(w.backend, record).port, null, port)
      },
      LIMIT_MS,
    )

    test(
      'code that is carried comes and goes through the one way in',
      async () => {
        await using w = await world(kind)
        const { code } = w.backend
        if (code.kind !== 'carried') return
        const record = await w.up('carried')
        const folder = code.folder(record)
        assert.match(folder, /^\//)
        const git = async (args: readonly string[], input = '') => {
          const session = w.open(record, ['git', ...args])
          session.stdin?.end(input)
          const [stdout, stderr] = await Promise.all([readAll(session.stdout), readAll(session.stderr)])
          assert.is(await session.ended, 0, stderr)
          return stdout
        }
        await git(['init', '--quiet', folder])
        const commit = await w.repo.git('rev-parse', 'HEAD')
        const there = await w.repo.git('fast-export', 'HEAD')
        await git(['-C', folder, 'fast-import', '--quiet'], `${there}\n`)
        assert.match(await git(['-C', folder, 'rev-parse', '--all']), new RegExp(commit))
        assert.is(await git(['-C', folder, 'show', `${commit}:README.md`]), 'hello\n')
        const back = await git(['-C', folder, 'fast-export', '--all'])
        assert.match(back, /hello/)
      },
      LIMIT_MS,
    )

    test(
      'its ssh is described as it is',
      async () => {
        await using w = await world(kind)
        const record = await w.make('door')
        const info = sshInfo(w.backend, record)
        assert.is(info.workspaceId, record.id)
        assert.is(info.enabled, w.backend.ssh !== undefined)
        const port = info.enabled ? (record.ports.find((one) => one.name === 'ssh')?.host ?? null) : null
        assert.is(info.port, port)
        assert.is(info.connectionCommand, info.enabled ? `ssh nexus@localhost -p ${port}` : null)
        assert.is(info.hostKeyFingerprint, record.hostKeyFingerprint)
        if (info.enabled) assert.match(info.hostKeyFingerprint ?? '', /^SHA256:[A-Za-z0-9+/]{43}$/)
      },
      LIMIT_MS,
    )

    test(
      'the compose file works by hand',
      async () => {
        await using w = await world(kind)
        if (w.backend.stack === undefined) return
        const record = await w.make('hand')
        const file = workspacePaths(homePaths(join(w.home, 'n')), record.id).composeFile
        const compose = async (...args: readonly string[]) => {
          const result = await runProcess(['docker', 'compose', '-f', file, ...args])
          assert.is(result.code, 0, result.stderr)
          return result.stdout
        }
        await compose('up', '-d')
        assert.is(await w.state(record), 'running')
        assert.match(await compose('ps'), /workspace/)
        await compose('logs')
        await compose('down')
        assert.is(await w.state(record), 'absent')
        assert.equal(await partsWith(`dev.nexus.workspace=${record.id}`), [])
      },
      LIMIT_MS,
    )
  })
}
