/**
 * Every program that a verb starts on this machine, seen by the kernel (`strace -f -e trace=execve`): on a project that is full of
 * traps, for a stranger's branch, in an agent's workspace where the agent laid more of them. Each call must stand on the short list
 * below, with its reason. A verb that is not traced here fails the last test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { VERBS } from '../../lib/verbs/all-verbs.ts'
import { ensurePrograms } from '../support/packages.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { writeFiles } from '../support/temp.ts'
import { must, openScene, type Scene } from './scene.ts'

const LIMIT_MS = 600_000

interface Allowed {
  /** Of the program's absolute path, a space, and its words behind argv[0]. */
  readonly call: RegExp
  readonly why: string
}

const ALLOWED: readonly Allowed[] = [
  { call: /^\S+\/node \S+\/dist\/nexus\.js /, why: 'Nexus itself, and the server that it leaves behind' },
  { call: /^\/\S*bash -c exec /, why: 'how a captured command is started: the call itself comes next' },
  {
    call: /^\/\S*bash -c (read -r word;|kill |n=\$1; last=\()/,
    why: 'stands by until a command of Nexus has ended',
  },
  { call: /^\/\S*\/(bash|git) --version$/, why: 'doctor looks at what is installed' },
  { call: /^\/\S*bash -- \S+\/dist\/\S+\.sh /, why: 'a script that Nexus brings' },
  { call: /^\/usr(\/local)?\/bin\/git (-c \S+ )*-C \//, why: "git as Nexus calls it, with Nexus's own settings" },
  { call: /^\/usr\/lib\/git-core\/git[\w-]* /, why: 'git goes on in a program of its own' },
  { call: /^\S*\/bin\/docker /, why: 'the engine is asked and told' },
  { call: /^\/usr\/\S*\/cli-plugins\/docker-(compose|buildx) /, why: 'plugins of docker: compose and the builder' },
  { call: /^\/usr\/bin\/(ssh|ssh-keygen|ssh-add) /, why: 'the way in, and its keys' },
  {
    call: /^\/usr\/bin\/(chown|chgrp|chmod|find|du|cp|rm|mv|ps|ss|getent|id|tar|true) /,
    why: 'files of this user, by absolute paths',
  },
  { call: /^\/usr\/bin\/timeout /, why: 'of this test: it ends a verb that goes on for ever' },
]

/** What a planted program does when it runs here: it leaves a note. */
const trap = (note: string) => `#!/bin/sh\necho "$0 $*" >> ${note}\n`
const PROGRAMS = ['git', 'docker', 'docker-compose', 'ssh', 'node', 'bash', 'sh', 'tar', 'chown', 'find']

/** A bare repository as a commit can hold it: git in this folder would obey its configuration. */
function bareRepository(note: string) {
  const config = `[core]
\trepositoryformatversion = 1
\tbare = false
\tworktree = .
\tfsmonitor = ${note}.sh
\tsshCommand = ${note}.sh
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = ssh://x/y
\tpromisor = true
`
  return { HEAD: 'ref: refs/heads/main\n', 'refs/heads/main': `${'1'.repeat(40)}\n`, 'objects/.keep': '', config }
}

function hostileFiles(note: string): Record<string, string> {
  const below = Object.entries(bareRepository(note)).map(([name, text]) => [`sub/${name}`, text] as const)
  return {
    'compose.yaml': 'services:\n  web:\n    build: ./sub\n    command: sleep infinity\n    ports: ["80"]\n',
    'sub/Dockerfile': 'FROM debian:bookworm-slim\n',
    '.env': `TAG=1\nNODE_OPTIONS=--require ./trap.js\n`,
    '.gitattributes': '*.txt diff=odd merge=odd\n',
    '.mailmap': 'A <a@b.invalid>\n',
    'a.txt': 'a\n',
    ...Object.fromEntries(below),
    ...Object.fromEntries(PROGRAMS.map((name) => [name, trap(note)])),
    '.husky/post-checkout': trap(note),
    '.husky/post-merge': trap(note),
    '.husky/pre-push': trap(note),
  }
}

interface Play {
  readonly scene: Scene
  readonly logs: string
  readonly note: string
  /** How many verbs were begun. */
  begun: number
  /** Verbs that ended otherwise than they should. */
  readonly failed: string[]
}

/** Runs a verb under strace; `-D` leaves the tracer behind with what the verb leaves behind. */
async function traced(
  play: Play,
  args: readonly string[],
  options: { code?: number; cwd?: string; endless?: true } = {},
) {
  const { scene, logs, failed } = play
  const log = join(logs, `${play.begun++} ${args.join(' ').replaceAll('/', '_').slice(0, 60)}`)
  const words = [process.execPath, join(process.cwd(), 'dist', 'nexus.js'), ...args]
  // files for its output: the tracer that is left behind holds whatever it inherits
  const shell = 'exec strace -D -f -qq --seccomp-bpf -s 500 -e trace=execve -o "$0" -- "$@" > "$0.out" 2>&1'
  const limited = options.endless === undefined ? [] : ['timeout', '--signal=INT', '3']
  const env = { HOME: scene.home, NEXUS_HOME: join(scene.home, '.nexus'), SSH_AUTH_SOCK: undefined }
  const cwd = options.cwd ?? scene.repo.path
  const { code } = await runProcess(['bash', '-c', shell, log, ...limited, ...words], { cwd, env, timeoutMs: 60_000 })
  const expected = options.code ?? (options.endless === undefined ? 0 : 124)
  if (code !== expected)
    failed.push(`nexus ${args.join(' ')} ended with ${code}\n${readFileSync(`${log}.out`, 'utf8')}`)
}

interface Call {
  readonly verb: string
  readonly text: string
}

/** Programs that were really started: `123 execve("/bin/x", ["x", "y"], ...) = 0`, perhaps in two halves. */
function callsOf(logs: string): readonly Call[] {
  const verbs = readdirSync(logs).filter((name) => !name.endsWith('.out'))
  return verbs.flatMap((verb) => {
    const begun = new Map<string, string>()
    return readFileSync(join(logs, verb), 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
        if (rest.startsWith('execve(')) begun.set(pid, rest)
        if (!/= 0$/.test(rest)) return []
        const [, program = '', argv = ''] =
          /^execve\("((?:[^"\\]|\\.)*)", \[(.*?)\](?:\.\.\.)?, 0x/.exec(begun.get(pid) ?? '') ?? []
        const words = [...argv.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word)
        return [{ verb, text: `${program} ${words.slice(1).join(' ')}` }]
      })
  })
}

