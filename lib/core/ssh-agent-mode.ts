/**
 * How far the user's ssh agent reaches into a workspace. `off`: the server inside refuses it. `proxy`: through a filter
 * that lets keys be listed and used for signing, and nothing else. `full`: as `ssh -A` does. Pure.
 */
export const AGENT_MODES = ['off', 'proxy', 'full'] as const
export type AgentMode = (typeof AGENT_MODES)[number]
