// What a test left behind, for scripts/test.mjs: processes (through /proc) and Docker objects (by Nexus's label).
// Looks and names; the only thing it ends are processes that it just named. JavaScript, because the runner is.
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
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
    if (error.code !== 'ESRCH') throw error
  }
}

/** Everything on the engine that a Nexus made; undefined when the engine does not answer in time. */
export async function listDockerObjects(timeoutMs) {
  const docker = async (...args) => (await run('docker', args, { timeout: timeoutMs })).stdout
  const list = async (kind, ...args) =>
    parse(kind, await docker(...args, '--no-trunc', '--filter', `label=${LABEL}`, '--format'.concat('=', args.format)))
  try {
    return (await Promise.all([list('container')])).flat()
  } catch {
    return undefined
  }
}
