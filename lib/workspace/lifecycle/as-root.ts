/** A create by root in a repository of another user's, as `sudo` brings it about: what it leaves there the owner cannot change. */
import { shellWord } from '../../core/shell.ts'
import type { App } from '../app.ts'

/** Undefined uid: where users have no numbers. */
export function tellRoot(
  { emit, env }: Pick<App, 'emit' | 'env'>,
  repo: string,
  owner: number,
  uid: number | undefined = process.getuid?.(),
): void {
  if (uid !== 0 || owner === 0) return
  const user = env.SUDO_UID === String(owner) ? (env.SUDO_USER ?? '') : ''
  const [shown, word] = user === '' ? [`user ${owner}`, `#${owner}`] : [user, user]
  const command = `sudo -u ${shellWord(word)} nexus up <name>`
  emit({
    type: 'warning',
    text: `this runs as root: the files that it makes in ${repo} belong to root, and the repository to ${shown}`,
    hint: `To work as its owner, who may need to be let into Docker's group first, run \`${command}\``,
  })
}