async function openPlay(): Promise<Play & AsyncDisposable> {
  await ensurePrograms({ strace: 'strace' })
  const scene = await openScene({ files: {} })
  const logs = join(scene.root, 'logs')
  const note = join(scene.root, 'ran')
  await mkdir(logs)
  const { repo } = scene
  await writeFiles(repo.path, hostileFiles(note))
  for (const name of [...PROGRAMS, '.husky/post-checkout', '.husky/post-merge', '.husky/pre-push'])
    await chmod(join(repo.path, name), 0o755)
  await repo.git('add', '--all', '--force')
  await repo.git('commit', '--quiet', '--message', 'traps')
  // a branch of somebody else's, with one more commit; hooks of the user's are found by a relative path, as husky has it
  await repo.git(
    'update-ref',
    'refs/remotes/origin/stranger',
    await repo.git('commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', 'theirs'),
  )
  await repo.git('rm', '--quiet', '-r', '--cached', '.husky')
  await repo.git('commit', '--quiet', '--message', 'without hooks')
  await must(['rm', '-r', join(repo.path, '.husky')])
  await repo.git('config', 'core.hooksPath', '.husky')
  return { scene, logs, note, begun: 0, failed: [], [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose]() }
}

const PLANT = `
for name in ${PROGRAMS.join(' ')}; do cp /workspace/git ./.bin-$name; done
git config core.fsmonitor ./git; git config core.hooksPath .husky; git config diff.odd.textconv ./git
git config filter.odd.clean ./git; git config core.sshCommand ./git; git config gpg.program ./git
mkdir -p planted && cd planted && git init -q . && git config core.fsmonitor ../git && cd ..
echo more >> a.txt; echo new > new.txt
git -c core.fsmonitor=false -c filter.odd.clean=cat -c core.hooksPath=/dev/null commit -qam theirs
echo open >> a.txt
`

