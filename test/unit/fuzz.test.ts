/**
 * Untrusted input is refused in words of ours or stays what it is: it never crashes us, and never becomes an option, a word of a
 * shell, structure of YAML or a path outside. What belongs to one module alone is beside its other tests.
 */
import fc from 'fast-check'
import { parse as parseYaml } from 'yaml'
import { loadConfig } from '../../lib/config/load.ts'
import { createInterruption } from '../../lib/core/interruption.ts'
import { parseName } from '../../lib/core/names.ts'
import { quoteForFishToo, quoteWord } from '../../lib/core/shell.ts'
import { substitute } from '../../lib/project/env-template.ts'
import { buildArgs } from '../../lib/stack/caches.ts'
import { detectStack } from '../../lib/stack/detect.ts'
import type { ComposeModel } from '../../lib/stack/model.ts'
import { makeOverride } from '../../lib/stack/override.ts'
import { stackPorts } from '../../lib/stack/ports.ts'
import { formatCompose, formatResolved } from '../../lib/system/render.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { findUnapproved } from '../../lib/trust/allow-list.ts'
import { VERBS } from '../../lib/verbs/all-verbs.ts'
import { cachePlace } from '../../lib/workspace/exec/run.ts'
import { chooseBranch, refPatterns, requirePlainRevision } from '../../lib/workspace/lifecycle/branch.ts'
import { parseVariable } from '../../lib/workspace/lifecycle/variables.ts'
import { parsePortRequest } from '../../lib/workspace/port-plan.ts'
import { optionsOf } from '../../scripts/commands/options.ts'
import { parse as parseWords } from '../../scripts/commands/parse.ts'
import { anyText, FUZZ, FUZZ_LIMIT_MS, refusedOr, requireOurs } from '../support/fuzz.ts'
import { assert, suite } from '../support/suite.ts'

const runner = createRunner(() => {}, process.env, createInterruption())
/** As compose's schema has names of services, networks and volumes. */
const key = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9._-]{1,12}$/),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'null',
    'true',
    'yes',
    '1e3',
    '0123',
    '--push',
    '-d',
    'default',
    'web',
    '.',
  ),
)
const keyed = <T>(value: fc.Arbitrary<T>) => fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true })
const value: fc.Arbitrary<unknown> = fc.oneof(
  anyText,
  fc.boolean(),
  fc.integer(),
  fc.constant(null),
  fc.array(anyText, { maxLength: 3 }),
)
const port = fc.record({
  target: fc.integer({ min: 1, max: 65_535 }),
  published: anyText,
  protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
})
const service = fc.record(
  {
    image: anyText,
    build: fc.record({ context: anyText, dockerfile: anyText }, { requiredKeys: [] }),
    container_name: anyText,
    restart: fc.constantFrom('always', 'no'),
    profiles: fc.array(anyText, { maxLength: 2 }),
    ports: fc.array(port, { maxLength: 3 }),
    networks: keyed(
      fc.oneof(
        fc.constant(null),
        fc.record({ aliases: fc.array(anyText), ipv4_address: anyText }, { requiredKeys: [] }),
      ),
    ),
    environment: fc.dictionary(anyText, anyText, { maxKeys: 3, noNullPrototype: true }),
    volumes: fc.array(fc.record({ type: fc.constantFrom('bind', 'volume'), source: anyText, target: anyText }), {
      maxLength: 2,
    }),
    privileged: value,
    command: value,
  },
  { requiredKeys: [] },
)
const resource = fc.oneof(fc.constant(null), fc.record({ name: anyText, external: fc.boolean() }, { requiredKeys: [] }))
const model = fc.record({
  name: fc.constant('p'),
  services: keyed(service),
  networks: keyed(resource),
  volumes: keyed(resource),
}) as fc.Arbitrary<ComposeModel>

