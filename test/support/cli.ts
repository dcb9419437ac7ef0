/**
 * The built `nexus` (dist/nexus.js) as a process, in a home of the test's own: HOME is `home` and NEXUS_HOME is
 * `<home>/.nexus`. Docker's client keeps reading its own configuration, where contexts and plugins are found.
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type ProcessOptions, type ProcessResult, runProcess } from './process.ts'

/** scripts/test.mjs starts every test in the root of the repository. */
const PROGRAM = join(process.cwd(), 'dist', 'nexus.js')

export interface NexusOptions extends ProcessOptions {
  readonly cwd: string
  readonly home: string
}

export async function runNexus(args: readonly string[], options: NexusOptions): Promise<ProcessResult> {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run \`make build\``)
  return await runProcess([process.execPath, PROGRAM, ...args], { ...options, env: nexusEnvironment(options) })
}

function nexusEnvironment({ home, env }: NexusOptions): Readonly<Record<string, string | undefined>> {
  const docker = process.env.DOCKER_CONFIG ?? join(homedir(), '.docker')
  return {
    HOME: home,
    NEXUS_HOME: join(home, '.nexus'),
    ...(existsSync(docker) ? { DOCKER_CONFIG: docker } : {}),
    ...env,
  }
}
