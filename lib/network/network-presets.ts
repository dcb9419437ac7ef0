/**
 * Words for `network.allow` that stand for several hosts, as data. Package registries are not named here: `registries`
 * means those that the machine is configured for.
 */
export const REGISTRIES = 'registries'

export const NETWORK_PRESETS: Readonly<Record<string, readonly string[]>> = {
  'git-hosts': [
    'github.com',
    'api.github.com',
    'codeload.github.com',
    'objects.githubusercontent.com',
    'raw.githubusercontent.com',
    'gitlab.com',
    'bitbucket.org',
    'codeberg.org',
  ],
  'model-apis': [
    'api.anthropic.com',
    'api.openai.com',
    'generativelanguage.googleapis.com',
    'api.mistral.ai',
    'api.deepseek.com',
    'api.groq.com',
    'api.x.ai',
    'openrouter.ai',
  ],
}
