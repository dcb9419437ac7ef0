// esbuild plugin: `import { files } from 'folder:verbs'` has what each file of lib/verbs exports as `verbs`, and `folder:endpoints` what
// it exports for the server. So a verb is there as soon as its file is, and the command line is bundled without the server's part.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../lib/verbs', import.meta.url))

export const verbFolder = {
  name: 'verb folder',
  setup(build) {
    build.onResolve({ filter: /^folder:/ }, ({ path }) => ({ path, namespace: 'folder' }))
    build.onLoad({ filter: /.*/, namespace: 'folder' }, async ({ path }) => ({
      contents: await (path === 'folder:verbs' ? gatherVerbs : gatherEndpoints)(await readFolder()),
      resolveDir: FOLDER,
      watchDirs: [FOLDER],
    }))
  },
}

async function readFolder() {
  const names = (await readdir(FOLDER)).filter((name) => /^[^.]+\.ts$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(FOLDER, name), 'utf8')
      const exported = [...text.matchAll(/^export const (verbs|endpoints|withoutEndpoint)\b/gm)].map(([, one]) => one)
      return { name: name.slice(0, -3), exported }
    }),
  )
}

function gatherVerbs(files) {
  const own = files.filter(({ exported }) => exported.includes('verbs'))
  const imports = own.map(({ name }, i) => `import { verbs as v${i} } from './${name}.ts'`)
  return [...imports, `export const files = [${own.map((_, i) => `v${i}`).join(', ')}]`].join('\n')
}

function gatherEndpoints(files) {
  const rows = files.map(({ name, exported }, i) => {
    const own = exported.filter((one) => one !== 'verbs')
    const clause = own.map((one) => `${one} as ${one}${i}`).join(', ')
    const row = [`name: '${name}'`, ...own.map((one) => `${one}: ${one}${i}`)].join(', ')
    return own.length === 0 ? undefined : { line: `import { ${clause} } from './${name}.ts'`, row: `{ ${row} }` }
  })
  const own = rows.filter((row) => row !== undefined)
  return [...own.map(({ line }) => line), `export const files = [${own.map(({ row }) => row).join(', ')}]`].join('\n')
}