suite('what is typed', (test) => {
  const words = VERBS.flatMap((verb) => [
    ...verb.name.split(' '),
    ...(verb.aliases ?? []),
    ...optionsOf(verb).map(({ flag }) => flag.split(' ')[0] ?? ''),
  ])
  const argv = fc.array(fc.oneof(fc.constantFrom(...words, '--', 'ws', '--json', '-V'), anyText), { maxLength: 7 })

  test(
    'any words are a call or bad usage',
    () => {
      fc.assert(
        fc.property(argv, (all) => {
          const parsed = refusedOr(() => parseWords(all))
          const end = all.indexOf('--')
          if (end !== -1 && parsed?.verb?.takesCommand === true) assert.equal(parsed.rest, all.slice(end + 1))
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )

  test(
    'a name is a name, a revision no option, a variable one variable, a port a port',
    () => {
      fc.assert(
        fc.property(anyText, (text) => {
          const name = refusedOr(() => parseName(text))
          if (name !== undefined) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/)
          const revision = refusedOr(() => requirePlainRevision(text, '--from'))
          if (revision !== undefined) assert.ok(revision !== '' && !/^-|\.\.|[\0-\x20\x7f]/.test(revision), revision)
          const [variable, content] = refusedOr(() => parseVariable(text, { A: 'b' })) ?? ['A', '']
          assert.match(variable, /^[A-Za-z_][A-Za-z0-9_]*$/)
          assert.not(content.includes('\0'))
          const asked = refusedOr(() => parsePortRequest(text))
          if (asked !== undefined) assert.ok(asked.container > 0 && asked.container < 65_536)
          const place = refusedOr(() => cachePlace(text, '/cwd'))
          if (place !== undefined)
            assert.match(place, /^\/|^[^/]*[.:][^/]*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$|^localhost\//)
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )

  test(
    'a word for the shell of a workspace arrives as it was',
    async () => {
      const plain = anyText.filter((text) => !text.includes('\0') && !/\p{Cs}/u.test(text))
      const all = fc.sample(plain, FUZZ)
      for (let i = 0; i < all.length; i += 500) {
        const some = all.slice(i, i + 500)
        for (const quote of [quoteWord, quoteForFishToo]) {
          const script = `printf '%s\\0' ${some.map(quote).join(' ')}`
          for (const shell of ['bash', 'sh']) {
            const { stdout } = await runner.run([shell, '-c', script])
            assert.equal(stdout.split('\0').slice(0, -1), some)
          }
        }
        // fish reads \\ and \' within quotes: none may stand there
        const inQuotes = some.flatMap((word) => quoteForFishToo(word).split(/\\./s))
        assert.not(inQuotes.some((piece) => piece.includes('\\')))
      }
    },
    FUZZ_LIMIT_MS,
  )
})

suite('what a remote and a repository bring', (test) => {
  const refName = fc
    .tuple(fc.constantFrom('refs/heads/', 'refs/remotes/origin/', 'refs/remotes/', 'refs/remotes/a/'), anyText)
    .map((all) => all.join(''))
  const ref = fc.record({ name: refName, commit: fc.constant('c'.repeat(40)), worktree: fc.constantFrom('', '/w') })

  test(
    'a branch is chosen or refused, and is one that is there or ours',
    () => {
      const request = fc.record({
        given: anyText,
        from: fc.option(anyText, { nil: undefined }),
        branch: fc.option(anyText, { nil: undefined }),
      })
      fc.assert(
        fc.property(request, fc.array(ref, { maxLength: 5 }), ({ given, from, branch }, refs) => {
          const name = refusedOr(() => parseName(given))
          if (
            name === undefined ||
            refusedOr(() => [from, branch].map((one) => one === undefined || requirePlainRevision(one, '-'))) ===
              undefined
          )
            return
          const asked = { given, name, from, branch, pr: undefined }
          for (const pattern of refPatterns(asked)) assert.ok(pattern.startsWith('refs/'), pattern)
          const chosen = refusedOr(() => chooseBranch(asked, { refs, start: 'c'.repeat(40), pr: undefined }))
          if (chosen === undefined) return
          const known = refs.some(
            (one) => one.name === `refs/heads/${chosen.branch}` || one.name.endsWith(`/${chosen.branch}`),
          )
          assert.ok(known || chosen.branch === `nexus/${name}`, chosen.branch)
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )

  test(
    'files of a stack lie within the repository',
    () => {
      const dotenv = fc.array(
        fc.tuple(fc.constantFrom('COMPOSE_FILE=', 'COMPOSE_PATH_SEPARATOR=', 'COMPOSE_PROFILES=', ''), anyText),
        { maxLength: 4 },
      )
      const facts = fc.record({
        lines: dotenv,
        files: fc.option(fc.array(anyText, { maxLength: 3 }), { nil: undefined }),
        dockerfile: fc.option(anyText, { nil: undefined }),
      })
      fc.assert(
        fc.property(facts, ({ lines, files, dockerfile }) => {
          const text = lines.map((line) => line.join('')).join('\n')
          const workspace = { image: undefined, dockerfile, service: undefined }
          const found = refusedOr(() =>
            detectStack({ names: ['compose.yaml'], dotenv: text, compose: { files, profiles: [] }, workspace }),
          )
          const base = found?.base.kind === 'dockerfile' ? [found.base.file] : []
          for (const file of [...(found?.files ?? []), ...base])
            assert.not.match(file, /^$|^\/|(^|\/)\.\.(\/|$)|[\0-\x1f]/)
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )

  test(
    'a template is text with known values in it',
    () => {
      const parts = fc.array(
        fc.oneof(anyText, fc.constantFrom('{{name}}', '{{ports.web}}', '{{', '}}', '{{nope}}', '{{ name }}')),
        { maxLength: 6 },
      )
      fc.assert(
        fc.property(parts, anyText, (all, text) => {
          refusedOr(() => substitute('.env.nexus', all.join(''), { name: text, 'ports.web': '1' }))
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )
})

suite('compose models of strangers', (test) => {
  test(
    'the override has the keys that it is made of, and no text that compose would fill in',
    () => {
      fc.assert(
        fc.property(model, anyText, (given, text) => {
          const active = new Set(Object.keys(given.services))
          const wanted = stackPorts(new Map(Object.entries(given.services)), 'workspace', [])
          const names = wanted.map(({ name }) => name)
          assert.is(new Set(names).size, names.length)
          for (const name of names) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/)
          const made = makeOverride({
            model: given,
            project: 'nexus-a-1',
            active,
            ports: wanted.map((one, i) => ({ ...one, host: 33_000 + i })),
            addresses: ['127.0.0.1'],
            labels: { label: text },
            buildArgs: buildArgs('a'),
            environment: { VARIABLE: text },
            subnets: new Map(),
          })
          const written = formatCompose(made, '# header')
          const read = parseYaml(written, { logLevel: 'silent', mapAsMap: true }) as Map<
            string,
            Map<string, Map<string, unknown>>
          >
          assert.equal([...read.keys()], ['services', 'networks', 'volumes'])
          assert.equal([...(read.get('services')?.keys() ?? [])].sort(), Object.keys(given.services).sort())
          for (const one of read.get('services')?.values() ?? []) {
            const label = (one.get('labels') as Map<string, string>).get('label')
            assert.is(label?.replaceAll('$$', '$'), text)
            for (const name of one.keys())
              assert.match(
                name,
                /^(labels|environment|container_name|build|image|pull_policy|ports|networks|profiles|restart|volumes)$/,
              )
            // of mounts only how Docker is given them
            for (const mount of (one.get('volumes') ?? []) as readonly Map<string, Map<string, unknown>>[])
              assert.is(mount.get('bind')?.get('create_host_path'), false)
            const ports = [one.get('ports')].flat().filter((each) => each instanceof Map)
            for (const address of ports) assert.is(address.get('host_ip'), '127.0.0.1')
          }
          assert.not.match(written.replaceAll('$$', ''), /\$/)
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )

  test(
    'what was resolved is read again as it was, and what it asks for is found without a crash',
    () => {
      fc.assert(
        fc.property(model, (given) => {
          const plain = JSON.parse(JSON.stringify(given)) as ComposeModel
          const written = formatResolved(plain, '# header')
          assert.is(
            JSON.stringify(parseYaml(written, { logLevel: 'silent', mapAsMap: true }), mapsAsObjects),
            JSON.stringify(plain),
          )
          const facts = { worktree: '/r/.worktree/w', repo: '/r', home: '/h', realpath: (path: string) => path }
          for (const { path, value: asked } of findUnapproved(plain, facts))
            assert.ok(path !== '' && typeof asked === 'string')
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )
})

suite('the environment', (test) => {
  test(
    'any variables of ours are settings or refused',
    async () => {
      const nowhere = {
        systemFile: '/nonexistent',
        userFile: '/nonexistent',
        project: undefined,
        flags: {},
        flagNames: {},
      }
      const name = fc.oneof(
        fc.constantFrom(
          'NEXUS_BACKEND',
          'NEXUS_IDLE_TIMEOUT',
          'NEXUS_SSH_PORT_RANGE_START',
          'NEXUS_SUBNETS_RANGE',
          'NEXUS_SUDO',
          'NEXUS_ENV_PASS',
        ),
        anyText.map((text) => `NEXUS_${text}`),
      )
      await fc.assert(
        fc.asyncProperty(fc.dictionary(name, anyText, { maxKeys: 3, noNullPrototype: true }), async (env) => {
          await loadConfig({ ...nowhere, env }).catch(requireOurs)
        }),
        FUZZ,
      )
    },
    FUZZ_LIMIT_MS,
  )
})

function mapsAsObjects(_key: string, given: unknown): unknown {
  return given instanceof Map ? Object.fromEntries(given) : given
}
