// Embeds what the product renders. Templates are compiled while bundling, so that no template engine is loaded or run for it
// later: a template becomes
// `{ source, compiled }`: its text, of which hashes are made, and the function that `lib/system/render.ts` calls.
import { readFile } from 'node:fs/promises'
import Handlebars from 'handlebars'

/** Values are never HTML, never missing in silence, and pass only through the helpers of `lib/system/render.ts`. */
const OPTIONS = {
  noEscape: true,
  strict: true,
  knownHelpersOnly: true,
  knownHelpers: { yaml: true, line: true, words: true, quoted: true, command: true, number: true },
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

/** esbuild plugin: `import piece from './compose/services/x.yml'` is its text. Other YAML is not ours to embed. */
export const readyServices = {
  name: 'ready services',
  setup(build) {
    build.onLoad({ filter: /[/\\]compose[/\\]services[/\\]\w+\.yml$/ }, async ({ path }) => ({
      contents: await readFile(path, 'utf8'),
      loader: 'text',
    }))
  },
}
