/**
 * The shape of a workspace's record, the only source of it: the types in `workspace.ts` are inferred from here, and the check of what is
 * read (`lib/record/reader.ts`) is generated from here while bundling (`scripts/shapes.mjs`). So nothing that is loaded at a start
 * imports this file but for its types: zod is not loaded to read a record.
 *
 * A record has what every workspace has, and parts for what only some have:
 * - `local`: the code is a worktree on this machine; null where it is carried elsewhere;
 * - `docker`: it runs as containers of an engine, here or on another host; absent for other backends. Its fields are those that nothing
 *   but containers has a use for: the mock, which has none, keeps image, user inside, stack and ready services nowhere. Ports and
 *   subnets are leases, which every backend on this machine has, the mock too.
 *
 * An optional field is one that rarely applies. A field that is not known here is kept as it is: a newer Nexus wrote it.
 */
import { z } from 'zod'
import { GIT_MODES, ISOLATIONS, NETWORK_MODES, PROTOCOLS } from './modes.ts'
import type { WorkspaceId, WorkspaceName } from './names.ts'
import { KINDS, type OperationKind } from './operations.ts'
import { AGENT_MODES } from './ssh-agent-mode.ts'

/** A text that only `names.ts` makes; the brand is one of TypeScript's alone. */
const branded = <Name extends string>(text: z.ZodString) => text as unknown as z.ZodType<Name, Name>
const name = branded<WorkspaceName>(z.string().min(1))
const texts = z.array(z.string())
const textsByName = z.record(z.string(), z.string())
const KIND_NAMES = Object.keys(KINDS) as OperationKind[]

export const portShape = z.object({
  /** `ssh`, `web`, `api`, ... unique within the workspace. */
  name: z.string(),
  container: z.int(),
  /** The leased port on this machine; null on a backend without local ports. */
  host: z.int().nullable(),
  protocol: z.enum(PROTOCOLS),
  /** `ports.<name>.host` of the configuration (such as 3000), published besides while it is free. */
  canonical: z.int().exactOptional(),
  /** The compose service that listens on it; absent for the workspace's own container. */
  service: z.string().exactOptional(),
  /** Its place in the workspace's blocks. */
  offset: z.int().exactOptional(),
})

/** Ready services as the configuration names them. */
export const readyShape = z.object({
  wanted: texts,
  /** Image by service. */
  images: textsByName,
  /** For all of them. The workspace's own, or the repository's where prepared data has it in it. */
  password: z.string(),
  /** Name of the database where prepared data decides it; else it is the workspace's own. */
  database: z.string().exactOptional(),
})

/** A secret by its reference; its value is kept nowhere. */
export const secretShape = z.object({
  name: z.string(),
  from: z.string(),
  /** Given as this variable too. */
  variable: z.string().exactOptional(),
  /** Services that get it; absent: the workspace's own container. */
  services: texts.exactOptional(),
})

/** What the image under the workspace's own container runs by itself. */
export const appCommandShape = z.object({
  /** Entry point and command; empty when it runs nothing. */
  argv: texts,
  /** As in a Dockerfile's USER; '' is root. */
  user: z.string(),
  cwd: z.string(),
})

/** What the workspace's own container is made from. */
export const mainBaseShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('default') }),
  z.object({ kind: z.literal('image'), image: z.string() }),
  /** Path from the top of the worktree. */
  z.object({ kind: z.literal('dockerfile'), file: z.string() }),
  /** The project's own service `main`. */
  z.object({ kind: z.literal('service') }),
])

/** What a workspace runs beside, or in place of, the base image. Absent in records of plain workspaces. */
export const stackShape = z.object({
  /** The project's compose files, from the top of the worktree, later ones on top; empty without any. */
  files: texts,
  profiles: texts,
  /** Variables of this machine that the compose files may use, by name. */
  pass: texts,
  /** The compose service that has the SSH door. */
  main: z.string(),
  base: mainBaseShape,
  /** Services of the files that run once for all workspaces of the repository. */
  shared: z
    .object({
      services: texts,
      /** The workspace's own database in one of them. */
      database: z
        .object({ service: z.string(), engine: z.enum(['postgres', 'mysql']), name: z.string() })
        .exactOptional(),
    })
    .exactOptional(),
  /** The image under ours, once it is built or pulled; absent for the default one. */
  under: z.string().exactOptional(),
  /** What runs in the workspace's own container beside the SSH door; only where it is made from the project's image. */
  app: appCommandShape.exactOptional(),
  /** What its model asks for beyond the ordinary, as it was approved; absent for nothing. */
  admitted: z.array(z.object({ path: z.string(), value: z.string(), why: z.string() })).exactOptional(),
  /** External volumes are copied, and the copies are the workspace's own; absent: they are shared. */
  external: z.literal('private').exactOptional(),
  /** What its services mount from below the worktree is held by the engine. */
  holds: z.literal(true).exactOptional(),
})

/** Which long operation runs (or was cut off) on a workspace. The process is named so that a dead one is recognised. */
export const operationShape = z.object({
  kind: z.enum(KIND_NAMES),
  /** How it was asked for, as far as whoever finishes it must know: `force`, `delete-branch`, `no-start`. */
  options: texts.exactOptional(),
  /** Steps of the plan that are done; what a crash left is made good from here. */
  done: texts,
  /** All that were begun. */
  begun: texts.exactOptional(),
  /** The step begun last. */
  step: z.string(),
  startedAt: z.string(),
  pid: z.int(),
  /** Start time of the process in clock ticks since boot (field 22 of /proc/<pid>/stat), '' where unknown. */
  pidStart: z.string(),
  bootId: z.string(),
  /** Network namespace of the process; absent where the system tells none, and for no process. */
  network: z.string().exactOptional(),
})

