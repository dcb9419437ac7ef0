// The reference project (test/fixtures/projects/shop) for `bench.mjs`: a repository of its own, and for the floor the same files with
// the same override and one more service, as somebody would write them by hand.
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const ID = 'ws-floorflo'

/** Variables for the floor's scripts. @param run starts a program in a folder */
export async function prepareProject({ root, work, home, run, nexus }) {
  const repo = join(work, 'shop')
  const floor = join(work, 'shop-floor')
  await cp(join(root, 'test', 'fixtures', 'projects', 'shop'), repo, { recursive: true })
  await mkdir(floor)
  const git = (...args) => run('git', ['-C', repo, '-c', 'user.name=b', '-c', 'user.email=b@b.invalid', ...args])
  await git('init', '--quiet', '-b', 'main')
  await git('add', '-A')
  await git('commit', '--quiet', '-m', 'Shop')
  await copyFile(join(repo, '.env.example'), join(repo, '.env'))

  await nexus('create', 'model', '--repo', repo)
  const { stdout } = await run('node', [join(root, 'dist', 'nexus.js'), 'status', 'model', '--repo', repo, '--json'])
  const model = JSON.parse(stdout)
  const parts = join(home, 'workspaces', model.id)
  const worktree = join(repo, '.worktree', 'floor')
  const port = 39_980
  let next = port
  const ports = new Map([[String(model.ssh.port), String(next++)]])
  for (const { host } of model.ports) if (!ports.has(String(host))) ports.set(String(host), String(next++))
  const byHand = (text) =>
    text
      .replaceAll(model.worktree, worktree)
      .replaceAll(join(parts, 'ssh'), join(floor, 'ssh'))
      .replaceAll(parts, floor)
      .replaceAll(model.id, ID)
      .replaceAll(/nexus-model-\w+/g, 'nexus-bench-shop')
      .replaceAll(/10\.213\./g, '10.214.')
      .replaceAll(/"(\d{5})"/g, (whole, number) => (ports.has(number) ? `"${ports.get(number)}"` : whole))
  for (const name of (await readdir(parts)).filter((one) => one.endsWith('.yml')))
    await writeFile(join(floor, name), byHand(await readFile(join(parts, name), 'utf8')))
  await cp(join(parts, 'ssh'), join(floor, 'ssh'), { recursive: true })
  const [type, blob] = (await readFile(join(parts, 'ssh', 'ssh_host_ed25519_key.pub'), 'utf8')).split(' ')
  await writeFile(join(floor, 'known_hosts'), `[127.0.0.1]:${port} ${type} ${blob}\n`)
  await nexus('delete', 'model', '--repo', repo, '--force')
  return { repo, env: { BENCH_REPO: repo, BENCH_FLOOR: floor, BENCH_PORT: String(port) } }
}
