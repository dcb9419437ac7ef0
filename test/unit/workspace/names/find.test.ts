/** From what was typed to a workspace: ids, names here and elsewhere, `<repo>/<name>`, and what is said when it is not one. */

import fc from 'fast-check'
import type { WorkspaceId, WorkspaceName } from '../../../../lib/core/names.ts'
import type { WorkspaceRecord } from '../../../../lib/core/workspace.ts'
import { aliasesOf } from '../../../../lib/ssh/server/access.ts'
import type { App } from '../../../../lib/workspace/app.ts'
import { splitRepository } from '../../../../lib/workspace/lifecycle/branch-or-name.ts'
import { withAliases } from '../../../../lib/workspace/lifecycle/naming.ts'
import { noteNamed, requireWorkspace } from '../../../../lib/workspace/names/find.ts'
import { fullNameOf, pickWorkspace } from '../../../../lib/workspace/names/pick.ts'
import { assert, rejects, suite } from '../../../support/suite.ts'

const record = (id: string, name: string, repo: string, project = repo.slice(1)) =>
  ({ id: id as WorkspaceId, name: name as WorkspaceName, repo, project }) as WorkspaceRecord

const ONE = record('ws-aaaaaaaa', 'auth', '/app')
const TWO = record('ws-bbbbbbbb', 'auth', '/site')
const THREE = record('ws-cccccccc', 'billing', '/site')
const FOUR = record('ws-dddddddd', 'auth', '/home/u/shop', 'Big Shop')
const ALL = [ONE, TWO, THREE, FOUR]

