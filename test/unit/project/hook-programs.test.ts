/** Which programs a hook of git's names, by its text alone. */
import { programsOfHook } from '../../../lib/project/hook-programs.ts'
import { assert, suite } from '../../support/suite.ts'

const CASES: readonly (readonly [what: string, text: string, programs: string])[] = [
  ['one command', '#!/bin/sh\nnpx lint-staged\n', 'npx'],
  ['an interpreter by env', '#!/usr/bin/env -S node --no-warnings\nprocess.exit(1)\n', 'node'],
  ['one that is no shell', '#!/opt/py/bin/python3\nimport os\n', '/opt/py/bin/python3'],
  ['no first line', 'make check || exit 1\n', 'make exit'],
  ['commands after others', '#!/bin/sh\nset -e\nA=1 eslint . && tsc | tee x; ! prettier\n', 'eslint tsc tee prettier'],
  ['a look first', '#!/bin/sh\nif command -v lefthook >/dev/null; then exec lefthook run; fi\n', 'lefthook'],
  ['a function of its own', '#!/bin/sh\ncheck() {\n  black .\n}\ncheck "$@"\n', 'black'],
  [
    'comments and texts',
    '#!/bin/sh\n# use ruby\necho "run\nmake first" # perl\nprintf \'go go\' | awk 1\n',
    'echo printf awk',
  ],
  ['a here-document', '#!/bin/sh\ncat <<EOF\nruby x\nEOF\ngo vet\n', 'cat go'],
  [
    'a given path',
    '#!/usr/bin/env bash\nPY=/opt/venv/bin/python\nexec "$PY" -m pre_commit\n',
    'bash /opt/venv/bin/python',
  ],
  [
    'git lfs',
    '#!/bin/sh\ncommand -v git-lfs >/dev/null 2>&1 || { echo >&2 "no"; exit 2; }\ngit lfs pre-push "$@"\n',
    'git-lfs echo exit',
  ],
  ['what lies in the worktree', '#!/bin/sh\n./scripts/check\n"$(git rev-parse --show-toplevel)/x"\n', ''],
  ['a program that is no text', '\x7fELF\0\0make\n', ''],
]

suite('programs of a hook', (test) => {
  for (const [what, text, programs] of CASES) {
    test(what, () => {
      const found = programsOfHook(text).filter((name) => name !== '/bin/sh')
      assert.is(found.join(' '), programs)
    })
  }
})
