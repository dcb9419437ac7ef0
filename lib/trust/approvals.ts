/**
 * Approvals of what projects ask for beyond the ordinary, by the hash of the list: in another repository, or with one
 * thing more, Nexus asks again. One JSON file under its lock holds them, with the list and the workspace that asked, so
 * that both can be shown. It keeps the last request of each workspace for a day.
 *
 * A project cannot approve: the file lies in the user's home, and further hashes come from the user's configuration or
 * command line. A damaged file is set aside, and its approvals are asked for again.
 */
import { sha256 } from '../core/digest.ts'
import { NexusError } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { HomePaths } from '../core/paths.ts'
import { timestamp } from '../core/time.ts'
import type { Finding } from '../stack/model.ts'
import { withLock } from '../system/lock.ts'
import { readJson, statIfPresent, writeJson } from '../system/store.ts'
import { sortFindings } from './findings.ts'

/** For which workspace something is asked; the branch as its worktree had it. */
export interface Asker {
  readonly workspace: string
  readonly branch: string
}

export interface Approval {
  /** Absolute path of the main worktree. */
  readonly repo: string
  readonly hash: string
  readonly findings: readonly Finding[]
  /** Absent in requests of older versions. */
  readonly asker?: Asker
  /** When it was asked for or approved; RFC 3339 UTC. */
  readonly since: string
}

export interface ApprovalList {
  /** Asked for and not answered; the newest last. */
  readonly pending: readonly Approval[]
  readonly approved: readonly Approval[]
}

interface ApprovalFile extends ApprovalList {
  readonly schema: 1
}

const EMPTY: ApprovalFile = { schema: 1, pending: [], approved: [] }
const PENDING_MAX = 50
const PENDING_MS = 24 * 3_600_000
/** A person cannot judge more. */
const FINDINGS_MAX = 500
/**
 * Hexadecimal digits. A project's author chooses the list; with 16 digits, a harmless and a harmful list of the same
 * hash would cost 2^32 tries.
 */
const HASH_DIGITS = 32

export type Approvals = ReturnType<typeof createApprovals>

/** Of paths and values, in whatever order; how the reasons are worded does not matter. */
export function hashFindings(findings: readonly Finding[]): string {
  const asked = sortFindings(findings).map(({ path, value }) => [path, value])
  return `nx-${sha256(JSON.stringify(asked)).slice(0, HASH_DIGITS)}`
}

export function createApprovals({ home, emit }: { readonly home: HomePaths; readonly emit: Emit }) {
  const file = home.approvals

  async function load(): Promise<ApprovalFile> {
    const whole = (data: ApprovalFile) => isListOfApprovals(data.pending) && isListOfApprovals(data.approved)
    const onDamage = (kept: string) =>
      emit({
        type: 'warning',
        text: `${file} was damaged; it was kept as ${kept}, and what projects ask for must be approved again`,
      })
    const { pending, ...rest } = (await readJson<ApprovalFile>(file, 1, onDamage, whole)) ?? EMPTY
    return { ...rest, pending: pending.filter(({ since }) => Date.now() - Date.parse(since) < PENDING_MS) }
  }

  /** Under the lock, as a damaged file is moved away; a look at nothing makes no folder. */
  async function read(): Promise<ApprovalFile> {
    return (await statIfPresent(file)) === undefined ? EMPTY : withLock(file, load)
  }

  const update = <T>(change: (now: ApprovalFile) => { readonly next?: ApprovalList; readonly result: T }): Promise<T> =>
    withLock(file, async ({ requireHeld }) => {
      const { next, result } = change(await load())
      if (next !== undefined)
        await writeJson(file, { schema: 1, pending: next.pending, approved: next.approved }, requireHeld)
      return result
    })

  /** @param extra hashes that hold in every repository: of the user's configuration and of `--approve` */
  async function isApproved(repo: string, hash: string, extra: readonly string[]): Promise<boolean> {
    return extra.includes(hash) || (await read()).approved.some(is(repo, hash))
  }

  /** Remembers a request, so that it can be shown and approved, in place of the workspace's last one. */
  function request(
    repo: string,
    hash: string,
    findings: readonly Finding[],
    { asker, isRepeated = false }: { readonly asker?: Asker | undefined; readonly isRepeated?: boolean } = {},
  ): Promise<void> {
    return update((now) => {
      const by = asker === undefined ? {} : { asker }
      const asked = { repo, hash, findings: sortFindings(findings), ...by, since: timestamp() }
      const isSame = (one: Approval) =>
        one.repo === repo && (asker === undefined ? one.hash === hash : one.asker?.workspace === asker.workspace)
      if (isRepeated && now.pending.some((one) => isSame(one) && one.hash === hash)) return { result: undefined }
      const others = now.pending.filter(not(isSame))
      return { next: { ...now, pending: [...others, asked].slice(-PENDING_MAX) }, result: undefined }
    })
  }

  /**
   * Approves what was asked for; what is approved already stays so.
   * @throws {NexusError} INVALID_ARGUMENT for a hash that nothing in this repository asked for; nothing is approved
   * then
   */
  function approve(repo: string, hashes: readonly string[]): Promise<readonly Approval[]> {
    return update((now) => {
      const fresh = hashes.flatMap((hash) => {
        const asked = now.pending.findLast(is(repo, hash))
        if (asked === undefined && !now.approved.some(is(repo, hash))) throw unknownHash(repo, hash, now.pending)
        return asked === undefined ? [] : [{ ...asked, since: timestamp() }]
      })
      const others = (list: readonly Approval[]) =>
        list.filter((one) => one.repo !== repo || !hashes.includes(one.hash))
      const kept = now.approved.filter((one) => !fresh.some(is(one.repo, one.hash)))
      return { next: { pending: others(now.pending), approved: [...kept, ...fresh] }, result: fresh }
    })
  }

  /** Takes an approval back, or forgets a request; false when there was none. What runs goes on. */
  function revoke(repo: string, hash: string): Promise<boolean> {
    return update((now) => {
      const next = {
        pending: now.pending.filter(not(is(repo, hash))),
        approved: now.approved.filter(not(is(repo, hash))),
      }
      const found = next.pending.length + next.approved.length < now.pending.length + now.approved.length
      return { ...(found ? { next } : {}), result: found }
    })
  }

  /** Of a repository, or of all. */
  async function list(repo?: string): Promise<ApprovalList> {
    const { pending, approved } = await read()
    const here = (one: Approval) => repo === undefined || one.repo === repo
    return { pending: pending.filter(here), approved: approved.filter(here) }
  }

  return { isApproved, request, approve, revoke, list }
}

