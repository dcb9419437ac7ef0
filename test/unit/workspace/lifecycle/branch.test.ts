/**
 * Which branch a new workspace works on: the contract's order as a table, what is refused, and which refs are asked for.
 */
import type { WorkspaceName } from '../../../../lib/core/names.ts'
import type { Ref } from '../../../../lib/tools/git.ts'
import {
  type BranchFacts,
  type BranchRequest,
  chooseBranch,
  refPatterns,
  requirePlainRevision,
} from '../../../../lib/workspace/lifecycle/branch.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'

const HEAD = 'a'.repeat(40)
const OTHER = 'b'.repeat(40)
const PR = 'c'.repeat(40)

const ref = (name: string, worktree = '', commit = OTHER): Ref => ({ name, commit, worktree })
const request = (change: Partial<BranchRequest> = {}): BranchRequest => ({
  given: 'x',
  name: 'x' as WorkspaceName,
  from: undefined,
  branch: undefined,
  pr: undefined,
  ...change,
})
const facts = (refs: readonly Ref[] = [], change: Partial<BranchFacts> = {}): BranchFacts => ({
  refs,
  start: HEAD,
  pr: undefined,
  ...change,
})

/** `+branch@commit ours   cause`: `+` makes it, `=` uses it as it is. */
function chosen(asked: Partial<BranchRequest>, known: BranchFacts): string {
  const { branch, create, commit, ours, cause } = chooseBranch(request(asked), known)
  return `${create ? '+' : '='}${branch}@${commit[0]} ${ours ? 'ours' : "user's"}   ${cause}`
}

const slashed = { given: 'feature/x', name: 'feature-x-abcd' as WorkspaceName }

suite('chooseBranch', (test) => {
  for (const [what, asked, known, expected] of [
    ['nothing of the name', {}, facts(), '+nexus/x@a ours   new, from HEAD'],
    ['a local branch', {}, facts([ref('refs/heads/x')]), "=x@b user's   exists"],
    ['a local branch with slashes', slashed, facts([ref('refs/heads/feature/x')]), "=feature/x@b user's   exists"],
    [
      'a branch with a name that only looks alike',
      slashed,
      facts([ref('refs/heads/feature-x')]),
      '+nexus/feature-x-abcd@a ours   new, from HEAD',
    ],
    [
      'a remote-tracking branch',
      {},
      facts([ref('refs/remotes/origin/x')]),
      '+x@b ours   new, from the remote-tracking branch origin/x',
    ],
    [
      'a local and a remote branch',
      {},
      facts([ref('refs/remotes/origin/x', '', PR), ref('refs/heads/x')]),
      "=x@b user's   exists",
    ],
    [
      'two remotes: origin wins',
      {},
      facts([ref('refs/remotes/fork/x', '', PR), ref('refs/remotes/origin/x')]),
      '+x@b ours   new, from the remote-tracking branch origin/x',
    ],
    [
      'a remote branch spelled with its remote',
      { given: 'origin/x', name: 'origin-x-abcd' as WorkspaceName },
      facts([ref('refs/remotes/origin/x')]),
      '+x@b ours   new, from the remote-tracking branch origin/x',
    ],
    [
      'a local branch of a text that makes no name',
      { given: 'a@b', name: 'a-b-abcd' as WorkspaceName },
      facts([ref('refs/heads/a@b')]),
      "=a@b@b user's   exists",
    ],
    [
      'a remote one of such a text',
      { given: "it's", name: 'it-s-abcd' as WorkspaceName },
      facts([ref("refs/remotes/origin/it's")]),
      "+it's@b ours   new, from the remote-tracking branch origin/it's",
    ],
    [
      'a text whose letters a name cannot hold',
      { given: '修复登录', name: 'x-abcd' as WorkspaceName },
      facts(),
      '+nexus/修复登录@a ours   new, from HEAD',
    ],
    [
      'the same where git takes no such branch',
      { given: '修复.lock', name: 'lock-abcd' as WorkspaceName },
      facts(),
      '+nexus/lock-abcd@a ours   new, from HEAD',
    ],
    [
      'a branch kept from earlier',
      {},
      facts([ref('refs/heads/nexus/x')]),
      '=nexus/x@b ours   kept from an earlier workspace',
    ],
    ['--from', { from: 'main' }, facts([], { start: OTHER }), '+nexus/x@b ours   new, from main'],
    [
      '--from beside a branch of the name',
      { from: 'main' },
      facts([ref('refs/heads/x')]),
      '+nexus/x@a ours   new, from main',
    ],
    ['--branch', { branch: 'old' }, facts([ref('refs/heads/old')]), "=old@b user's   exists"],
    [
      '--branch of a remote',
      { branch: 'old' },
      facts([ref('refs/remotes/origin/old')]),
      '+old@b ours   new, from the remote-tracking branch origin/old',
    ],
    ['--pr', { pr: 12 }, facts([], { pr: PR }), '+nexus/x@c ours   new, from pull request 12'],
    [
      '--branch in a repository without HEAD',
      { branch: 'x' },
      facts([ref('refs/heads/x')], { start: undefined }),
      "=x@b user's   exists",
    ],
  ] as const) {
    test(what, () => assert.is(chosen(asked, known), expected))
  }
})

