// Compiles templates while bundling, so that no template engine is loaded or run for it later. A template becomes
// `{ source, compiled }`: its text, of which hashes are made, and the function that `lib/system/render.ts` calls.
import { readFile } from 'node:fs/promises'
import Handlebars from 'handlebars'

/** Values are never HTML, never missing in silence, and pass only through the helpers of `lib/system/render.ts`. */
const OPTIONS = {
  noEscape: true,
  strict: true,
  knownHelpersOnly: true,
  knownHelpers: { yaml: true, line: true, words: true, quoted: true, number: true },
}

/** The template as JavaScript text: an object expression. */
export function compileTemplate(source) {
  return `{ source: ${JSON.stringify(source)}, compiled: ${Handlebars.precompile(source, OPTIONS)} }`
}

/** esbuild plugin: `import template from './x.hbs'`. */
export const templates = {
  name: 'templates',
  setup(build) {
    build.onLoad({ filter: /\.hbs$/ }, async ({ path }) => ({
      contents: `module.exports = ${compileTemplate(await readFile(path, 'utf8'))}`,
      loader: 'js',
    }))
  },
}
