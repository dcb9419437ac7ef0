#!/usr/bin/env node
/**
 * Entry of the `nexus` command: answers `--version` by itself, else loads the program with V8's code cache beside it, which
 * saves half of the time that loading takes. A cache of another Node version is refused by V8 and nothing is lost but time.
 * CommonJS, because Node starts that faster. Only what Node itself brings may be imported here.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import type { run as Run, tellUnwritten as TellUnwritten } from './main.ts'

declare const __NEXUS_VERSION__: string

interface Program {
  readonly run: typeof Run
  readonly tellUnwritten: typeof TellUnwritten
}

/**
 * What makes, starts or takes away runs far more code than what looks or goes in: each has a cache of its own, as reading it takes
 * time.
 */
const MAKING = [
  'up',
  'create',
  'adopt',
  'start',
  'stop',
  'restart',
  'rebuild',
  'run',
  'pause',
  'resume',
  'wake',
  'delete',
]

function load(): { readonly program: Program; readonly script: Script } {
  // the same program with the server in it, which nobody else should wait for
  const file = join(__dirname, process.argv.includes('serve') ? 'serve.cjs' : 'program.cjs')
  const cache = MAKING.includes(process.argv[2] ?? '') ? `${file}.making.cache` : `${file}.cache`
  const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData: readCache(cache) })
  const program = { exports: {} as Program }
  script.runInThisContext()(program.exports, require, program, pathToFileURL(file).href)
  return { program: program.exports, script }
}

function readCache(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined // not built yet, which is how the build itself starts
  }
}

const [first, ...others] = process.argv.slice(2)
if ((first === '--version' || first === '-v') && others.length === 0) {
  process.stdout.once('error', (error) => {
    process.exitCode = load().program.tellUnwritten(process, error)
  })
  process.stdout.write(`${__NEXUS_VERSION__}\n`)
} else {
  const { program, script } = load()
  program.run(process, __NEXUS_VERSION__).then((code) => {
    process.exitCode = code
    if (process.env.NEXUS_CODE_CACHE !== undefined)
      writeFileSync(process.env.NEXUS_CODE_CACHE, script.createCachedData())
  })
}
