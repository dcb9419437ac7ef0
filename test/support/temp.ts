/**
 * Folders and git repositories that live as long as the test: `await using dir = await tempDir()`.
 * They lie in the folder that scripts/test.mjs gives each test file and afterwards finds empty, or complains.
 * With NEXUS_KEEP_FAILED=1 they stay, and the runner removes those of files that passed.
 */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runProcess } from './process.ts'

export interface TempDir extends AsyncDisposable {
  /** Absolute, without symbolic links. */
  readonly path: string
}

/** Short names: the path of a unix socket inside has at most 107 bytes. */
export async function tempDir(parent: string = tmpdir()): Promise<TempDir> {
  await mkdir(parent, { recursive: true })
  const path = await realpath(await mkdtemp(join(parent, 't-')))
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      if (process.env.NEXUS_KEEP_FAILED !== '1') await rm(path, { recursive: true, force: true, maxRetries: 2 })
    },
  }
}

/** Path (relative, with `/`) -> text. */
export type Files = Readonly<Record<string, string>>

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

export interface TempRepo extends TempDir {
  /** stdout without the final line break. @throws {Error} with git's words when it fails */
  git(...args: string[]): Promise<string>
}

export interface TempRepoOptions {
  /** Default: a README.md. */
  readonly files?: Files
  /** Default 1: `files`. Further commits are empty; 0 leaves `files` untracked and the branch unborn. */
  readonly commits?: number
}

/** A repository on branch `main`, with an identity of its own and deaf to the developer's git configuration. */
export async function tempRepo(options: TempRepoOptions = {}): Promise<TempRepo> {
  const { files = { 'README.md': '# A project\n' }, commits = 1 } = options
  const dir = await tempDir()
  const git = (...args: string[]) => runGit(dir.path, args)
  await git('init', '--quiet', '--initial-branch=main')
  const settings = { 'user.name': 'Test', 'user.email': 'test@example.invalid', 'commit.gpgsign': 'false' }
  // git's own housekeeping would go on in the background after the test
  const quiet = { 'gc.auto': '0', 'maintenance.auto': 'false' }
  for (const [key, value] of Object.entries({ ...settings, ...quiet })) await git('config', key, value)
  await writeFiles(dir.path, files)
  for (let n = 1; n <= commits; n++) {
    if (n === 1) await git('add', '--all')
    await git('commit', '--quiet', '--allow-empty', '--message', n === 1 ? 'first' : `commit ${n}`)
  }
  return { ...dir, git }
}

async function runGit(cwd: string, args: readonly string[]): Promise<string> {
  const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' }
  const { code, stdout, stderr } = await runProcess(['git', ...args], { cwd, env })
  if (code !== 0) throw new Error(`git ${args.join(' ')} ended with code ${code}\n${stderr}`)
  return stdout.replace(/\n$/, '')
}
