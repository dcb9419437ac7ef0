// A repository with 50,000 ignored files that a new worktree needs, for the bench case of that name.
import { mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const PACKAGES = 500
const FOLDERS = 5
const FILES = 20

/**
 * Copies of the files are set aside and removed after all rounds: some file systems (ext4) look at each file that was removed
 * a moment ago before they make one, which takes ten times as long as the copy.
 */
export async function prepareIgnored({ work, run }) {
  const repo = join(work, 'ignored')
  const aside = join(work, 'ignored-floor')
  await Promise.all([mkdir(repo), mkdir(aside)])
  await writeFile(join(repo, '.gitignore'), 'node_modules/\n')
  await writeFile(join(repo, '.worktreeinclude'), 'node_modules/\n')
  const git = (...args) => run('git', ['-C', repo, '-c', 'user.name=b', '-c', 'user.email=b@b.invalid', ...args])
  await git('init', '--quiet', '-b', 'main')
  await git('add', '-A')
  await git('commit', '--quiet', '-m', 'Ignored files')
  for (let i = 0; i < PACKAGES * FOLDERS; i++) {
    const folder = join(repo, 'node_modules', `package-${i % PACKAGES}`, `lib-${Math.floor(i / PACKAGES)}`)
    await mkdir(folder, { recursive: true })
    const names = Array.from({ length: FILES }, (_, n) => join(folder, `${n}.js`))
    await Promise.all(names.map((name, n) => writeFile(name, `export const value = ${i * FILES + n}\n`)))
  }
  const setAside = async () =>
    rename(join(repo, '.worktree', 'bench', 'node_modules'), join(await mkdtemp(join(aside, 'nexus-')), 'node_modules'))
  return { repo, env: { BENCH_REPO: repo, BENCH_FLOOR: aside }, setAside }
}