/** A public key, of which the forwarded agent has the other half; and what is signed without being asked. */
export const signingShape = z.object({ key: z.string(), commits: z.boolean(), tags: z.boolean() })

/** Where a workspace's ports are reached from here. */
export const addressShape = z.object({
  /** What a user types. */
  name: z.string(),
  /** Where connections go. */
  host: z.string(),
})

/** What a worktree on this machine adds. */
export const localShape = z.object({
  /** Absolute path. */
  worktree: z.string(),
  /** The repository's common git dir. */
  gitDir: z.string(),
  /** The worktree was there before the workspace, and stays when that is deleted. */
  adopted: z.boolean(),
})

/** What containers add. */
export const dockerShape = z.object({
  /** Image reference that the workspace runs; null before it is known. */
  image: z.string().nullable(),
  /** The user inside: the repository's owner, or who stands in for root in isolation `agent`. */
  uid: z.int(),
  gid: z.int(),
  sudo: z.boolean(),
  stack: stackShape.exactOptional(),
  /** Its ports are other ones than its containers were made with: the next start makes them anew. */
  portsMoved: z.literal(true).exactOptional(),
  ready: readyShape.exactOptional(),
  /** Volumes that all workspaces of the repository share. */
  caches: z.array(z.object({ name: z.string(), target: z.string() })).exactOptional(),
  /** What editors install in the home inside lies in a volume of its own, which outlives its containers. */
  editors: z.boolean(),
  /** Where images are looked for before they are built, and left: an absolute path, or a registry's repository. */
  imageCache: z.string().exactOptional(),
})

export const recordShape = z.object({
  schema: z.literal(2),
  id: branded<WorkspaceId>(z.string().regex(/^ws-[a-z2-7]{8}$/)),
  name,
  /** The name that it was made under, where it was renamed since: compose project, volumes and databases keep it. */
  madeAs: name.exactOptional(),
  /** What the user typed. */
  given: z.string(),
  displayName: z.string(),
  /** Absolute path of the main worktree. */
  repo: z.string(),
  /** The project's word in names and host names. */
  project: z.string(),
  branch: z.string(),
  /** The commit that this workspace made its branch at; null when the branch was there before. */
  base: z.string().nullable(),
  /** Nexus made the branch, so it may go with the workspace. */
  branchCreated: z.boolean(),
  /** The base was fetched for a pull request, where it is found again. */
  fetched: z.literal(true).exactOptional(),
  backend: z.string(),
  host: z.string(),
  /** Null where its ports have no address here, such as when a command leads to them. */
  address: addressShape.nullable(),
  local: localShape.nullable(),
  docker: dockerShape.exactOptional(),
  isolation: z.enum(ISOLATIONS),
  gitMode: z.enum(GIT_MODES),
  network: z.enum(NETWORK_MODES),
  /** What can be reached in `allowlist`: host names, `.name` with all below it, each perhaps with a port. */
  networkAllow: texts.exactOptional(),
  createdAt: z.string(),
  desired: z.enum(['running', 'paused', 'stopped']),
  /** When and for whom it was stopped; absent while it is not, and where it was never started. */
  stopped: z.object({ at: z.string(), by: z.enum(['user', 'idle']) }).exactOptional(),
  ports: z.array(portShape),
  /** Leased CIDR blocks, one for each network, in their order; absent before they are leased. */
  subnets: texts.exactOptional(),
  env: textsByName,
  cpus: z.number().nullable(),
  /** Bytes. */
  memory: z.number().nullable(),
  /** How many processes it may have at once. */
  pids: z.int(),
  idleTimeout: z.string(),
  forwardAgent: z.boolean(),
  agentMode: z.enum(AGENT_MODES),
  /** The agent's keys that may be used in mode `proxy`, as configured; absent: all. */
  agentKeys: texts.exactOptional(),
  /** No other workspace had the name first, so `<name>.nexus` leads here. */
  shortAlias: z.boolean(),
  /** The repository in the long alias, where another repository has the name that it would have; see `labelInAlias`. */
  aliasLabel: z.string().exactOptional(),
  /** Name and address for commits made inside; '' where git on this machine has none. */
  author: z.object({ name: z.string(), email: z.string() }),
  /** The key that signs commits made inside; absent for none. */
  signing: signingShape.exactOptional(),
  /** Harmless settings of the user's own git, such as aliases, and the text of the global ignore file, as they were at its create. */
  comfort: z
    .object({ settings: z.array(z.tuple([z.string(), z.string()])), ignore: z.string().exactOptional() })
    .exactOptional(),
  /** `SHA256:...` of the workspace's host key; null before it is made. */
  hostKeyFingerprint: z.string().nullable(),
  operation: operationShape.nullable(),
  secrets: z.array(secretShape).exactOptional(),
  /** What runs once after the first start, and has not yet. */
  pendingHooks: z.boolean().exactOptional(),
  /** What it was made from: path in the worktree -> hash of the content, '' for a file that was not there. */
  inputs: textsByName.exactOptional(),
})
