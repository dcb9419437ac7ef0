/** Words that a setting, a record and the API choose from, each written once. Pure. */

/** How much a workspace is trusted. */
export const ISOLATIONS = ['standard', 'agent'] as const
export type Isolation = (typeof ISOLATIONS)[number]

/** Whose git dir is used inside: the repository's own, or one of the workspace's. */
export const GIT_MODES = ['shared', 'private'] as const
export type GitMode = (typeof GIT_MODES)[number]

/** What can be reached from inside, from open to shut. */
export const NETWORK_MODES = ['open', 'allowlist', 'none'] as const
export type NetworkMode = (typeof NETWORK_MODES)[number]

export const PROTOCOLS = ['tcp', 'udp'] as const
export type Protocol = (typeof PROTOCOLS)[number]
