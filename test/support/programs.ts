/** Programs that a test plays a client with. One that is missing is installed, as a test without it would prove nothing. */
import { runProcess } from './process.ts'

/** @throws {Error} when it is not there and cannot be installed */
export async function requireProgram(program: string, debianPackage: string = program): Promise<void> {
  const isThere = async () => (await runProcess(['bash', '-c', 'command -v "$0"', program])).code === 0
  if (await isThere()) return
  const install =
    'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$0"'
  const { code, stderr } = await runProcess(['bash', '-c', install, debianPackage], { timeoutMs: 300_000 })
  if (code !== 0 || !(await isThere())) throw new Error(`${program} is missing and cannot be installed:\n${stderr}`)
}
