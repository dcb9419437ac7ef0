/** How a URL is opened on this machine: with what the user set, else with what the system has for it. Pure, but for the look into PATH. */
import { findProgram } from '../system/programs.ts'

/** macOS; then WSL, and desktops of Linux and BSD. */
const OPENERS = { darwin: ['open'], others: ['wslview', 'xdg-open'] }

/** The command that opens a URL; undefined where there is none. `$BROWSER` may name several, one after another, and hold `%s`. */
export function browserCommand(
  url: string,
  env: NodeJS.ProcessEnv,
  platform: string = process.platform,
): readonly string[] | undefined {
  for (const choice of (env.BROWSER ?? '').split(':')) {
    const [program = '', ...args] = choice.trim().split(/\s+/)
    const found = program === '' ? undefined : findProgram([program], env)
    if (found === undefined) continue
    const filled = args.map((word) => word.replaceAll('%s', () => url))
    return [found, ...filled, ...(args.some((word) => word.includes('%s')) ? [] : [url])]
  }
  const opener = findProgram(platform === 'darwin' ? OPENERS.darwin : OPENERS.others, env)
  return opener === undefined ? undefined : [opener, url]
}
