/** What editors and browsers are called with, and the links that do the same. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterruption } from '../../../lib/core/interruption.ts'
import { browserCommand } from '../../../lib/ssh/browser.ts'
import { EDITORS, type EditorPlace, editorCalled, requireEditor } from '../../../lib/ssh/editors.ts'
import { findProgram } from '../../../lib/system/programs.ts'
import { createRunner } from '../../../lib/system/runner.ts'
import { eventually } from '../../support/eventually.ts'
import { runProcess } from '../../support/process.ts'
import { assert, rejects, suite } from '../../support/suite.ts'
import { tempDir } from '../../support/temp.ts'

const place = (folder: string): EditorPlace => ({ alias: 'x.app.nexus', folder, user: 'nexus', port: 32_800 })

suite('editors', (test) => {
  test('each takes alias and folder in its own words', () => {
    const said = Object.fromEntries(
      EDITORS.map((editor) => [editor.name, [...editor.args(place('/r/x')), editor.link(place('/r/x'))].join(' ')]),
    )
    const gateway =
      'jetbrains-gateway://connect#projectPath=%2Fr%2Fx&host=x.app.nexus&port=32800&user=nexus&type=ssh&deploy=true'
    assert.equal(said, {
      code: '--remote ssh-remote+x.app.nexus /r/x vscode://vscode-remote/ssh-remote+x.app.nexus/r/x',
      cursor: '--remote ssh-remote+x.app.nexus /r/x cursor://vscode-remote/ssh-remote+x.app.nexus/r/x',
      windsurf: '--remote ssh-remote+x.app.nexus /r/x windsurf://vscode-remote/ssh-remote+x.app.nexus/r/x',
      codium: '--remote ssh-remote+x.app.nexus /r/x vscodium://vscode-remote/ssh-remote+x.app.nexus/r/x',
      'code-insiders':
        '--remote ssh-remote+x.app.nexus /r/x vscode-insiders://vscode-remote/ssh-remote+x.app.nexus/r/x',
      zed: 'ssh://x.app.nexus/r/x zed://ssh/x.app.nexus/r/x',
      gateway: `${gateway} ${gateway}`,
    })
  })

  test('links lead to the very folder, whatever is in its name', () => {
    const folder = '/r/a b#c?d%41&e=f+gé\'"/x'
    for (const editor of EDITORS) {
      const url = new URL(editor.link(place(folder)))
      const path =
        editor.name === 'gateway'
          ? new URLSearchParams(url.hash.slice(1).replaceAll('+', '%2B')).get('projectPath')
          : decodeURIComponent(url.pathname).replace(/^.*?x\.app\.nexus/, '')
      assert.is(path, folder, editor.name)
    }
  })

  test('a folder with a dot in its name is none of the files that VS Code would take it for', () => {
    const code = requireEditor('code', '--in')
    assert.equal(code.args(place('/r/my.app')).at(-1), '/r/my.app/')
    assert.match(code.link(place('/r/my.app')), /my\.app\/$/)
    assert.equal(code.args(place('/r/.worktree/x')).at(-1), '/r/.worktree/x')
  })

  test('editors are called by names, programs and other words', async () => {
    const calls = {
      vscode: 'code',
      IntelliJ: 'gateway',
      '/usr/bin/zeditor --wait': 'zed',
      'code -w': 'code',
      'a/cursor': 'cursor',
    }
    for (const [text, name] of Object.entries(calls)) assert.is(editorCalled(text)?.name, name, text)
    for (const text of ['', 'vim', 'emacs -nw', 'codex']) assert.is(editorCalled(text), undefined, text)
    const error = await rejects(() => requireEditor('cusor', '--in'), 'INVALID_ARGUMENT')
    assert.match(error.message, /--in "cusor"/)
    assert.match(error.hint ?? '', /--in cursor/)
    const words = EDITORS.flatMap(({ name, also }) => [name, ...also])
    assert.is(new Set(words).size, words.length, 'no word means two')
  })

  test('only what can be run is a program, and a folder is not', async () => {
    await using dir = await tempDir()
    await mkdir(join(dir.path, 'cursor'))
    for (const name of ['code', 'zed']) await writeFile(join(dir.path, name), '')
    await chmod(join(dir.path, 'zed'), 0o755)
    const env = { PATH: `relative::/not/there:${dir.path}` }
    assert.is(findProgram(['code'], env), undefined)
    assert.is(findProgram(['cursor'], env), undefined)
    assert.is(findProgram(['zeditor', 'zed'], env), join(dir.path, 'zed'))
    assert.is(findProgram(['zed'], {}), undefined)
  })

  test('a program is left alone with the environment of its user, and tells when it fails at once', async () => {
    await using dir = await tempDir()
    const [log, env] = [join(dir.path, 'log'), { PATH: process.env.PATH, LC_ALL: 'de_DE.UTF-8', COMPOSE_FILE: 'x' }]
    const { launch } = createRunner(() => {}, env, createInterruption())
    const script =
      'echo "$LC_ALL $COMPOSE_FILE ${GIT_TERMINAL_PROMPT-none}" >"$0.new"; mv "$0.new" "$0"; read -r _ <"$0.fifo"'
    await runProcess(['mkfifo', `${log}.fifo`])
    assert.is(await launch(['bash', '-c', script, log], 100), null)
    assert.is(await eventually(() => readFile(log, 'utf8')), 'de_DE.UTF-8 x none\n')
    await writeFile(`${log}.fifo`, 'end\n')
    assert.is(await launch(['bash', '-c', 'exit 3'], 5_000), 3)
    await rejects(() => launch([join(dir.path, 'nothing')], 5_000), 'TOOL_MISSING')
  })

  test('a browser is the one of $BROWSER, else what the system has', async () => {
    await using dir = await tempDir()
    for (const name of ['firefox', 'xdg-open', 'open']) {
      await writeFile(join(dir.path, name), '')
      await chmod(join(dir.path, name), 0o755)
    }
    const [PATH, url] = [dir.path, 'http://localhost:32801']
    const at = (name: string, ...rest: string[]) => [join(dir.path, name), ...rest]
    assert.equal(browserCommand(url, { PATH }, 'linux'), at('xdg-open', url))
    assert.equal(browserCommand(url, { PATH }, 'darwin'), at('open', url))
    assert.equal(
      browserCommand(url, { PATH, BROWSER: 'lynx:firefox --new=%s' }, 'linux'),
      at('firefox', `--new=${url}`),
    )
    assert.equal(browserCommand(url, { PATH, BROWSER: 'firefox -P x' }, 'linux'), at('firefox', '-P', 'x', url))
    assert.equal(browserCommand(url, { PATH, BROWSER: 'lynx' }, 'linux'), at('xdg-open', url))
    assert.is(browserCommand(url, { PATH: '/not/there' }, 'linux'), undefined)
  })
})