export interface RequireRequest {
  readonly approvals: Approvals
  readonly repo: string
  readonly findings: readonly Finding[]
  readonly asker?: Asker
  /** The command that was refused, to be repeated once it is approved; undefined where no person typed one. */
  readonly again?: string | undefined
  /** Hashes of the user's configuration (`trust.approve`) and of `--approve`. */
  readonly given: readonly string[]
  /** False for a dry run: the request is not remembered. */
  readonly remember?: boolean
  /** Set where the files of one workspace ask, and not the project. */
  readonly told?: {
    readonly message: string
    /** Of the hint, what stands before the command that allows it. */
    readonly toAllow: string
  }
}

/**
 * Returns when there is nothing to approve or all of it is approved.
 * @throws {NexusError} APPROVAL_REQUIRED with each finding; `details` has the hash and the findings
 */
export async function requireApproval({
  approvals,
  repo,
  findings,
  asker,
  again,
  given,
  remember = true,
  told,
}: RequireRequest): Promise<void> {
  if (findings.length === 0) return
  if (findings.length > FINDINGS_MAX) {
    throw new NexusError('CONFIG_INVALID', `This project asks for ${findings.length} things that need your approval.`, {
      hint: `That is more than anybody judges (${FINDINGS_MAX}); to see its compose files, run \`docker compose config\``,
    })
  }
  const hash = hashFindings(findings)
  if (await approvals.isApproved(repo, hash, given)) return
  // the reconnects of a client do not make its request the last one
  if (remember) await approvals.request(repo, hash, findings, { asker, isRepeated: again === undefined })
  const what = findings.length === 1 ? 'one thing' : `${findings.length} things`
  const message = told?.message ?? `This project asks for ${what} that you have not approved.`
  const toAllow = told?.toAllow ?? `To allow ${findings.length === 1 ? 'it' : 'all of it'} in this repository`
  throw new NexusError('APPROVAL_REQUIRED', message, {
    output: formatFindings(findings),
    details: { hash, findings },
    hint: remember
      ? `${toAllow}, run \`nexus trust approve ${hash}${again === undefined ? '' : ` && ${again}`}\``
      : `To allow it, run the same without --dry-run, which changes nothing, then \`nexus trust approve ${hash}\``,
  })
}

/** A line for each, and one for why it matters. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map(({ path, value, why }) => `${path}: ${value}\n    ${why}`).join('\n')
}

export function unknownHash(repo: string, hash: string, pending: readonly Approval[]): NexusError {
  return new NexusError('INVALID_ARGUMENT', `${JSON.stringify(hash.slice(0, 60))} is not asked for in ${repo}.`, {
    hint: 'To see what is asked for and what is approved, run `nexus trust --all`',
    details: { hash, repo, pending: pending.filter((one) => one.repo === repo).map((one) => one.hash) },
  })
}

const is = (repo: string, hash: string) => (one: Approval) => one.repo === repo && one.hash === hash
const not =
  <T>(test: (one: T) => boolean) =>
  (one: T) =>
    !test(one)

function isListOfApprovals(data: unknown): data is readonly Approval[] {
  const isText = (...values: readonly unknown[]) => values.every((value) => typeof value === 'string')
  return (
    Array.isArray(data) &&
    data.every(
      (one) =>
        isText(one?.repo, one?.hash, one?.since) &&
        (one.asker === undefined || isText(one.asker?.workspace, one.asker?.branch)) &&
        Array.isArray(one.findings) &&
        one.findings.every((finding: Finding | null) => isText(finding?.path, finding?.value, finding?.why)),
    )
  )
}
