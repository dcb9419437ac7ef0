/** What the background process writes of its days: one JSON object a line in `logs/serve.log`, two files of one megabyte at most. */
import type { Log } from '../core/service.ts'
import { timestamp } from '../core/time.ts'
import { createLogFile } from '../system/run-files.ts'

const MAX_BYTES = 1024 * 1024

export function createDaemonLog(file: string): Log {
  const write = createLogFile(file, MAX_BYTES)
  return (line) => write(JSON.stringify({ time: timestamp(), pid: process.pid, ...line }))
}

/** The log of one service: its lines say whose they are. */
export function logOfService(log: Log, service: string): Log {
  return (line) => log({ service, ...line })
}
