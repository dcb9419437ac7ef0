/** Which words of git's configuration a branch would decide, whose hooks run, and which submodules are named for certain. */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { relativeWords } from '../../../lib/core/relative-words.ts'
import { cleanEnvironment } from '../../../lib/system/exec.ts'
import {
  effective,
  hookFiles,
  hooksFolder,
  mainCopies,
  mergingFiles,
  relativePrograms,
} from '../../../lib/tools/git-programs.ts'
import { parseSubmodules } from '../../../lib/tools/git-submodules.ts'
import { FUZZ } from '../../support/fuzz.ts'
import { assert, suite } from '../../support/suite.ts'
import { tempRepo } from '../../support/temp.ts'

const TREE = new Set(['scripts', 'tools', 'smudge.js', 'my tools', 'README.md'])
const wordsOf = (command: string) => relativeWords(command, (name) => TREE.has(name)).map(({ text }) => text)

const RELATIVE: readonly (readonly [command: string, word: string])[] = [
  ['./scripts/x', './scripts/x'],
  ['scripts/x %f', 'scripts/x'],
  ['elsewhere/x', 'elsewhere/x'],
  ['../x', '../x'],
  ['node scripts/x', 'scripts/x'],
  ['node smudge.js', 'smudge.js'],
  ['sh -c "./x"', './x'],
  ["sh -c 'cat | tools/x'", 'tools/x'],
  ['cat | ./x', './x'],
  ['node -r./x y', './x'],
  ['node --require=./x y', './x'],
  ['"my tools/x" %f', 'my tools/x'],
  ['"$(git rev-parse --show-toplevel)"/scripts/x', '/scripts/x'],
  ['$PWD/scripts/x', '$PWD/scripts/x'],
  ['npx prettier', 'npx'],
  ['/usr/bin/make smudge', '/usr/bin/make'],
  ['python3 -m smudge', 'python -m'],
]
const HARMLESS = [
  'git-lfs smudge -- %f',
  'git-lfs filter-process',
  '"git-crypt" smudge',
  'git annex smudge %f',
  "sed 's/a/b/'",
  'sed s/pointer/content/',
  'cat',
  '/usr/local/bin/x --from https://x/y',
  '~/bin/x',
  './.git/crypt/x',
  'gpg -d --batch',
  'openssl enc -d -aes-256-cbc',
]

suite('words that a branch decides', (test) => {
  for (const [command, word] of RELATIVE)
    test(command, () => assert.ok(wordsOf(command).includes(word), String(wordsOf(command))))
  for (const command of HARMLESS) test(`not in ${command}`, () => assert.equal(wordsOf(command), []))

  test('a path below a folder of the tree is found wherever it stands, an absolute one nowhere', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    const around = fc.constantFrom('', 'cat ', 'node ', 'cat | ', 'FOO=1 ', 'sh -c "', 'x --to=')
    const places = fc.record({ around, folder: fc.constantFrom('scripts', 'tools'), name })
    const property = fc.property(places, ({ around: before, folder, name: file }) => {
      assert.ok(wordsOf(`${before}${folder}/${file} %f`).length > 0)
      assert.equal(wordsOf(`${before}/opt/${folder}/${file} %f`), [])
    })
    fc.assert(property, FUZZ)
  })
})

suite('variables that name programs of git', (test) => {
  test('relative ones do not reach it, others do', () => {
    const kept = { GIT_SSH_COMMAND: 'ssh -i ~/.ssh/x', GIT_TEMPLATE_DIR: '/opt/t', XDG_CONFIG_HOME: '/home/u/.config' }
    const dropped = { GIT_SSH: './ssh', GIT_ASKPASS: 'tools/ask', GIT_CONFIG_GLOBAL: 'cfg', SSH_ASKPASS: '../ask' }
    assert.equal(cleanEnvironment({ ...kept, ...dropped }), { ...kept, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0' })
    assert.ok(!('GIT_TEMPLATE_DIR' in cleanEnvironment({ GIT_TEMPLATE_DIR: 'tpl' })))
  })
})

suite('programs of a configuration', (test) => {
  const local = (key: string, value: string) => ({ scope: 'local', key, value })

  test('the line that mends names the main worktree, and the scope', () => {
    const settings = [
      { ...local('filter.f.smudge', './scripts/x %f'), scope: 'global' },
      local('filter.g.process', 'npx g'),
      local('filter.h.smudge', './old'),
      local('filter.h.smudge', '/opt/h'),
    ]
    const found = relativePrograms(settings, '/r', () => false)
    assert.equal(
      found.map(({ mend }) => mend),
      [
        "git config --global filter.f.smudge '/r/scripts/x %f'",
        'git config filter.g.process <absolute path of the program>',
      ],
    )
    assert.equal(mainCopies(settings, '/r'), ['-c', 'filter.f.smudge=/r/scripts/x %f'])
    assert.equal(effective(settings).length, 3)
  })

  test('hooks are those of the main worktree, whatever names them', async () => {
    await using repo = await tempRepo()
    const { path } = repo
    await repo.git('worktree', 'add', '--quiet', '-b', 'side', join(path, '.worktree', 'side'))
    const folder = (value?: string) =>
      hooksFolder(value === undefined ? [] : [local('core.hookspath', value)], path).replace(path, '<main>')
    await mkdir(join(path, '.husky'))
    await symlink('.worktree/side/.husky', join(path, 'link'))
    await mkdir(join(path, '.worktree', 'side', '.husky'))
    assert.equal(
      [undefined, '.husky', './.husky/_', join(path, '.worktree/side/.husky'), 'link', '/opt/hooks', ''].map(folder),
      [
        '<main>/.git/hooks',
        '<main>/.husky',
        '<main>/.husky/_',
        '<main>/.husky',
        '<main>/.husky',
        '/opt/hooks',
        '/dev/null',
      ],
    )
    await symlink('../../tools/hook', join(path, '.git', 'hooks', 'post-merge'))
    assert.equal(hookFiles(join(path, '.git', 'hooks'), path), ['tools/hook'])
    // a merge that turns a link on the way changes what runs, too
    await symlink('tools', join(path, 'way'))
    assert.equal(hookFiles(join(path, 'way'), path), ['tools', 'way'])
    assert.equal(mergingFiles([{ scope: 'local', key: 'filter.x.smudge', value: './way/hook' }], path), [
      'way',
      'tools/hook',
    ])
    assert.equal(hookFiles(join(path, '.husky', '_'), path), ['.husky/_', '.husky'])
  })

  test('a submodule that is named twice is not told for certain', () => {
    const text = ['a.path\nx', 'a.url\nu', 'b.path\ny', 'b.url\nu', 'b.url\nv', 'c.url\nw', 'd.e.path\nz']
    assert.equal(parseSubmodules(text.map((entry) => `submodule.${entry}\0`).join('')), [
      { name: 'a', path: 'x', url: 'u' },
      { name: 'b', path: 'y', url: '' },
      { name: 'd.e', path: 'z', url: '' },
    ])
  })
})