suite('pickWorkspace', (test) => {
  for (const [what, given, root, expected] of [
    ['a name in the current repository', 'auth', '/site', TWO],
    ['a name that only another repository has', 'billing', '/app', THREE],
    ['a name outside of any repository', 'billing', undefined, THREE],
    ['<project>/<name>', 'site/auth', '/app', TWO],
    ['<project>/<name> by the label of the project', 'big-shop/auth', '/app', FOUR],
    ['<project>/<name> as the project says it', 'Big Shop/auth', '/app', FOUR],
    ['<folder>/<name>', 'shop/auth', '/app', FOUR],
    ['<project>/<name> of the current repository', 'app/auth', '/app', ONE],
  ] as const) {
    test(what, () => assert.is(pickWorkspace(ALL, given, { root, fallsBack: true }), expected))
  }

  test('a text that would make the name finds it', () => {
    const slashed = record('ws-eeeeeeee', 'feature-x-2kxi', '/app')
    const error = () => pickWorkspace([slashed], 'feature-x-2kxi', { root: '/app' })
    assert.is(error(), slashed)
  })

  test('an ambiguous name lists the candidates', async () => {
    const error = await rejects(
      () => pickWorkspace(ALL, 'auth', { root: '/elsewhere', fallsBack: true }),
      'NAME_AMBIGUOUS',
    )
    assert.is(error.exitCode, 4)
    const candidates = error.details?.candidates as readonly { id: string }[]
    assert.equal(
      candidates.map(({ id }) => id),
      [ONE.id, TWO.id, FOUR.id],
    )
    for (const { id, repo } of [ONE, TWO, FOUR]) assert.ok(error.message.includes(`${id}, ${repo}`), error.message)
    assert.ok(error.hint?.includes(ONE.id))
  })

  test('the hint repeats the command as it was typed, with the id', async () => {
    for (const [line, command, expected] of [
      ['nexus rename auth other', 'rename', `nexus rename ${ONE.id} other`],
      ["nexus exec -e A auth -- echo 'a b' auth", 'exec', `nexus exec -e A ${ONE.id} -- echo 'a b' auth`],
      ['nexus merge auth --into main', 'merge', `nexus merge ${ONE.id} --into main`],
      ['nexus cp auth:/a ./auth', 'cp', `nexus cp ${ONE.id}:/a ./auth`],
      ['nexus logs auth auth', 'logs', `nexus logs ${ONE.id}`],
      [undefined, 'stop', `nexus stop ${ONE.id}`],
    ] as const) {
      const picking = { root: '/elsewhere', fallsBack: true, command, line }
      const { hint } = await rejects(() => pickWorkspace(ALL, 'auth', picking), 'NAME_AMBIGUOUS')
      assert.is(hint, `To mean one of them, use its id: \`${expected}\``)
    }
    const line = 'nexus exec billing -- true'
    const elsewhere = () => pickWorkspace(ALL, 'billing', { root: '/app', command: 'exec', line })
    const { hint } = await rejects(elsewhere, 'WORKSPACE_NOT_FOUND')
    assert.is(hint, 'To mean it, run `nexus exec site/billing -- true`')
  })

  test('of many candidates five are named', async () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      record(`ws-${'abcdefghij'[i % 10]}aaaaa${'bcdef'[i % 5]}b`, 'b', `/r${i}`),
    )
    const { message } = await rejects(
      () => pickWorkspace(many, 'b', { root: '/elsewhere', fallsBack: true }),
      'NAME_AMBIGUOUS',
    )
    assert.match(message, /^"b" names none here, and 50 workspaces elsewhere: .*; 45 more\.$/)
    assert.ok(message.length < 400, message)
  })

  test('two projects of one name are ambiguous too', async () => {
    const twins = [record('ws-aaaaaaaa', 'x', '/a/app', 'app'), record('ws-bbbbbbbb', 'x', '/b/app', 'app')]
    await rejects(() => pickWorkspace(twins, 'app/x', { root: undefined }), 'NAME_AMBIGUOUS')
  })

  test('an unknown name comes with the nearest', async () => {
    const error = await rejects(() => pickWorkspace(ALL, 'biling', { root: '/app' }), 'WORKSPACE_NOT_FOUND')
    assert.is(error.exitCode, 3)
    assert.is(error.details?.nearest, 'billing')
    assert.is(error.hint, 'To mean billing of /site, run `nexus status site/billing`')
  })

  test('also where either half of <repo>/<name> is mistyped', async () => {
    for (const given of ['site/biling', 'sit/billing']) {
      const { hint } = await rejects(() => pickWorkspace(ALL, given, { root: '/app' }), 'WORKSPACE_NOT_FOUND')
      assert.is(hint, 'To mean billing of /site, run `nexus status site/billing`')
    }
  })

  test('of this repository before any other, and with one named of that alone', async () => {
    const some = [record('ws-eeeeeeee', 'billin', '/app'), record('ws-ffffffff', 'billing', '/site')]
    const nearest = async (given: string, root: string, only = false) =>
      (await rejects(() => pickWorkspace(some, given, { root, only }), 'WORKSPACE_NOT_FOUND')).hint
    assert.is(await nearest('billng', '/app'), 'To mean billin, run `nexus status billin`')
    assert.is(await nearest('billing', '/elsewhere', true), 'To see what there is, run `nexus list --all`')
    assert.is(await nearest('billng', '/app', true), 'To mean billin, run `nexus status app/billin`')
  })

  test('of a short name more than a letter must be right', async () => {
    const py1 = [record('ws-eeeeeeee', 'py1', '/app')]
    const error = await rejects(() => pickWorkspace(py1, 'k1', { root: '/app' }), 'WORKSPACE_NOT_FOUND')
    assert.not('nearest' in (error.details ?? {}))
    assert.is(
      (await rejects(() => pickWorkspace(py1, 'yp1', { root: '/app' }), 'WORKSPACE_NOT_FOUND')).details?.nearest,
      'py1',
    )
  })

  test('far from every name, the list is named', async () => {
    const error = await rejects(() => pickWorkspace(ALL, 'zzzzzz', { root: '/app' }), 'WORKSPACE_NOT_FOUND')
    assert.match(error.hint ?? '', /`nexus list --all`/)
    assert.not('nearest' in (error.details ?? {}))
  })

  test('an unknown <repo>/<name> is not found, whatever the name alone would give', async () => {
    await rejects(() => pickWorkspace(ALL, 'site/nothing', { root: '/app' }), 'WORKSPACE_NOT_FOUND')
  })

  test('with a repository named nothing else is looked at', async () => {
    await rejects(() => pickWorkspace(ALL, 'billing', { root: '/app', only: true }), 'WORKSPACE_NOT_FOUND')
    assert.is(pickWorkspace(ALL, 'auth', { root: '/app', only: true }), ONE)
  })

  for (const given of ['', 'a b', '-x', 'all', 'a..b']) {
    test(`${JSON.stringify(given)} can be no name`, async () => {
      await rejects(() => pickWorkspace(ALL, given, { root: '/app' }), 'INVALID_ARGUMENT')
    })
  }
})

