/**
 * Words for `network.allow` that stand for several hosts, as data. Names of package registries do not stand here: each machine
 * has its own configured, and `registries` means those.
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
