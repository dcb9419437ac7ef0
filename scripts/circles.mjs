// Prints how many circles the imports of lib and scripts make, types and late imports counted; fails for one that the guard
// (test/unit/guard.test.ts) would not let pass.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { settings } from './build.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'nexus-circles-'))
try {
  const outfile = join(folder, 'circles.mjs')
  await build({ ...settings, splitting: false, entryPoints: [join(ROOT, 'test/support/circles.ts')], outfile })
  const { circles, unknown } = await (await import(pathToFileURL(outfile).href)).listCircles(ROOT)
  console.log(`${circles.length} import circles`)
  for (const circle of unknown) console.error(`error: ${circle}`)
  process.exitCode = Number(unknown.length > 0)
} finally {
  await rm(folder, { recursive: true })
}
