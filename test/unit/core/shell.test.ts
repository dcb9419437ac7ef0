import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inLoginShell } from '../../../lib/core/shell.ts'
import { runProcess } from '../../support/process.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

suite("a project's command line", (test) => {
  test('is read by bash in its folder, wherever a file of BASH_ENV goes, and its code is told', async () => {
    await using root = await tempDir()
    const folder = join(root.path, "it's here")
    await mkdir(folder)
    await writeFile(join(root.path, 'env.sh'), 'cd /; export SET=1\n')
    const argv = inLoginShell('echo "$PWD $SET ${nexus_here-none}"; [[ a == a ]] && exit 7')
    const { code, stdout } = await runProcess(argv, { cwd: folder, env: { BASH_ENV: join(root.path, 'env.sh') } })
    assert.equal([code, stdout], [7, `${folder} 1 none\n`])
  })
})
