// Prints how many circles the imports of lib and scripts make, types and late imports counted; fails where there is one,
// as the guard (test/unit/guard.test.ts) does.
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
  const circles = await (await import(pathToFileURL(outfile).href)).listCircles(ROOT)
  console.log(`${circles.length} import circles`)
  for (const circle of circles) console.error(`error: ${circle}`)
  process.exitCode = Number(circles.length > 0)
} finally {
  await rm(folder, { recursive: true })
}