suite('chooseBranch refuses', (test) => {
  for (const [what, asked, known, code, says] of [
    ['a branch that is checked out', {}, facts([ref('refs/heads/x', '/w/x')]), 'BRANCH_IN_USE', '/w/x'],
    ['a kept branch that is checked out', {}, facts([ref('refs/heads/nexus/x', '/w/x')]), 'BRANCH_IN_USE', '/w/x'],
    ['--branch checked out', { branch: 'main' }, facts([ref('refs/heads/main', '/r')]), 'BRANCH_IN_USE', '/r'],
    [
      'a remote-tracking branch that git would not make here',
      { given: 'origin/-x', name: 'origin-x-abcd' as WorkspaceName },
      facts([ref('refs/remotes/origin/-x')]),
      'INVALID_ARGUMENT',
      'begins with "-"',
    ],
    ['--branch that is nowhere', { branch: 'old' }, facts(), 'INVALID_ARGUMENT', '"old"'],
    ['--from that is no revision', { from: 'zz' }, facts([], { start: undefined }), 'INVALID_ARGUMENT', '"zz"'],
    ['--from over a kept branch', { from: 'main' }, facts([ref('refs/heads/nexus/x')]), 'BRANCH_IN_USE', 'nexus/x'],
    ['--pr over a kept branch', { pr: 1 }, facts([ref('refs/heads/nexus/x')], { pr: PR }), 'BRANCH_IN_USE', 'nexus/x'],
    ['a repository without a commit', {}, facts([], { start: undefined }), 'INVALID_ARGUMENT', 'no commit'],
    ['a branch named nexus in the way', {}, facts([ref('refs/heads/nexus')]), 'BRANCH_IN_USE', 'nexus/x'],
    ['a branch below the new one', {}, facts([ref('refs/heads/nexus/x/y')]), 'BRANCH_IN_USE', '"nexus/x/y"'],
    [
      'a branch above that of a remote',
      { branch: 'f/x' },
      facts([ref('refs/remotes/origin/f/x'), ref('refs/heads/f')]),
      'BRANCH_IN_USE',
      '"f" stands in the way of f/x',
    ],
    [
      'a branch of a remote that is here too',
      { given: 'origin/x', name: 'origin-x-abcd' as WorkspaceName },
      facts([ref('refs/remotes/origin/x'), ref('refs/heads/x', '', PR)]),
      'BRANCH_IN_USE',
      'local branch x beside origin/x',
    ],
    ['a new branch of an odd text', { given: 'a@b' }, facts(), 'INVALID_ARGUMENT', '"a@b"'],
  ] as const) {
    test(what, async () => {
      const error = await rejects(() => chooseBranch(request(asked), known), code)
      assert.ok(error.message.includes(says), error.message)
      assert.match(error.hint ?? '', /`[^`]+`/)
    })
  }
})

suite('what reaches git', (test) => {
  test('every ref that the choice looks at is asked for', () => {
    assert.equal(refPatterns(request(slashed)), [
      'refs/heads/feature/x',
      'refs/heads/feature',
      'refs/heads/nexus/feature-x-abcd',
      'refs/heads/nexus',
      'refs/heads/x',
      'refs/remotes/*/feature/x',
      'refs/remotes/feature/x',
    ])
    assert.ok(refPatterns(request({ branch: 'old' })).includes('refs/heads/old'))
  })

  test('a pattern of the user is no pattern', () => {
    assert.ok(refPatterns(request({ branch: 'a*[b]?' })).includes('refs/heads/a\\*\\[b]\\?'))
  })

  for (const text of ['main', 'HEAD~3', 'v1.2^{commit}', 'feature/x', 'origin/main', '@{-1}']) {
    test(`${text} is a plain revision`, () => assert.is(requirePlainRevision(text, '--from'), text))
  }

  for (const text of ['', '-x', '--upload-pack=id', 'a b', 'a\nb', 'a..b', 'main...x', 'x'.repeat(251)]) {
    test(`${JSON.stringify(text.slice(0, 20))} is none`, async () => {
      const error = await rejects(() => requirePlainRevision(text, '--from'), 'INVALID_ARGUMENT')
      assert.ok(error.message.startsWith('--from '), error.message)
    })
  }
})
