// What the floors of `bench.mjs` start: stacks that somebody would write by hand, made from what Nexus generated for the same; and a
// home with many workspaces.
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const ID = 'ws-floorflo'

/** The same image, mounts and ports, with keys of its own made beforehand; returns the port of its ssh, as text. */
export async function prepareFloor(dir, parts, repo, standing) {
  const text = await readFile(join(parts, 'docker-compose.yml'), 'utf8')
  const port = 39_990
  const own = inOtherSubnet(text)
    .replaceAll(standing.worktree, join(repo, '.worktree', 'floor'))
    .replaceAll(join(parts, 'ssh'), join(dir, 'ssh'))
    .replaceAll(String(standing.ssh.port), String(port))
    .replace(/^name: .*$/m, 'name: nexus-bench-floor')
    .replaceAll(/^.*dev\.nexus\..*$\n/gm, '')
    .replaceAll(/^\s*labels:\s*$\n/gm, '')
  await writeFile(join(dir, 'docker-compose.yml'), own)
  await copySshFiles(parts, dir, port)
  return String(port)
}

/**
 * The reference project (test/fixtures/projects/shop): a repository of its own, and for the floor the same files with the same
 * override and one more service. Returns variables for the floor's scripts.
 * @param run starts a program in a folder
 */
export async function prepareProject({ root, program, work, home, run, nexus }) {
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
  const { stdout } = await run('node', [program, 'status', 'model', '--repo', repo, '--json'])
  const model = JSON.parse(stdout)
  const parts = join(home, 'workspaces', model.id)
  const worktree = join(repo, '.worktree', 'floor')
  const port = 39_980
  let next = port
  const ports = new Map([[String(model.ssh.port), String(next++)]])
  for (const { host } of model.ports) if (!ports.has(String(host))) ports.set(String(host), String(next++))
  const byHand = (text) =>
    inOtherSubnet(text)
      .replaceAll(model.worktree, worktree)
      .replaceAll(join(parts, 'ssh'), join(floor, 'ssh'))
      .replaceAll(parts, floor)
      .replaceAll(model.id, ID)
      .replaceAll(/nexus-model-\w+/g, 'nexus-bench-shop')
      .replaceAll(/"(\d{5})"/g, (whole, number) => (ports.has(number) ? `"${ports.get(number)}"` : whole))
  for (const name of (await readdir(parts)).filter((one) => one.endsWith('.yml')))
    await writeFile(join(floor, name), byHand(await readFile(join(parts, name), 'utf8')))
  await copySshFiles(parts, floor, port)
  await nexus('delete', 'model', '--repo', repo, '--force')
  return { repo, env: { BENCH_REPO: repo, BENCH_FLOOR: floor, BENCH_PORT: String(port) } }
}

/** Beside that of the workspace it was made from. */
function inOtherSubnet(text) {
  return text.replaceAll('10.213.', '10.214.')
}

/** The keys of its sshd, and what a client knows it by. */
async function copySshFiles(parts, dir, port) {
  await cp(join(parts, 'ssh'), join(dir, 'ssh'), { recursive: true })
  const [type, blob] = (await readFile(join(dir, 'ssh', 'ssh_host_ed25519_key.pub'), 'utf8')).split(' ')
  await writeFile(join(dir, 'known_hosts'), `[127.0.0.1]:${port} ${type} ${blob}\n`)
}

/** A home with 100 mock workspaces, as `nexus create --backend mock` would have made them one by one. */
export async function makeCrowd(home, sample) {
  const record = JSON.parse(await readFile(sample, 'utf8'))
  const states = {}
  for (let i = 0; i < 100; i++) {
    const id = `ws-${[...String(i).padStart(8, '0')].map((digit) => 'abcdefghij'[Number(digit)]).join('')}`
    states[id] = 'running'
    await mkdir(join(home, 'workspaces', id), { recursive: true })
    const mock = { ...record, id, name: `crowd-${i}`, backend: 'mock', local: null, docker: undefined }
    await writeFile(join(home, 'workspaces', id, 'workspace.json'), JSON.stringify(mock))
  }
  await mkdir(join(home, 'state'), { recursive: true })
  await writeFile(join(home, 'state', 'instance'), '0123456789abcdef\n')
  await writeFile(join(home, 'state', 'mock.json'), JSON.stringify({ schema: 1, workspaces: states }))
  return home
}