/** Every verb on the agent's workspace of the stranger's branch, and those that make or change one on the user's own, too. */
async function playAll(play: Play): Promise<void> {
  const { scene } = play
  const worktree = (name: string) => join(scene.repo.path, '.worktree', name)
  const run = (line: string, options?: Parameters<typeof traced>[2]) => traced(play, line.split(' '), options)
  const inTurn = async (lines: readonly string[]) => {
    for (const line of lines) await run(line)
  }
  await run('up own')
  await run('create stranger --isolation agent')
  await traced(play, ['exec', 'stranger', '--', 'sh', '-c', PLANT])
  // what only looks can look at the same time, and what happens to one workspace is nothing to the other
  await Promise.all([
    inTurn(['list --dirty --size', 'top stranger', 'ports stranger', 'log stranger', 'keys list stranger', 'doctor']),
    inTurn([
      'status stranger',
      'logs stranger',
      'diff stranger',
      'compare own stranger',
      'network show stranger',
      'trust',
    ]),
    inTurn([
      'config show',
      'config get isolation',
      'ssh-config print',
      'api token show',
      'version',
      'help',
      'completion bash',
    ]),
    inTurn([
      'init --dry-run',
      'complete -- nexus up ',
      'open stranger --web --dry-run',
      `cp own:/etc/hostname ${scene.root}/hostname`,
    ]),
    run('current', { cwd: worktree('stranger') }),
    // they read the home of the user database, which is not this test's, and refuse before they start anything else
    ...['install', 'uninstall'].map((verb) => run(`ssh-config ${verb}`, { code: 2 })),
  ])
  await inTurn(['pull stranger', 'push stranger', 'keys rotate stranger'])
  await inTurn(['network allow stranger one.example', 'network deny stranger one.example', 'network log stranger'])
  await Promise.all([
    inTurn([
      'ssh stranger -- true',
      'tmux stranger --detach -- true',
      'pause stranger',
      'resume stranger',
      'stop stranger',
    ]),
    inTurn(['stop own', 'start own', 'rebuild own']),
  ])
  await Promise.all([
    inTurn(['wake stranger --client terminal', 'start stranger', 'restart stranger', 'rebuild stranger']),
    inTurn([
      'config set defaults.idle_timeout 20m',
      'config unset defaults.idle_timeout',
      'api /workspaces',
      'serve status',
    ]),
  ])
  await inTurn(['serve stop', 'repair --all', 'gc', 'trust approve all', 'trust revoke all', 'run -- true'])
  await Promise.all(['watch stranger', 'events', 'forward stranger 8080'].map((line) => run(line, { endless: true })))
  await run('serve', { endless: true })
  await run('merge stranger')
  await run('delete own --force')
  await run('rename stranger other')
  await run('delete other --force')
  await run('trash list')
  await run('trash restore other')
  await run('delete other --force')
  await run('trash empty')
  await scene.repo.git(
    'worktree',
    'add',
    '--quiet',
    '-b',
    'by-hand',
    join(scene.root, 'by-hand'),
    'refs/remotes/origin/stranger',
  )
  await run(`adopt ${join(scene.root, 'by-hand')} --isolation agent --name adopted`)
  await run('prune --merged')
}

suite('programs that a verb starts', (test) => {
  let calls: readonly Call[] = []

  test(
    'each stands on the short list, and none lies in the project',
    async () => {
      await using play = await openPlay()
      const { root } = play.scene
      await playAll(play)
      calls = callsOf(play.logs)
      assert.is(play.failed.join('\n'), '')
      const isAllowed = ({ text }: Call) => !text.startsWith(`${root}/`) && ALLOWED.some(({ call }) => call.test(text))
      const others = calls.filter((call) => !isAllowed(call)).map(({ verb, text }) => `${verb}: ${text.slice(0, 300)}`)
      assert.equal([...new Set(others)], [])
      assert.is(existsSync(play.note) ? readFileSync(play.note, 'utf8') : '', '')
    },
    LIMIT_MS,
  )

  test('every verb was traced', () => {
    const traced = [...new Set(calls.map(({ verb }) => verb))].map((verb) => verb.replace(/^\d+ /, ''))
    const missing = VERBS.filter(({ name }) => !traced.some((line) => line === name || line.startsWith(`${name} `)))
    assert.equal(
      missing.map(({ name }) => name),
      [],
    )
  })
})
