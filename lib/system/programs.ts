/** Programs of this machine: where PATH has them. Reads only. */
import { accessSync, constants, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'

/** The first of these programs on PATH, absolute; a name with a slash is looked at itself. A folder of PATH that is not absolute is not used. */
export function findProgram(programs: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? '').split(':').filter((folder) => isAbsolute(folder))
  return programs
    .flatMap((program) => (program.includes('/') ? [program] : folders.map((folder) => join(folder, program))))
    .find(isProgram)
}

/** True for a file that this user may run. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // not there, or not for us
  }
}
