/** Whether the include is installed, cheaply: apart from `ssh-include.ts`, so that showing the ssh line loads and starts nothing. */
import { NexusError } from '../../core/errors.ts'
import { findIncludes } from '../../ssh/client/include-line.ts'
import { readUserConfig, userConfigPath, userHome } from '../../ssh/client/user-config.ts'
import type { App } from '../app.ts'

/** Whether plain `ssh <alias>` finds the aliases, from one look at the user's own file. */
export async function isIncludeInstalled(app: App): Promise<boolean> {
  try {
    const { text = '' } = await readUserConfig(userConfigPath())
    return findIncludes(text, app.home.sshConfig, userHome()).some(({ below }) => below === undefined)
  } catch (error) {
    if (error instanceof NexusError) return false // whatever is wrong with that file, `ssh -F` works without it
    throw error
  }
}