/** The little of an App that names need. */
const app = (workspaces: Record<string, { path: string }> = {}) =>
  ({
    cwd: '/nowhere',
    records: { list: async () => ALL },
    config: async () => ({ settings: { workspaces } }),
  }) as unknown as App

suite('requireWorkspace', (test) => {
  test('an id names a workspace of any repository', async () => {
    assert.is(await requireWorkspace(app(), 'ws-cccccccc'), THREE)
  })

  test('an id that nothing has is not found', async () => {
    await rejects(() => requireWorkspace(app(), 'ws-zzzzzzzz'), 'WORKSPACE_NOT_FOUND')
  })

  test('an unknown repository is not found', async () => {
    const error = await rejects(() => requireWorkspace(app(), 'auth', 'nope'), 'REPOSITORY_NOT_FOUND')
    assert.is(error.exitCode, 3)
  })
})

suite('noteNamed', (test) => {
  test('the word that was typed stays the one for its workspace', async () => {
    const noting: App = { ...app({ s: { path: '/site' } }), named: [] }
    const found = await requireWorkspace(noting, 's/auth')
    await noteNamed(noting, found, '')
    const words = noting.named?.map(({ name, word }) => [name, word])
    assert.equal(words, [
      ['auth', 's/auth'],
      ['billing', 'site/billing'],
    ])
  })
})

suite('splitRepository', (test) => {
  const branches = (...names: readonly string[]) =>
    ({
      ...app({ shop: { path: '/home/u/shop' } }),
      cwd: process.cwd(),
      git: { listRefs: async () => names.map((name) => ({ name, commit: '', worktree: '' })) },
    }) as unknown as App
  for (const [text, refs, expected] of [
    ['shop/auth', [], { repo: 'shop', given: 'auth' }],
    ['shop/feature/x', [], { repo: 'shop', given: 'feature/x' }],
    ['site/billing', [], { repo: '/site', given: 'billing' }],
    ['feature/x', [], { repo: undefined, given: 'feature/x' }],
    ['alice/x', ['refs/heads/alice/y'], { repo: undefined, given: 'alice/x' }],
    ['alice/x', ['refs/remotes/origin/alice/x'], { repo: undefined, given: 'alice/x' }],
    ['site/x', ['refs/heads/site/x'], { repo: undefined, given: 'site/x' }],
    ['/x', [], { repo: undefined, given: '/x' }],
    ['auth', [], { repo: undefined, given: 'auth' }],
    [undefined, [], { repo: undefined, given: undefined }],
  ] as const) {
    test(`${text} beside ${refs.join() || 'no such branch'}`, async () =>
      assert.equal(await splitRepository(branches(...refs), text, undefined), expected))
  }

  test('with the repository named, the text is a branch', async () => {
    assert.equal(await splitRepository(branches(), 'shop/auth', '.'), { repo: '.', given: 'shop/auth' })
  })

  for (const text of ['nope/x', 'toString/x', 'shpo/x', 'sites/x']) {
    test(`${text} makes no branch`, async () => {
      const error = await rejects(() => splitRepository(branches(), text, undefined), 'REPOSITORY_NOT_FOUND')
      assert.is(error.exitCode, 3)
    })
  }

  test('a word that is a repository and the beginning of branches is ambiguous', async () => {
    await rejects(() => splitRepository(branches('refs/heads/site/y'), 'site/x', undefined), 'NAME_AMBIGUOUS')
  })

  test('in a home that knows no other repository every text is a branch', async () => {
    const alone = { ...branches(), records: { list: async () => [] }, config: app().config } as unknown as App
    assert.equal(await splitRepository(alone, 'alice/x', undefined), { repo: undefined, given: 'alice/x' })
  })
})

