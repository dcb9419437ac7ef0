// Bundles the CLI (dist/nexus.js + lazily loaded chunks) or, with arguments, the given test and bench files.
// Templates and container files are embedded as text, so that the bundle needs nothing beside it but compose/base-image.sh.
import { chmod, readFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))

/** Shared by the product and its tests, so that the tests run what ships. */
export const settings = {
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  loader: { '.hbs': 'text', '.sh': 'text' },
  define: { __NEXUS_VERSION__: JSON.stringify(version) },
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
  logLevel: 'warning',
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await rm(new URL('../dist', import.meta.url), { recursive: true, force: true })
  await build({
    ...settings,
    entryPoints: { nexus: 'scripts/nexus.ts' },
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    minify: true,
    keepNames: false,
    legalComments: 'none',
  })
  await chmod(new URL('../dist/nexus.js', import.meta.url), 0o755)
}
