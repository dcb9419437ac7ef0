/** What is mounted below a folder, as the kernel tells it to this process: removing the folder would empty that, too. */
import { readPlain } from './read.ts'
import { realPathOf } from './real-path.ts'

const TABLE_MAX_BYTES = 16 * 1024 * 1024

/** Absolute paths, the folder itself among them; none where the kernel has no such table. See proc_pid_mountinfo(5). */
export function mountsBelow(folder: string): readonly string[] {
  const real = realPathOf(folder)
  const table = readPlain('/proc/self/mountinfo', { maxBytes: TABLE_MAX_BYTES })?.toString() ?? ''
  const places = table.split('\n').flatMap((line) => line.split(' ')[4] ?? [])
  const paths = places.map((place) =>
    place.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
  )
  const top = real === '/' ? '/' : `${real}/`
  return [...new Set(paths)].filter((path) => real !== undefined && `${path}/`.startsWith(top)).sort()
}
