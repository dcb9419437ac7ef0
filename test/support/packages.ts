/** Programs that tests need and the product does not: installed from the machine's own package sources when they are missing. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runProcess } from './process.ts'

const INSTALL_MS = 400_000

/** Program -> Debian package. */
export async function ensurePrograms(programs: Readonly<Record<string, string>>): Promise<void> {
  const missing = Object.entries(programs).flatMap(([program, name]) => (isInstalled(program) ? [] : [name]))
  if (missing.length > 0) await installPackages(missing)
}

export async function installPackages(missing: readonly string[]): Promise<void> {
  const as = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const apt = async (...words: string[]) => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const { code, stderr } = await runProcess([...as, 'apt-get', ...words], { env, timeoutMs: INSTALL_MS })
    return code === 0 ? '' : stderr
  }
  const install = () => apt('install', '-qq', '-y', '--no-install-recommends', ...missing)
  // the lists may be older than what the mirror has
  if ((await install()) === '') return
  await apt('update', '-qq')
  const said = await install()
  if (said !== '') throw new Error(`this test needs ${missing.join(', ')}, and apt-get could not install it:\n${said}`)
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => folder !== '' && existsSync(join(folder, program)))
}
