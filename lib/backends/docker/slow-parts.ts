/**
 * Says which containers compose waits for when that takes long, from the lines of its plain progress: one that others need to be
 * ready, or one that does not end when it is asked to.
 */
import type { Emit } from '../../core/events.ts'

const LONG_MS = 2_000
const LINE = /^\s*Container (\S+) +(\w+)\s*$/
const WAITS: Readonly<Record<string, (service: string) => string>> = {
  Waiting: (service) => `waiting for ${service}, which others need to be ready`,
  Stopping: (service) =>
    `waiting for ${service} to end: it gets its stop_grace_period (10s unless it says so), then it is killed`,
}

/** Runs `body`, which gives each line that compose prints to `note`. */
export async function tellSlowParts<T>(
  emit: Emit,
  project: string,
  body: (note: (line: string) => void) => Promise<T>,
  longMs = LONG_MS,
): Promise<T> {
  const timers = new Map<string, NodeJS.Timeout>()
  const note = (line: string) => {
    const [, name = '', word = ''] = LINE.exec(line) ?? []
    if (name === '') return
    clearTimeout(timers.get(name))
    const text = WAITS[word]?.(serviceOf(name, project))
    if (text !== undefined) timers.set(name, setTimeout(() => emit({ type: 'progress', text }), longMs).unref())
  }
  try {
    return await body(note)
  } finally {
    for (const timer of timers.values()) clearTimeout(timer)
  }
}

/** `nexus-x-k3v9q2xa-web-1` -> `web`. */
function serviceOf(container: string, project: string): string {
  const own = container.startsWith(`${project}-`) ? container.slice(project.length + 1) : container
  return own.replace(/-\d+$/, '')
}
