/**
 * The project's own commands at moments of a workspace's life: which hooks are asked for, where they may run, and which
 * need the user's approval. The use cases run them. Pure.
 */
import type { HookName, HookSetting, Settings } from '../config/settings.ts'
import { NexusError } from '../core/errors.ts'
import type { Finding } from '../stack/model.ts'
import { makeFinding } from '../trust/findings.ts'

/** Nothing runs inside at these moments. */
const HOST_ONLY: readonly HookName[] = ['pre-start', 'post-stop']

/** @throws {NexusError} CONFIG_INVALID for a hook inside a container that is not there then */
export function requireHook(settings: Settings, name: HookName): HookSetting | undefined {
  const hook = settings.hooks.get(name)
  if (hook === undefined || hook.on === 'host' || !HOST_ONLY.includes(name)) return hook
  throw new NexusError(
    'CONFIG_INVALID',
    `hooks.${name} cannot run in the container, which does not run at that moment.`,
    {
      hint: `To run it on this machine, run \`nexus config set --project hooks.${name}.on host\``,
      details: { key: `hooks.${name}.on` },
    },
  )
}

/** Commands of the project's own file that would run on this machine. */
export function hookFindings(settings: Settings): readonly Finding[] {
  return [...settings.hooks]
    .filter(([, hook]) => hook.fromProject && hook.on === 'host')
    .map(([name, hook]) => makeFinding(`hooks.${name}`, hook.run, 'runs a command on this machine, in the worktree'))
}
