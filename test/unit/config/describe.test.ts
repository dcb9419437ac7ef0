/** What is shown and published of the configuration: values with their origins, and the JSON Schema for editors. */
import { configSchema, formatValue, settingKeys, showConfig } from '../../../lib/config/describe.ts'
import { KEYS } from '../../../lib/config/keys.ts'
import { loadConfig, requireKey } from '../../../lib/config/load.ts'
import { assert, rejects, suite } from '../../support/suite.ts'

interface Node {
  readonly type?: unknown
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly anyOf?: readonly Node[]
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, Node>>
}

function nodeOf(key: string): Node | undefined {
  return key.split('.').reduce<Node | undefined>((node, word) => {
    const below = word === '*' ? Object.values(node?.patternProperties ?? {})[0] : node?.properties?.[word]
    return below?.anyOf?.at(-1) ?? below
  }, configSchema() as Node)
}

suite('config show', (test) => {
  test('tells where each value comes from', async () => {
    const config = await loadConfig({
      systemFile: '/nonexistent',
      userFile: '/nonexistent',
      project: { file: '/r/.nexus/config.yaml', text: 'ports:\n  web: 3000\n' },
      flags: { 'defaults.backend': 'mock' },
      flagNames: { 'defaults.backend': '--backend' },
      env: { NEXUS_SUDO: 'false' },
    })
    const origins = new Map(showConfig(config).map(({ key, origin }) => [key, origin]))
    assert.is(origins.get('ports.web.container'), '/r/.nexus/config.yaml:2')
    assert.is(origins.get('defaults.backend'), 'flag --backend')
    assert.is(origins.get('sudo'), 'variable NEXUS_SUDO')
    assert.is(origins.get('isolation'), 'default')
  })

  test('lists keys without a value, and what a user named', async () => {
    const user = { file: '/c.yaml', text: 'ports:\n  web: 3000\n' }
    const none = { systemFile: '/nonexistent', userFile: '', project: undefined, flags: {}, flagNames: {}, env: {} }
    const shown = showConfig(await loadConfig({ ...none, user }))
    const memory = shown.find(({ key }) => key === 'workspace.memory')
    assert.equal(memory, { key: 'workspace.memory', value: null, origin: 'unset' })
    assert.is(formatValue(memory?.value), '')
    assert.equal(
      shown.map(({ key }) => key),
      [...settingKeys(), 'ports.web.container'],
    )
  })

  test('shows values as they are typed', () => {
    assert.equal([['a', 'b'], 5, true, 'x'].map(formatValue), ['a,b', '5', 'true', 'x'])
  })

  test('every key that is offered is a key, and a typing error finds it', async () => {
    for (const key of settingKeys()) assert.is(requireKey(key).key, key)
    assert.match((await rejects(() => requireKey('defaults.bakend'), 'CONFIG_INVALID')).hint ?? '', /defaults\.backend/)
    assert.match(
      (await rejects(() => requireKey('idle_timeout'), 'CONFIG_INVALID')).hint ?? '',
      /defaults\.idle_timeout/,
    )
  })
})

suite('config JSON Schema', (test) => {
  test('is draft 2020-12 and refuses unknown keys', () => {
    const schema = configSchema() as { $schema: string; additionalProperties: boolean }
    assert.is(schema.$schema, 'https://json-schema.org/draft/2020-12/schema')
    assert.is(schema.additionalProperties, false)
  })

  test('knows short ports and what an entry needs', () => {
    assert.equal(nodeOf('ports.*')?.required, ['container'])
    assert.equal(nodeOf('workspaces.*')?.required, ['path'])
    const port = Object.values((nodeOf('ports') as Node).patternProperties ?? {})[0]
    assert.equal(
      port?.anyOf?.map(({ type }) => type),
      ['integer', 'object'],
    )
  })

  test('holds every key with its description and default', () => {
    for (const { key, text, default: initial } of KEYS) {
      const node = nodeOf(key)
      assert.ok(node?.description?.startsWith(text), key)
      assert.equal(node?.default, initial, key)
    }
  })
})
