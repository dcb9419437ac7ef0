// esbuild plugin: `import { problemOf } from 'shape:record'` is a check made of the zod shape in lib/core/record-shape.ts, so that what
// is read is checked without zod, which takes longer to load than all the rest. The shape is brought to JSON Schema by zod itself;
// a keyword that is not known here fails the build.
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const SHAPE = fileURLToPath(new URL('../lib/core/record-shape.ts', import.meta.url))
const SAFE = Number.MAX_SAFE_INTEGER

export const shapes = {
  name: 'shapes',
  setup(bundler) {
    bundler.onResolve({ filter: /^shape:record$/ }, ({ path }) => ({ path, namespace: 'shape' }))
    bundler.onLoad({ filter: /.*/, namespace: 'shape' }, async () => ({
      contents: checkOf(await loadSchema()),
      watchFiles: [SHAPE],
    }))
  },
}

async function loadSchema() {
  const contents = `import { z } from 'zod'\nimport { recordShape } from './record-shape.ts'
    export const schema = z.toJSONSchema(recordShape, { io: 'input' })`
  const stdin = { contents, resolveDir: fileURLToPath(new URL('../lib/core', import.meta.url)) }
  const options = { bundle: true, write: false, format: 'esm', platform: 'node', logLevel: 'silent' }
  const { outputFiles } = await build({ stdin, ...options })
  const [{ contents: bytes }] = outputFiles
  return (await import(`data:text/javascript;base64,${Buffer.from(bytes).toString('base64')}`)).schema
}

/** JavaScript text. */
function checkOf({ $schema: _, ...schema }) {
  return `export function problemOf(value) {\n${statements(schema, 'value', 'it', 0)}\n}`
}

const CHECKS = {
  string: (value, { pattern, minLength = 0 }) => [
    `typeof ${value} !== 'string'`,
    ...(minLength === 0 ? [] : [`${value}.length < ${minLength}`]),
    ...(pattern === undefined ? [] : [`!new RegExp(${JSON.stringify(pattern)}).test(${value})`]),
  ],
  integer: (value) => [`!Number.isSafeInteger(${value})`],
  number: (value) => [`!Number.isFinite(${value})`],
  boolean: (value) => [`typeof ${value} !== 'boolean'`],
  array: (value, { minItems = 0, maxItems }) => [
    `!Array.isArray(${value})`,
    ...(minItems === 0 ? [] : [`${value}.length < ${minItems}`]),
    ...(maxItems === undefined ? [] : [`${value}.length > ${maxItems}`]),
  ],
  object: (value) => [`typeof ${value} !== 'object'`, `${value} === null`, `Array.isArray(${value})`],
}
const KNOWN = [
  ...['type', 'properties', 'required', 'additionalProperties', 'propertyNames', 'items', 'prefixItems', 'minItems'],
  ...['maxItems', 'minLength', 'pattern', 'enum', 'const', 'oneOf', 'anyOf', 'minimum', 'maximum'],
]

/** They return what is wrong with `value`, an expression, which `path` names inside a template literal. */
function statements(schema, value, path, depth) {
  const unknown = Object.keys(schema).filter((key) => !KNOWN.includes(key))
  const { minimum = -SAFE, maximum = SAFE, propertyNames = { type: 'string' } } = schema
  if (unknown.length > 0 || minimum !== -SAFE || maximum !== SAFE || Object.keys(propertyNames).join() !== 'type')
    throw new Error(`a shape that scripts/shapes.mjs makes no check of: ${JSON.stringify(schema)}`)
  const choices = schema.oneOf ?? schema.anyOf ?? [schema.type].flat().map((type) => ({ ...schema, type }))
  const others = choices.filter(({ type }) => type !== 'null')
  const inner = others.length === 1 ? plain(others[0], value, path, depth) : oneOf(others, value, path, depth)
  return others.length === choices.length ? inner : `if (${value} !== null) {\n${inner}\n}`
}

function oneOf(choices, value, path, depth) {
  const checks = choices.map((choice) => `(() => {\n${statements(choice, value, path, depth)}\n})()`)
  return `if (${checks.map((check) => `${check} !== undefined`).join(' && ')}) return \`${path} is none of what it may be\``
}

function plain(schema, value, path, depth) {
  const { type, enum: words = 'const' in schema ? [schema.const] : undefined } = schema
  if (words !== undefined)
    return `if (!${JSON.stringify(words)}.includes(${value})) return \`${path} is not ${words.join(' or ')}\``
  const wrong = CHECKS[type](value, schema).join(' || ')
  return [`if (${wrong}) return \`${path} is no ${type}\``, ...within(schema, value, path, depth)].join('\n')
}

/** What an array or an object has in it. */
function within(schema, value, path, depth) {
  const { properties = {}, required = [], items, prefixItems = [], additionalProperties } = schema
  const below = (inner, key, name) => statements(inner, `${value}[${key}]`, `${path}.${name}`, depth + 1)
  const each = (keys, inner) => `for (const k${depth} of ${keys}) {\n${below(inner, `k${depth}`, `\${k${depth}}`)}\n}`
  return [
    ...Object.entries(properties).map(([key, inner]) => {
      const text = below(inner, JSON.stringify(key), key)
      return required.includes(key) ? text : `if (${value}[${JSON.stringify(key)}] !== undefined) {\n${text}\n}`
    }),
    ...prefixItems.map((inner, index) => below(inner, index, index)),
    ...(typeof items === 'object' ? [each(`${value}.keys()`, items)] : []),
    ...(typeof additionalProperties === 'object' ? [each(`Object.keys(${value})`, additionalProperties)] : []),
  ]
}
