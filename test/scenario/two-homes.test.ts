/** Two NEXUS_HOMEs on one engine and one repository: neither sees, names or touches what belongs to the other. */
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, openScene } from './scene.ts'

suite('two homes', (test) => {
  test(
    'each sees its own workspaces alone',
    async () => {
      await using one = await openScene()
      await using two = await openScene({ repo: one.repo })
      const [first, second] = await Promise.all([one.up('first'), two.up('second')])
      assert.not.equal(first.ports, second.ports)
      assert.equal(
        (await one.list('--all')).map(({ name }) => name),
        ['first'],
      )
      assert.equal(
        (await two.list('--all')).map(({ name }) => name),
        ['second'],
      )
      await two.refused(['status', 'first'], 3, 'WORKSPACE_NOT_FOUND')
      await two.refused(['delete', first.id, '--force'], 3, 'WORKSPACE_NOT_FOUND')
      await two.refused(['stop', 'first'], 3, 'WORKSPACE_NOT_FOUND')
    },
    LIMIT_MS,
  )

  test(
    'a name that the other home uses here is refused, and its worktree and branch stay',
    async () => {
      await using one = await openScene()
      await using two = await openScene({ repo: one.repo })
      await one.up('demo')
      const [before, others] = [await one.made(), await two.made()]
      const { code } = await two.run(['up', 'demo'])
      assert.is(code, 4)
      assert.equal(await one.made(), before)
      assert.equal((await two.made()).records, others.records)
      assert.is((await two.made()).leases, 0)
      assert.is(await one.inside('demo', 'cat', 'README.md'), '# A project\n')
    },
    LIMIT_MS,
  )

  test(
    'deleting everything of one leaves the other running, image included',
    async () => {
      await using one = await openScene()
      await one.up('first')
      {
        await using two = await openScene({ repo: one.repo })
        await two.up('second')
        await two.ok(['delete', 'second'])
        assert.equal(await two.list('--all'), [])
      }
      const [first] = await one.list()
      assert.is(first?.state, 'running')
      assert.is(await one.inside('first', 'echo', 'alive'), 'alive\n')
      await one.ok(['restart', 'first'])
    },
    LIMIT_MS,
  )
})