suite('names of other repositories', (test) => {
  test('a verb that changes something refuses and names what is meant', async () => {
    const pick = () => pickWorkspace(ALL, 'billing', { root: '/app', command: 'delete' })
    const error = await rejects(pick, 'WORKSPACE_NOT_FOUND')
    assert.is(error.message, 'There is no workspace billing in app; site has one.')
    assert.is(error.hint, 'To mean it, run `nexus delete site/billing`')
  })

  test('outside of any repository too', async () => {
    const error = await rejects(() => pickWorkspace(ALL, 'billing', { root: undefined }), 'WORKSPACE_NOT_FOUND')
    assert.match(error.hint ?? '', /`nexus status site\/billing`/)
  })

  test('five candidates are named at most', async () => {
    const many = Array.from({ length: 8 }, (_, i) => record(`ws-aaaaaaa${'abcdefgh'[i]}`, 'x', `/r${i}`))
    const error = await rejects(
      () => pickWorkspace(many, 'x', { root: '/app', command: 'stop' }),
      'WORKSPACE_NOT_FOUND',
    )
    assert.match(error.message, /r0, r1, r2, r3, r4 and 3 more have one each\.$/)
    assert.is(error.hint?.match(/nexus stop/g)?.length, 5)
  })

  test('an alias means its repository and no other', async () => {
    const aliases = new Map([['site', '/app']])
    assert.is(pickWorkspace(ALL, 'site/auth', { root: undefined, aliases }), ONE)
    await rejects(() => pickWorkspace(ALL, 'site/billing', { root: '/site', aliases }), 'WORKSPACE_NOT_FOUND')
  })

  test('a full name never leads to a workspace of another repository', () => {
    const word = fc.constantFrom('app', 'site', 'a b', 'App', 'x/y')
    const records = fc.uniqueArray(fc.tuple(word, word, fc.constantFrom('auth', 'billing')), {
      maxLength: 12,
      selector: ([folder, , name]) => `${folder} ${name}`,
    })
    const property = fc.property(records, (rows) => {
      const all = rows.map(([folder, project, name], i) => {
        return record(`ws-aaaaaa${'abcdefghijklmnop'[i]}2`, name, `/home/${folder}`, project)
      })
      for (const one of all) {
        const full = fullNameOf(all, one)
        if (full !== one.id) assert.is(pickWorkspace(all, full, { root: undefined }), one)
      }
    })
    fc.assert(property, { seed: 15, numRuns: 1000 })
  })
})

suite('aliases', (test) => {
  const made = (id: string, name: string, repo: string, others: readonly WorkspaceRecord[], before?: WorkspaceRecord) =>
    withAliases(record(id, name, repo, repo.split('/').at(-1)), others, before)
  const namesOf = (all: readonly WorkspaceRecord[]) => all.flatMap(aliasesOf)

  test('two repositories of one name never share one, and each keeps to one label', () => {
    const one = made('ws-aaaaaaaa', 'one', '/x/app', [])
    const two = made('ws-bbbbbbbb', 'one', '/y/app', [one])
    const three = made('ws-cccccccc', 'three', '/y/app', [one, two])
    const four = made('ws-dddddddd', 'three', '/x/app', [one, two, three])
    assert.equal(aliasesOf(one), ['one.nexus', 'one.app.nexus'])
    assert.match(aliasesOf(two).join(), /^one\.app-[a-z2-7]{4}\.nexus$/)
    assert.equal(aliasesOf(three), ['three.nexus', (aliasesOf(two)[0] ?? '').replace('one', 'three')])
    assert.equal(aliasesOf(four), ['three.app.nexus'])
    assert.is(new Set(namesOf([one, two, three, four])).size, 6)
    assert.is(pickWorkspace([one, two], `${two.aliasLabel}/one`, { root: undefined }), two)
  })

  test('a repository that moves and a workspace that is renamed keep theirs', () => {
    const one = made('ws-aaaaaaaa', 'one', '/x/app', [])
    const two = made('ws-bbbbbbbb', 'two', '/x/app', [one])
    const later = made('ws-cccccccc', 'one', '/y/site', [one, two])
    assert.equal(aliasesOf(made('ws-aaaaaaaa', 'one', '/z/app', [two, later], one)), aliasesOf(one))
    assert.equal(aliasesOf(made('ws-aaaaaaaa', 'uno', '/x/app', [two, later], one)), ['uno.nexus', 'uno.app.nexus'])
  })
})
