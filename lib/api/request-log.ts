/** What a server writes of its days: one JSON object a line in `logs/serve.log`, two files of one megabyte at most. */
import { timestamp } from '../core/time.ts'
import { createLogFile } from '../system/run-files.ts'

const MAX_BYTES = 1024 * 1024

export function createRequestLog(file: string): (line: Record<string, unknown>) => void {
  const write = createLogFile(file, MAX_BYTES)
  return (line) => write(JSON.stringify({ time: timestamp(), pid: process.pid, ...line }))
}
