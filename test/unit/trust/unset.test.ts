/** Variables that are not set: what is asked for only because of them is a mistake, and everything else is not. */
import { parseComposeYaml } from '../../../lib/config/compose-yaml.ts'
import { directsHost } from '../../../lib/stack/variables.ts'
import { CommandFailed } from '../../../lib/system/exec.ts'
import { explainResolveFailure } from '../../../lib/tools/docker-failures.ts'
import { hideValues } from '../../../lib/trust/environment.ts'
import { makeFinding, makeModelFinding } from '../../../lib/trust/findings.ts'
import { findMistaken, listUnset } from '../../../lib/trust/unset.ts'
import { assert, suite } from '../../support/suite.ts'

function usesIn(text: string, env: Readonly<Record<string, string>> = {}) {
  return parseComposeYaml('/w/compose.yaml', text).flatMap((document) => listUnset(document, (name) => env[name]))
}

const FILE = `services:
  web:
    image: "nginx:\${TAG:-latest}"
    volumes:
      - "\${CONFIG}/web:/config"
      - {type: bind, source: "$DATA/x", target: /x}
      - "./\${SUB}/y:/y"
      - "/var/run/docker.sock:/sock"
    environment: {A: "$$NOT", B: "\${SET}/b"}
volumes:
  net: {driver_opts: {device: "\${SHARE}/z"}}
`

suite('unset variables', (test) => {
  test('are found with the part of the text that they stand in', () => {
    const found = usesIn(FILE, { SET: '1' }).map(({ section, key, plain, names }) => [section, key, plain, ...names])
    assert.equal(found, [
      ['services', 'volumes', '/web', 'CONFIG'],
      ['services', 'volumes', '/x', 'DATA'],
      ['services', 'volumes', './/y', 'SUB'],
      ['volumes', 'driver_opts', '/z', 'SHARE'],
    ])
    const include = 'include: ["${X}/a.yaml", {path: "${Y}/b.yaml"}]'
    assert.equal(
      usesIn(include).map(({ section, key, plain }) => [section, key, plain]),
      [
        ['include', '', '/a.yaml'],
        ['include', '', '/b.yaml'],
      ],
    )
    assert.equal(usesIn('services: {a: {command: "${A:?must} ${B-} ${C:+c}"}}'), [])
  })

  test('make a mistake of what is asked for because of them alone', () => {
    const uses = usesIn(FILE).map((use) => ({ ...use, shown: use.plain }))
    const mistaken = (path: string, value: string, unset: readonly string[] = ['CONFIG', 'SHARE', 'SUB']) =>
      findMistaken([makeFinding(path, value, 'why')], uses, unset)?.names
    assert.equal(mistaken('services.web.volumes', '/web on /config'), ['CONFIG'])
    assert.equal(mistaken('services.extends-it.volumes', '/web on /config, read only'), ['CONFIG'])
    assert.equal(mistaken('services.web.volumes', '/web (leads to /srv) on /config'), ['CONFIG'])
    assert.equal(mistaken('volumes.net.driver_opts', 'device=/z'), ['SHARE'])
    assert.is(mistaken('services.web.volumes', '/web on /config', []), undefined, 'compose found a value')
    assert.is(mistaken('services.web.volumes', '/website on /config'), undefined)
    assert.is(mistaken('services.web.volumes', '/var/run/docker.sock on /sock'), undefined)
    assert.is(mistaken('services.web.devices', '/web on /config'), undefined)
    assert.is(mistaken('hooks.post-create', '/web'), undefined)
    const [one] = usesIn('include: ["${X}/a.yaml"]').map((use) => ({ ...use, shown: use.plain }))
    assert.ok(one && findMistaken([makeFinding('include', '/a.yaml', 'why')], [one], ['X']))
  })

  test("stand in compose's own refusal", () => {
    const stderr = `time="x" level=warning msg="The \\"CONFIG\\" variable is not set. Defaulting to a blank string."
invalid spec: :/config: empty section between colons
`
    const result = { code: 1, signal: null, stdout: '', stderr }
    const error = explainResolveFailure(new CommandFailed(['docker'], result as unknown as CommandFailed['result']))
    assert.is(
      error.message,
      'The compose files cannot be used: invalid spec: :/config: empty section between colons; not set: CONFIG.',
    )
  })
})

suite('values that nobody is to see', (test) => {
  test('only what a loader, Docker or git reads itself directs this machine', () => {
    const yes = ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'DYLD_INSERT_LIBRARIES', 'DYLD_FALLBACK_LIBRARY_PATH']
    const more = ['DOCKER_HOST', 'GIT_SSH_COMMAND', 'GIT_CONFIG_KEY_12', 'SSH_AUTH_SOCK', 'COMPOSE_ENV_FILES']
    for (const name of [...yes, ...more]) assert.ok(directsHost(name), name)
    const no = [
      'LD_HOST_PORT',
      'LD_SUPERUSER_PASSWORD',
      'LD_PRELOAD_SDK',
      'DYLD_HOST',
      'GIT_SSH_KEY',
      'GIT_CONFIG_REPO',
    ]
    for (const name of no) assert.not(directsHost(name), name)
  })

  test('a password in an option or an address is replaced, and still tells one value from another', () => {
    const value = (text: unknown) => makeModelFinding('volumes.x.driver_opts', text, 'w').value
    const mount = value('o=username=u,password=hunter2,uid=1000')
    assert.match(mount, /^o=username=u,password=\*\*\*,uid=1000 \(sha256 [0-9a-f]{32}\)$/)
    assert.is.not(value('o=username=u,password=hunter3,uid=1000'), mount)
    assert.match(value('https://me:tok-en@git.invalid/x.git'), /^https:\/\/\*\*\*@git\.invalid\/x\.git \(sha256 /)
    assert.not.match(value({ type: 's3', secret_access_key: 'abc/def' }), /abc/)
    for (const text of ['/srv/secrets on /x', 'device=/srv/pg', 'SYS_ADMIN']) assert.is(value(text), text)
  })

  test('values of a .env give way to their names', () => {
    const values = new Map([
      ['PASSWORD', 'hunter2'],
      ['LONGER', 'hunter2-x'],
      ['ODD', 'a.b$c'],
      ['SHORT', '1'],
      ['NAME', 'LONGER'],
    ])
    assert.is(
      hideValues('bad hunter2, hunter2-x, a.b$c, aXb$c 1', values),
      'bad ${PASSWORD}, ${LONGER}, ${ODD}, aXb$c 1',
    )
    assert.is(hideValues('xhunter2 hunter22', values), 'xhunter2 hunter22')
    assert.is(hideValues('as it is', new Map()), 'as it is')
  })
})
