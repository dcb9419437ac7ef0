/** What of a repository's configuration git would run: the reader of git's own format beside git, and which keys count. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { parseConfig, readRunningParts } from '../../../lib/tools/git-config.ts'
import { runProcess } from '../../support/process.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir, tempRepo } from '../../support/temp.ts'

/** As git itself reads the file. */
async function byGit(file: string): Promise<readonly (readonly [string, string])[]> {
  const { stdout, code, stderr } = await runProcess(['git', 'config', '--file', file, '--list', '-z'])
  assert.is(code, 0, stderr)
  return stdout
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const end = entry.indexOf('\n')
      return end === -1 ? [entry, 'true'] : [entry.slice(0, end), entry.slice(end + 1)]
    })
}

const TEXTS = [
  '[core]\n\tfsmonitor = /bin/x\n\tbare\n',
  '[CORE]\nFsMonitor=  a  b   # a comment\n',
  '[filter "a.b \\"c\\" \\\\"]\n clean = "x # y" ; z\n\tsmudge = a\\tb\\nc\\"d\n',
  '[alias] st = !sh -c \\\n  evil\n',
  '; a comment\n# another\n[a.B]\nx = "  kept  "\n[a "B"]\nx = 1\nx = 2\n',
  '[diff "Word"]\r\n\ttextconv = a b\r\n',
  '[x]\n\ty = a"b c"d\n\tz = \n\tw\n',
]

suite('the configuration of a repository', (test) => {
  test('is read as git reads it', async () => {
    await using dir = await tempDir()
    const file = join(dir.path, 'config')
    for (const text of TEXTS) {
      await writeFile(file, text)
      const own = parseConfig(text).map(({ key, value }) => [key, value])
      assert.equal(own, await byGit(file), JSON.stringify(text))
    }
  })

  test('any value that git writes is read back', async () => {
    await using dir = await tempDir()
    const value = fc.string({ unit: fc.constantFrom(...'ab "\\#;\t\n=[]!$é'), maxLength: 12 })
    const file = join(dir.path, 'config')
    await fc.assert(
      fc.asyncProperty(value, async (text) => {
        await writeFile(file, '')
        await runProcess(['git', 'config', '--file', file, 'core.fsmonitor', text])
        const { stdout } = await runProcess(['cat', file])
        assert.equal(parseConfig(stdout), [{ key: 'core.fsmonitor', value: text }], JSON.stringify(stdout))
      }),
      { numRuns: 60, seed: 7 },
    )
  })

  test('whatever stands in the file, reading it ends and throws nothing', () => {
    const unit = fc.constantFrom(...'[]"\\=\n #;a.B!\r\uFEFF')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        parseConfig(text)
      }),
      { numRuns: 5_000, seed: 7 },
    )
  })

  test('what is no file, or no folder, is not waited for and breaks nothing', async () => {
    await using dir = await tempDir()
    await runProcess(['mkfifo', join(dir.path, 'config')])
    await writeFile(join(dir.path, 'hooks'), 'no folder')
    await mkdir(join(dir.path, 'info', 'attributes'), { recursive: true })
    assert.equal(readRunningParts(dir.path), { 'info/attributes': 'no file' })
  })

  test('only what is run counts: keys, shell aliases, hooks, attributes', async () => {
    await using repo = await tempRepo()
    const gitDir = join(repo.path, '.git')
    assert.equal(readRunningParts(gitDir), {})
    const run = {
      'core.fsmonitor': 'x',
      'core.hooksPath': 'y',
      'core.sshCommand': 'z',
      'filter.Big.clean': 'a',
      'filter.Big.process': 'b',
      'diff.external': 'c',
      'diff.pdf.textconv': 'd',
      'include.path': 'e',
      'includeIf.gitdir:/x/.path': 'f',
      'alias.evil': '!g',
      'credential.helper': 'h',
      'credential.https://example.invalid.helper': 'i',
      'gpg.program': 'j',
      'gpg.ssh.program': 'k',
      'core.pager': 'l',
      'core.editor': 'm',
      'merge.ours.driver': 'n',
      'remote.origin.uploadpack': 'o',
      'url.ext::sh.insteadOf': 'p',
      'protocol.ext.allow': 'always',
    }
    for (const [key, value] of Object.entries(run)) await repo.git('config', key, value)
    for (const key of ['alias.st', 'color.ui', 'branch.main.remote', 'filter.Big.required']) {
      await repo.git('config', key, 'true')
    }
    const lower = (key: string) => key.replace(/^[^.]+|[^.]+$/g, (word) => word.toLowerCase())
    const expected = Object.fromEntries(Object.entries(run).map(([key, value]) => [lower(key), value]))
    assert.equal(readRunningParts(gitDir), expected)

    await mkdir(join(gitDir, 'hooks'), { recursive: true })
    await writeFile(join(gitDir, 'hooks', 'pre-commit'), 'one')
    await writeFile(join(gitDir, 'hooks', 'pre-commit.sample'), 'one')
    await symlink('/elsewhere', join(gitDir, 'hooks', 'post-merge'))
    await mkdir(join(gitDir, 'info'), { recursive: true })
    await writeFile(join(gitDir, 'info', 'attributes'), '* filter=Big\n')
    await writeFile(join(gitDir, 'config.worktree'), '[core]\n\tfsmonitor = w\n')
    const parts = readRunningParts(gitDir)
    assert.equal(
      Object.keys(parts).filter((name) => !(name in expected)),
      ['hooks/post-merge', 'hooks/pre-commit', 'info/attributes'],
    )
    assert.is(parts['hooks/post-merge'], 'link to /elsewhere')
    assert.is(parts['core.fsmonitor'], 'x\nw')
    await writeFile(join(gitDir, 'hooks', 'pre-commit'), 'two')
    assert.not.equal(readRunningParts(gitDir)['hooks/pre-commit'], parts['hooks/pre-commit'])
  })
})
