/**
 * The user's answers to what projects ask for beyond the ordinary: which requests or approvals are meant by hashes, by the name of the
 * workspace that asked, or by `all`, and giving or taking them. Runs nothing.
 */
import { basename } from 'node:path'
import { NexusError } from '../../core/errors.ts'
import { isWorkspaceId, parseName } from '../../core/names.ts'
import { shellWord } from '../../core/shell.ts'
import type { WorkspaceRecord } from '../../core/workspace.ts'
import { type Approval, createApprovals, unknownHash } from '../../trust/approvals.ts'
import type { App } from '../app.ts'
import { CURRENT } from '../names/current.ts'
import { aliasRoots, requireWorkspace } from '../names/find.ts'
import { repoWordsOf } from '../names/pick.ts'

export interface TrustChange {
  readonly verb: 'approve' | 'revoke'
  /** Hashes, names of workspaces that asked, or `all`: of `repo` the last refusal alone, or all that there is to take back. */
  readonly words: readonly string[]
  /** Looked in first; undefined for none. */
  readonly repo: string | undefined
  /** The user named it: nowhere else is looked. */
  readonly named: boolean
  readonly dryRun: boolean
}

/** What was (or would be) approved or revoked. @throws {NexusError} for a word that nobody knows, or that several have */
export async function changeTrust(app: App, change: TrustChange): Promise<readonly Approval[]> {
  const approvals = createApprovals(app)
  const { pending, approved } = await approvals.list()
  const approves = change.verb === 'approve'
  const lists = approves ? { among: pending, done: approved } : { among: [...approved, ...pending], done: [] }
  const chosen: Approval[] = []
  for (const word of new Set(change.words)) chosen.push(...(await choose(app, change, word, lists)))
  const unique = [...new Map(chosen.map((one) => [`${one.hash} ${one.repo}`, one])).values()]
  if (change.dryRun) return unique
  if (!approves) {
    for (const { repo, hash } of unique) await approvals.revoke(repo, hash)
    return unique
  }
  for (const repo of new Set(unique.map((one) => one.repo))) {
    const own = unique.filter((one) => one.repo === repo)
    await approvals.approve(
      repo,
      own.map((one) => one.hash),
    )
  }
  return unique
}

interface Lists {
  readonly among: readonly Approval[]
  /** What is among these needs no doing. */
  readonly done: readonly Approval[]
}

async function choose(app: App, change: TrustChange, word: string, lists: Lists): Promise<readonly Approval[]> {
  if (word === 'all') return chooseAll(change, lists)
  const isKnown = [...lists.among, ...lists.done].some(({ hash }) => hash === word)
  return isKnown || word.startsWith('nx-') ? chooseHash(change, word, lists) : chooseAsked(app, change, word, lists)
}

/** Whoever approves answers what was refused last; what another branch asked for before is another question. */
function chooseAll({ verb, repo }: TrustChange, { among }: Lists): readonly Approval[] {
  if (repo === undefined) {
    throw new NexusError('INVALID_ARGUMENT', '`all` means all of one repository, and this folder is in none.', {
      hint: 'To see those of every repository, run `nexus trust --all`',
    })
  }
  const here = among.filter((one) => one.repo === repo)
  return verb === 'approve' ? here.slice(-1) : here
}

/** In this repository, else, as a hash can be copied from anywhere, in the only one that it is known of. */
function chooseHash({ repo, named }: TrustChange, hash: string, { among, done }: Lists): readonly Approval[] {
  const known = (list: readonly Approval[]) => list.filter((one) => one.hash === hash)
  const here = known(among).filter((one) => one.repo === repo)
  if (here.length > 0) return here
  if (known(done).some((one) => one.repo === repo)) return []
  const elsewhere = named ? [] : known(among)
  const repos = [...new Set(elsewhere.map((one) => one.repo))]
  if (repos.length === 1) return elsewhere
  if (repos.length === 0) {
    if (!named && known(done).length > 0) return []
    throw unknownHash(repo ?? 'any repository', hash, among)
  }
  throw new NexusError('NAME_AMBIGUOUS', `${hash} is known of ${repos.length} repositories.`, {
    output: repos.join('\n'),
    details: { candidates: repos },
    hint: `To name one, add \`--repo ${repos[0]}\``,
  })
}

/** By who asked. A create that was refused left no record, so that the requests know more names than the records. */
async function chooseAsked(app: App, change: TrustChange, word: string, lists: Lists): Promise<readonly Approval[]> {
  const records = await app.records.list()
  const all = [...lists.among, ...lists.done]
  for (const { repo, name } of await meanings(app, change, word, records, all)) {
    const isThere = records.some((one) => one.repo === repo && one.name === name)
    for (const isMeant of [byWorkspace(repo, name), byBranch(repo, word)]) {
      const found = lists.among.filter(isMeant)
      if (found.length > 0) return found
      if (isThere || lists.done.some(isMeant)) return []
    }
  }
  const elsewhere = lists.among.find(({ asker }) => asker?.workspace === word)
  const where = change.repo === undefined ? '' : ` in ${change.repo}`
  throw new NexusError('INVALID_ARGUMENT', `No workspace ${JSON.stringify(word)} asks for anything${where}.`, {
    hint:
      elsewhere === undefined
        ? 'To see what is asked for, and for which workspace, run `nexus trust --all`'
        : `To mean that of ${elsewhere.repo}, run \`nexus trust ${change.verb} ${shellWord(`${basename(elsewhere.repo)}/${word}`)}\``,
    details: { given: word, workspaces: lists.among.flatMap(({ asker }) => asker?.workspace ?? []) },
  })
}

const byWorkspace = (repo: string | undefined, name: string) => (one: Approval) =>
  one.repo === repo && one.asker?.workspace === name

/** As a request is shown. */
const byBranch = (repo: string | undefined, branch: string) => (one: Approval) =>
  one.repo === repo && one.asker?.branch === branch

interface Meaning {
  readonly repo: string | undefined
  readonly name: string
}

/** What a word can mean, the nearest first: a name here, or `<repo>/<name>` and `<alias>/<name>`. */
async function meanings(
  app: App,
  { repo, named }: TrustChange,
  word: string,
  records: readonly WorkspaceRecord[],
  known: readonly Approval[],
): Promise<readonly Meaning[]> {
  if (word === CURRENT || isWorkspaceId(word)) return [await requireWorkspace(app, word)]
  const slash = word.indexOf('/')
  if (named || slash < 1) return [{ repo, name: parseName(word) }]
  const [left, rest] = [word.slice(0, slash), word.slice(slash + 1)]
  const aliased = (await aliasRoots(app)).get(left)
  const roots = [
    ...records.filter((record) => repoWordsOf(record).includes(left)).map((record) => record.repo),
    ...known.map((one) => one.repo).filter((root) => basename(root) === left),
  ]
  const elsewhere = [...(aliased === undefined ? [] : [aliased]), ...new Set(roots)]
  return [{ repo, name: parseName(word) }, ...elsewhere.map((root) => ({ repo: root, name: parseName(rest) }))]
}
