/**
 * The user's answers to what projects ask for beyond the ordinary: which approvals are meant by hashes, or by `all` of a
 * repository, and giving or taking them. Runs nothing.
 */
import { NexusError } from '../../core/errors.ts'
import { type Approval, createApprovals, unknownHash } from '../../project/approvals.ts'
import type { App } from '../app.ts'

export interface TrustChange {
  readonly verb: 'approve' | 'revoke'
  /** Hashes, or `all` for all of `repo`. */
  readonly words: readonly string[]
  /** Looked in first; undefined for none. */
  readonly repo: string | undefined
  /** The user named it: nowhere else is looked. */
  readonly named: boolean
  readonly dryRun: boolean
}

/** What was (or would be) approved or revoked. @throws {NexusError} for a hash that nobody knows, or that several have */
export async function changeTrust(app: App, change: TrustChange): Promise<readonly Approval[]> {
  const approvals = createApprovals(app)
  const { pending, approved } = await approvals.list()
  const approves = change.verb === 'approve'
  const chosen = choose(change, approves ? pending : [...approved, ...pending], approves ? approved : [])
  if (change.dryRun) return chosen
  if (!approves) {
    for (const { repo, hash } of chosen) await approvals.revoke(repo, hash)
    return chosen
  }
  for (const repo of new Set(chosen.map((one) => one.repo))) {
    const own = chosen.filter((one) => one.repo === repo)
    await approvals.approve(
      repo,
      own.map((one) => one.hash),
    )
  }
  return chosen
}

/** Of `among`, what the hashes name. What is among `done` needs no doing. */
function choose(change: TrustChange, among: readonly Approval[], done: readonly Approval[]): readonly Approval[] {
  const { repo, words } = change
  if (words.includes('all')) {
    if (repo !== undefined) return among.filter((one) => one.repo === repo)
    throw new NexusError('INVALID_ARGUMENT', '`all` means all of one repository, and this folder is in none.', {
      hint: 'To see those of every repository, run `nexus trust --all`',
    })
  }
  return [...new Set(words)].flatMap((hash) => chooseOne(change, hash, among, done))
}

/** In this repository, else, as a hash can be copied from anywhere, in the only one that it is known of. */
function chooseOne(
  { repo, named }: TrustChange,
  hash: string,
  among: readonly Approval[],
  done: readonly Approval[],
): readonly Approval[] {
  const known = (list: readonly Approval[]) => list.filter((one) => one.hash === hash)
  const here = known(among).filter((one) => one.repo === repo)
  if (here.length > 0) return here
  if (known(done).some((one) => one.repo === repo)) return []
  const elsewhere = named ? [] : known(among)
  if (elsewhere.length === 1) return elsewhere
  if (elsewhere.length === 0) {
    if (!named && known(done).length > 0) return []
    throw unknownHash(repo ?? 'any repository', hash, among)
  }
  throw new NexusError('NAME_AMBIGUOUS', `${hash} is known of ${elsewhere.length} repositories.`, {
    output: elsewhere.map((one) => one.repo).join('\n'),
    details: { candidates: elsewhere.map((one) => one.repo) },
    hint: `To name one, add \`--repo ${elsewhere[0]?.repo}\``,
  })
}
