/**
 * The trust gate against the real `docker compose config`: what compose resolves is what the allow-list judges, and what the
 * scan says before is what compose would have read. The engine is not asked; nothing is created.
 */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import type { ComposeModel, Finding } from '../../lib/stack/model.ts'
import { realPathOf } from '../../lib/system/real-path.ts'
import { findUnapproved } from '../../lib/trust/allow-list.ts'
import { withoutFindings } from '../../lib/trust/findings.ts'
import { interpolate } from '../../lib/trust/interpolate.ts'
import { scanProjectFiles } from '../../lib/trust/scan.ts'
import { type ProcessResult, runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { type Files, type TempDir, tempDir, writeFiles } from '../support/temp.ts'

const LIMIT_MS = 60_000

interface Project {
  readonly files: Files
  readonly main?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly prepare?: (worktree: string, repo: string) => Promise<void>
}

interface Judged {
  readonly before: readonly string[]
  /** Of the resolved model, without what was told before. */
  readonly after: readonly string[]
  readonly model: ComposeModel
  readonly worktree: string
}

const told = (findings: readonly Finding[]) => findings.map(({ path, value }) => `${path}: ${value}`)

/** A worktree beside a secret that lies in the main worktree. */
async function withProject<T>(project: Project, look: (dir: TempDir, worktree: string) => Promise<T>): Promise<T> {
  await using dir = await tempDir()
  const worktree = join(dir.path, '.worktree', 'w')
  await writeFiles(worktree, project.files)
  await writeFiles(dir.path, { 'secret.env': 'STOLEN=from-outside\n', 'shared/Dockerfile': 'FROM scratch\n' })
  await project.prepare?.(worktree, dir.path)
  return await look(dir, worktree)
}

function composeConfig(worktree: string, { main = ['compose.yaml'], env }: Project): Promise<ProcessResult> {
  const files = main.flatMap((file) => ['--file', join(worktree, file)])
  const argv = ['docker', 'compose', ...files, '--profile', '*', 'config', '--format', 'json']
  return runProcess(argv, { cwd: worktree, env: env ?? {} })
}

function scan(dir: TempDir, worktree: string, { main = ['compose.yaml'], env }: Project): Promise<readonly Finding[]> {
  const files = main.map((file) => join(worktree, file))
  return scanProjectFiles({ worktree, repo: dir.path, files, env: { HOME: '/home/u', ...env } })
}

function judge(project: Project): Promise<Judged> {
  return withProject(project, async (dir, worktree) => {
    const before = await scan(dir, worktree, project)
    const { code, stdout, stderr } = await composeConfig(worktree, project)
    assert.is(code, 0, stderr)
    const model = JSON.parse(stdout) as ComposeModel
    const after = findUnapproved(model, { worktree, repo: dir.path, home: '/home/u', realpath: realPathOf })
    return { before: told(before), after: told(withoutFindings(after, before)), model, worktree }
  })
}

suite('trust gate: ordinary projects ask for nothing', (test) => {
  const ordinary: Readonly<Record<string, Project>> = {
    'web, database and cache': {
      files: {
        'compose.yaml': `
name: shop
x-base: &base
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: 10m}}
services:
  web:
    <<: *base
    build: {context: ./web, args: {A: b}, additional_contexts: {src: ., img: docker-image://debian}, secrets: [token], target: dev}
    container_name: shop-web
    ports: ["8080:80", "0.0.0.0:9000-9002:9000-9002/udp"]
    env_file: [.env, {path: missing.env, required: false}]
    environment: {K: v, UNSET: , PORT: "\${PORT:-80}"}
    volumes: [".:/app", "./data:/data:ro", "cache:/cache", /anon, {type: tmpfs, target: /t, tmpfs: {size: 10m}}]
    secrets: [token, {source: token, target: /x, mode: 0440}]
    configs: [{source: conf, target: /etc/conf}]
    depends_on: {db: {condition: service_healthy}}
    networks: {back: {aliases: [www], ipv4_address: 10.77.0.5}, default: }
    extra_hosts: ["host.docker.internal:host-gateway"]
    sysctls: [net.core.somaxconn=1024]
    ulimits: {nofile: {soft: 1000, hard: 2000}, nproc: 5}
    deploy: {replicas: 1, resources: {limits: {cpus: '0.5', memory: 50M}, reservations: {devices: [{capabilities: [gpu], driver: nvidia, count: all}]}}}
    security_opt: ["no-new-privileges:true"]
    develop: {watch: [{action: sync, path: ./web, target: /w}]}
    tmpfs: /run
    shm_size: 64m
    init: true
    labels: ["a=b"]
    cap_drop: [ALL]
    stop_grace_period: 1m
  db:
    <<: *base
    image: postgres:16
    healthcheck: {test: [CMD-SHELL, pg_isready], interval: 2s, retries: 30, start_period: 5s}
    volumes: ["db:/var/lib/postgresql/data"]
    profiles: [full]
  worker: {image: x, network_mode: "service:web", pid: "service:web"}
volumes:
  db: {name: myapp_db}
  cache: {driver_opts: {type: tmpfs, device: tmpfs, o: "size=10m"}}
networks:
  back: {name: fixed, ipam: {config: [{subnet: 10.77.0.0/24}]}, internal: true}
secrets: {token: {file: ./token.txt}}
configs: {conf: {content: "x=1"}}
`,
        '.env': 'PORT=81\n',
        'token.txt': 'x',
        'web/Dockerfile': 'FROM scratch\n',
        'data/x': '',
      },
    },
    'include, extends and override files of a monorepo': {
      main: ['compose.yaml', 'compose.override.yaml'],
      files: {
        'compose.yaml':
          'include: [services/api/compose.yaml, {path: [infra/db.yaml, infra/db.dev.yaml], project_directory: ., env_file: infra/db.env}]\nservices: {web: {extends: {file: common/base.yaml, service: node}, ports: ["80:80"]}}',
        'compose.override.yaml': 'services: {web: {ports: !override ["81:80"], environment: {DEBUG: "1"}}}',
        'services/api/compose.yaml':
          'services: {api: {build: ../.., env_file: ../../common/api.env, volumes: [".:/api"]}}',
        'infra/db.yaml': 'services: {db: {image: "postgres:${PG}", env_file: common/api.env}}',
        'infra/db.dev.yaml': 'services: {db: {ports: ["5432:5432"]}}',
        'infra/db.env': 'PG=16\n',
        'common/base.yaml': 'services: {node: {image: node, env_file: api.env, volumes: ["../web:/web"]}}',
        'common/api.env': 'A=1\n',
      },
    },
  }
  for (const [what, project] of Object.entries(ordinary)) {
    test(
      what,
      async () => {
        const { before, after } = await judge(project)
        assert.equal(before, [])
        assert.equal(after, [])
      },
      LIMIT_MS,
    )
  }
})

suite('trust gate: what is asked for', (test) => {
  const service = (text: string) => ({ 'compose.yaml': `services: {app: {image: x, ${text}}}` })
  const asking: Readonly<
    Record<
      string,
      { readonly project: Project; readonly before?: readonly string[]; readonly after?: readonly string[] }
    >
  > = {
    'rights and namespaces of the host': {
      project: {
        files: service(
          'privileged: true, cap_add: [NET_ADMIN], pid: host, ipc: host, uts: host, userns_mode: host, cgroup: host, network_mode: host, devices: ["/dev/null:/dev/n"], security_opt: ["seccomp:unconfined"], cgroup_parent: /x, runtime: other',
        ),
      },
      after: [
        'services.app.cap_add: NET_ADMIN',
        'services.app.cgroup: host',
        'services.app.cgroup_parent: /x',
        'services.app.devices: {"source":"/dev/null","target":"/dev/n","permissions":"rwm"}',
        'services.app.ipc: host',
        'services.app.network_mode: host',
        'services.app.pid: host',
        'services.app.privileged: true',
        'services.app.runtime: other',
        'services.app.security_opt: seccomp:unconfined',
        'services.app.userns_mode: host',
        'services.app.uts: host',
      ],
    },
    'mounts of the machine, one through a link': {
      project: {
        files: service('volumes: ["/var/run/docker.sock:/s", "../..:/repo", "./linked:/l:ro", "~/.ssh:/ssh"]'),
        env: { HOME: '/home/u' },
        prepare: (worktree) => symlink('/etc', join(worktree, 'linked')),
      },
      after: [
        `services.app.volumes: ${realPathOf('/var/run/docker.sock') === '/run/docker.sock' ? '/var/run/docker.sock (leads to /run/docker.sock)' : '/var/run/docker.sock'} on /s`,
        'services.app.volumes: <home>/.ssh on /ssh',
        'services.app.volumes: <repo> on /repo',
        'services.app.volumes: <worktree>/linked (leads to /etc) on /l, read only',
      ],
    },
    'builds from outside, told once': {
      project: {
        files: {
          'compose.yaml':
            'services: {a: {build: {context: ../../shared, ssh: [default]}}, b: {build: {context: ., dockerfile: ../../shared/Dockerfile, network: host, additional_contexts: {s: ../../shared}}}}',
        },
      },
      before: [
        'services.a.build.context: <repo>/shared',
        'services.a.build.ssh: default',
        'services.b.build.additional_contexts.s: <repo>/shared',
        'services.b.build.dockerfile: <repo>/shared/Dockerfile',
      ],
      after: ['services.b.build.network: host'],
    },
    'resources that others own': {
      project: {
        files: {
          'compose.yaml':
            'services: {app: {image: x, volumes: ["data:/d", "nfs:/n"], networks: [proxy], secrets: [s, e], external_links: ["a:b"], volumes_from: ["container:x"]}}\nvolumes: {data: {external: true, name: theirs}, nfs: {driver_opts: {type: nfs, o: "addr=1.2.3.4", device: ":/"}}}\nnetworks: {proxy: {external: true}}\nsecrets: {s: {file: ../../secret.env}, e: {environment: HOME}}',
        },
      },
      before: ['secrets.s.file: <repo>/secret.env'],
      after: [
        'networks.proxy: external proxy',
        'secrets.e.environment: HOME',
        'services.app.external_links: a:b',
        'services.app.volumes_from: container:x',
        'volumes.data: external theirs',
        'volumes.nfs.driver_opts: device=:/',
        'volumes.nfs.driver_opts: o=addr=1.2.3.4',
        'volumes.nfs.driver_opts: type=nfs',
      ],
    },
  }
  for (const [what, { project, before = [], after = [] }] of Object.entries(asking)) {
    test(
      what,
      async () => {
        const judged = await judge(project)
        assert.equal(judged.before, before)
        assert.equal(judged.after, after)
      },
      LIMIT_MS,
    )
  }
})

suite('trust gate: what compose would read is told before', (test) => {
  const SECRET = 'from-outside'
  const app = 'services: {app: {image: x, '
  const reading: Readonly<Record<string, Project>> = {
    'an env file': { files: { 'compose.yaml': `${app}env_file: ../../secret.env}}` } },
    'an env file by a variable': { files: { 'compose.yaml': `${app}env_file: "\${D:-../..}/secret.env"}}` } },
    'an env file by the .env': {
      files: { 'compose.yaml': `${app}env_file: "\${D:-.}/secret.env"}}`, '.env': 'D=../..\n' },
      env: { D: '../..' },
    },
    'an env file through a link': {
      files: { 'compose.yaml': `${app}env_file: sub/secret.env}}` },
      prepare: (worktree) => symlink('../..', join(worktree, 'sub')),
    },
    'an env file through a link and back': {
      files: { 'compose.yaml': `${app}env_file: sub/../secret.env}}`, 'a/b/x': '', 'secret.env': 'A=1\n' },
      prepare: async (worktree, repo) => {
        await mkdir(join(repo, 'deep'))
        await symlink('../../deep', join(worktree, 'sub'))
      },
    },
    'an env file by an anchor': {
      files: { 'compose.yaml': `x-a: &a {env_file: ../../secret.env}\nservices: {app: {image: x, <<: *a}}` },
    },
    'an env file of an included file': {
      files: {
        'compose.yaml': 'include: [sub/c.yaml]',
        'sub/c.yaml': `${app}env_file: "\${P}"}}`,
        'sub/.env': 'P=../../../secret.env\n',
      },
    },
    'an env file of an extended file': {
      files: {
        'compose.yaml': `${app}extends: {file: sub/b.yaml, service: b}}}`,
        'sub/b.yaml': 'services: {b: {env_file: ../../../secret.env}}',
      },
    },
    'the env file of an include': {
      files: {
        'compose.yaml': 'include: [{path: sub/c.yaml, env_file: ../../secret.env}]',
        'sub/c.yaml': `${app}environment: {S: "\${STOLEN}"}}}`,
      },
    },
    'an include in a folder outside': {
      files: {
        'compose.yaml': 'include: [{path: c.yaml, project_directory: ../..}]',
        'c.yaml': `${app}env_file: secret.env}}`,
      },
    },
    'the .env itself': {
      files: { 'compose.yaml': `${app}environment: {S: "\${STOLEN}"}}}` },
      prepare: (worktree) => symlink('../../secret.env', join(worktree, '.env')),
    },
    'a second document': { files: { 'compose.yaml': `${app}tty: true}}\n---\n${app}env_file: ../../secret.env}}` } },
  }
  for (const [what, project] of Object.entries(reading)) {
    test(
      what,
      async () => {
        await withProject(project, async (dir, worktree) => {
          const findings = await scan(dir, worktree, project)
          const { stdout } = await composeConfig(worktree, project)
          // where compose did not read the secret, the case would show nothing
          if (what !== 'an env file through a link and back') assert.ok(stdout.includes(SECRET), stdout)
          assert.ok(findings.length > 0, 'not told')
          for (const { path } of findings) assert.match(path, /env|include|project_directory/)
        })
      },
      LIMIT_MS,
    )
  }

  test(
    'a value in base64 is refused, not read as a name',
    async () => {
      const tagged = `${app}env_file: !!binary ${Buffer.from('../../secret.env').toString('base64')}}}`
      const project: Project = { files: { 'compose.yaml': tagged } }
      await withProject(project, async (dir, worktree) => {
        assert.ok((await composeConfig(worktree, project)).stdout.includes(SECRET))
        try {
          await scan(dir, worktree, project)
          assert.unreachable('not refused')
        } catch (error) {
          assert.match(String(error), /the tag/)
        }
      })
    },
    LIMIT_MS,
  )
})

suite('trust gate: variables', (test) => {
  test(
    'what can be told is what compose makes of it',
    async () => {
      const env: Readonly<Record<string, string>> = { A: 'one', B_2: '', C: '../x-y', D: 'a b' }
      const part = fc.oneof(
        fc.constantFrom('$A', '${B_2}', '$C/', '${NONE}', '${D:?x}', '-', '?', ':-', '}', '{', '$', '${', '/..', 'k'),
        fc
          .tuple(
            fc.constantFrom('A', 'B_2', 'C', 'NONE'),
            fc.constantFrom('-', ':-', '+', ':+'),
            fc.stringMatching(/^[a-z.?:+$-]{0,4}$/),
          )
          .map(([name, sign, text]) => `\${${name}${sign}${text}}`),
      )
      const texts = fc.sample(fc.array(part, { minLength: 1, maxLength: 5 }), 3_000).map((parts) => parts.join(''))
      const told = [...new Set(texts)].flatMap((text) => {
        const plain = interpolate(text, (name) => env[name])
        return plain === undefined ? [] : [[text, plain] as const]
      })
      assert.ok(told.length > 300, `only ${told.length}`)
      const lines = told.map(([text], i) => `      K${i}: ${JSON.stringify(text)}`)
      const project = {
        files: { 'compose.yaml': `services:\n  a:\n    image: x\n    environment:\n${lines.join('\n')}\n` },
        env,
      }
      const { model } = await judge(project)
      const made = model.services.a?.environment as Readonly<Record<string, string>>
      // config shows a dollar sign as two; none is left here
      for (const [i, [text, plain]] of told.entries()) assert.is(made[`K${i}`], plain, text)
    },
    LIMIT_MS,
  )
})
