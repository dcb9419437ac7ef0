/** The helpers that tests lean on: waiting, processes, temporary folders and repositories. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { tempDir, tempRepo } from '../support/temp.ts'

async function failureOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
  } catch (error) {
    return String(error)
  }
  throw new Error('it did not fail')
}

suite('eventually', (test) => {
  test('returns the first answer that is neither false nor thrown', async () => {
    const answers = [() => false, () => assert.unreachable('not yet'), () => 'there']
    assert.is(await eventually(() => answers.shift()?.(), { everyMs: 1 }), 'there')
  })

  test('throws what the check threw last', async () => {
    const check = () => Promise.reject(new Error('still closed'))
    assert.match(await failureOf(() => eventually(check, { timeoutMs: 20, everyMs: 5 })), 'still closed')
    assert.match(await failureOf(() => eventually(() => false, { timeoutMs: 20 })), 'not so within 20 ms')
  })

  test('does not wait for a check that hangs', async () => {
    const check = () => new Promise<void>(() => {})
    assert.match(await failureOf(() => eventually(check, { timeoutMs: 30 })), 'the check itself did not end')
    const answers = [() => Promise.reject(new Error('still closed')), check]
    assert.match(
      await failureOf(() => eventually(() => answers.shift()?.(), { timeoutMs: 30, everyMs: 1 })),
      'still closed',
    )
  })
})

suite('runProcess', (test) => {
  test('captures both streams, the code and the signal, and feeds stdin', async () => {
    const ended = await runProcess(['sh', '-c', 'cat; echo no >&2; exit 3'], { input: 'given' })
    assert.equal(ended, { code: 3, stdout: 'given', stderr: 'no\n' })
    assert.is((await runProcess(['sh', '-c', 'kill -TERM $$'])).code, 143)
    assert.is((await runProcess(['cat'])).stdout, '', 'stdin is closed')
  })

  test('sets and removes variables, and fails when a program is missing or slow', async () => {
    const { stdout } = await runProcess(['sh', '-c', 'echo "$A-${TMPDIR-none}"'], {
      env: { A: '1', TMPDIR: undefined },
    })
    assert.is(stdout, '1-none\n')
    assert.match(await failureOf(() => runProcess(['/nonexistent'])), 'ENOENT')
    assert.match(await failureOf(() => runProcess(['sleep', '304'], { timeoutMs: 50 })), 'did not end within 50 ms')
  })
})

suite('temporary folders', (test) => {
  test('go with the block that asked for them', async () => {
    let path: string
    {
      await using dir = await tempDir()
      path = dir.path
      assert.ok(existsSync(path))
    }
    assert.is(existsSync(path), false)
  })

  test('a repository has the files, the commits and an identity of its own', async () => {
    await using repo = await tempRepo({ files: { 'src/a.txt': 'a\n' }, commits: 3 })
    assert.is(await repo.git('rev-list', '--count', 'main'), '3')
    assert.is(await repo.git('status', '--porcelain'), '')
    assert.is(await repo.git('log', '-1', '--format=%an <%ae> %s'), 'Test <test@example.invalid> commit 3')
    assert.is(await readFile(join(repo.path, 'src/a.txt'), 'utf8'), 'a\n')
    assert.match(await failureOf(() => repo.git('switch', 'nowhere')), 'invalid reference: nowhere')
  })

  test('a repository without commits is possible', async () => {
    await using repo = await tempRepo({ commits: 0 })
    assert.is(await repo.git('status', '--porcelain'), '?? README.md')
    assert.is(await repo.git('symbolic-ref', 'HEAD'), 'refs/heads/main')
  })
})
