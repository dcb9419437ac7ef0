// What a test left behind, for scripts/test.mjs: processes (through /proc) and Docker objects (by Nexus's label).
// Looks and names; the only thing it ends are processes that it just named. JavaScript, because the runner is.
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
/**
 * Also on what tests make of their own. The images of test/support/images.ts have `dev.nexus.test` instead: they stay on the
 * engine as a cache, and are no leftovers.
 */
const LABEL = 'dev.nexus.instance'
const COLUMNS = `{{.Label "${LABEL}"}}\t{{.Label "dev.nexus.repo"}}`

/**
 * Living processes of the group, or with the folder in their command line or environment (TMPDIR is inherited, so that
 * daemons in sessions of their own are found too). Those about to end get until `graceMs`. Empty where there is no /proc.
 */
export async function findProcesses({ group, folder }, graceMs) {
  const deadline = performance.now() + graceMs
  for (;;) {
    const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
    const seen = await Promise.all(pids.map((pid) => describeProcess(pid, group, folder)))
    const found = seen.filter((entry) => entry !== undefined)
    if (found.length === 0 || performance.now() > deadline) return found
    await pause(25)
  }
}

async function describeProcess(pid, group, folder) {
  const read = (file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
  const stat = await read('stat')
  // the program's name in parentheses may hold anything; after it: state, parent, group
  const [state = 'X', , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if ('ZX'.includes(state) || Number(pid) === process.pid) return undefined
  const command = await read('cmdline')
  const ours = Number(pgrp) === group || command.includes(folder) || (await read('environ')).includes(folder)
  return ours ? { pid: Number(pid), command: command.replaceAll('\0', ' ').trim() } : undefined
}

export function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // it ended meanwhile, or it is another user's: then it was named at least
    if (error.code !== 'ESRCH' && error.code !== 'EPERM') throw error
  }
}

/** Everything on the engine that a Nexus made; undefined when the engine does not answer in time. */
export async function listDockerObjects(timeoutMs) {
  const docker = async (...args) => (await run('docker', args, { timeout: timeoutMs })).stdout.trim().split('\n')
  const list = async (kind, name, ...args) => {
    const lines = await docker(...args, '--filter', `label=${LABEL}`, '--format', `${name}\t${COLUMNS}`)
    return parseObjects(kind, lines)
  }
  try {
    const objects = await Promise.all([
      list('container', '{{.Names}}', 'ps', '--all'),
      list('network', '{{.Name}}', 'network', 'ls'),
      list('volume', '{{.Name}}', 'volume', 'ls'),
      listImages(docker),
    ])
    return objects.flat()
  } catch {
    return undefined
  }
}

/** `docker image ls` cannot print labels. */
async function listImages(docker) {
  const ids = await docker('image', 'ls', '--quiet', '--no-trunc', '--filter', `label=${LABEL}`)
  if (ids[0] === '') return []
  const name = '{{if .RepoTags}}{{index .RepoTags 0}}{{else}}{{.Id}}{{end}}'
  const format = `${name}\t{{index .Config.Labels "${LABEL}"}}\t`
  return parseObjects('image', await docker('image', 'inspect', '--format', format, ...new Set(ids)))
}

function parseObjects(kind, lines) {
  return lines.filter(Boolean).map((line) => {
    const [name, instance, repo = ''] = line.split('\t')
    return { kind, name, instance, repo }
  })
}

/**
 * Objects that came during the run and are ours. Somebody else may work on the same engine meanwhile: their instances
 * were there before, or have a workspace whose repository lies outside of our folder.
 */
export function newDockerObjects(before, after, folder) {
  const isOurs = ({ repo }) => repo.startsWith(`${folder}/`)
  const known = new Set(before.map(({ kind, name }) => `${kind} ${name}`))
  const foreign = new Set(before.map(({ instance }) => instance))
  for (const object of after) if (object.repo !== '' && !isOurs(object)) foreign.add(object.instance)
  return after.filter(
    (object) => !known.has(`${object.kind} ${object.name}`) && (isOurs(object) || !foreign.has(object.instance)),
  )
}
