/**
 * What is shown of a workspace's work shows all that a merge would bring; what is printed of it is what it seems; and what a
 * helper is told names an image by its id and a program by its path.
 */
import fc from 'fast-check'
import { helperArgs } from '../../../../lib/backends/docker/own-container.ts'
import { printable } from '../../../../lib/core/visible.ts'
import { visible } from '../../../../lib/report/visible.ts'
import { addUp, type FileChange, hides } from '../../../../lib/workspace/git/review.ts'
import { assert, suite } from '../../../support/suite.ts'

const change = (path: string, insertions: number | null, deletions: number | null, from?: string): FileChange =>
  from === undefined ? { path, insertions, deletions } : { path, from, insertions, deletions }

suite('reviews of what is committed and what is not', (test) => {
  test('one difference is shown where it shows both', () => {
    assert.not(hides({ committed: [change('a', 1, 1)], pending: [change('b', 1, 1)] }))
    // lines that are only added can make others a comment
    assert.ok(hides({ committed: [change('a', 1, 0)], pending: [change('a', 1, 0)] }))
    assert.ok(hides({ committed: [change('a', 1, 0)], pending: [change('a', 0, 1)] }))
    assert.ok(hides({ committed: [change('a', 0, 1)], pending: [change('a', 1, 0)] }))
    assert.ok(hides({ committed: [change('a', null, null)], pending: [change('a', null, null)] }))
    assert.ok(hides({ committed: [change('a', 0, 0)], pending: [change('a', 0, 0)] }), 'modes')
    assert.ok(hides({ committed: [change('b', 1, 0, 'a')], pending: [change('a', 1, 0)] }), 'a rename')
    assert.ok(hides({ committed: [change('b', 1, 0)], pending: [change('c', 1, 0, 'b')] }), 'a rename')
  })

  test('each file that a commit changes is in the list', () => {
    assert.equal(addUp([change('a', 1, 0), change('b', 1, 2)], [change('a', 0, 1), change('c', null, null)]), [
      change('a', 1, 1),
      change('b', 1, 2),
      change('c', null, null),
    ])
    const changes = fc.array(
      fc.record({ path: fc.constantFrom('a', 'b', 'c'), insertions: fc.nat(), deletions: fc.nat() }),
    )
    fc.assert(
      fc.property(changes, changes, (committed, pending) => {
        const shown = new Set(addUp(committed, pending).map(({ path }) => path))
        return [...committed, ...pending].every(({ path }) => shown.has(path))
      }),
    )
  })
})

suite('text from a branch', (test) => {
  test('has nothing in it that is obeyed, turned or not seen', () => {
    const hidden = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\u00ad\u200b\u2060\ufeff\u{e0041}]/u
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const found = visible(text).replace(/[\n\t]/g, '')
        return !hidden.test(printable(text)) && !hidden.test(found)
      }),
    )
    assert.is(printable('a\u202eb\nc\u2066\u200f'), 'a\\u202eb\\u000ac\\u2066\\u200f')
    assert.is(printable('x\u{e0041}'), 'x\\u{e0041}')
    assert.is(visible('\u202e\n'), '\\u202e\n')
    for (const plain of ['ü ä', '日本語', 'عربي', '🧑\u200d💻', '❤\ufe0f']) assert.is(printable(plain), plain)
    assert.is(printable('a\u200db'), 'a\\u200db')
  })
})

suite('helpers', (test) => {
  const id = `sha256:${'a'.repeat(64)}`
  const task = { user: '0:0', mounts: [], labels: {}, argv: ['/bin/true'] }

  test('an image by its id, a program by its path, nothing else of the machine', () => {
    assert.throws(() => helperArgs('nexus-12345678:abc', task), /named by its id/)
    assert.throws(() => helperArgs(id, { ...task, argv: ['rm'] }), /absolute path/)
    const mounts = [{ type: 'bind', source: '/a,b"c', target: '/x', readOnly: true } as const]
    const args = helperArgs(id, { ...task, mounts, capabilities: ['CHOWN'] })
    assert.is(
      args.join(' '),
      `run --rm --pull never --network none --read-only --user 0:0 --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges:true --mount type=bind,"source=/a,b""c",target=/x,readonly --entrypoint /bin/true ${id}`,
    )
  })
})
