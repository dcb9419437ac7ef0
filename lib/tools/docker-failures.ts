/**
 * The one table of what the docker CLI and its compose plugin say when they fail, and what that means here.
 * The patterns are the texts of Docker 20.10 to 28 (moby's portallocator, libnetwork and the CLI); a new text is a new row.
 */
import { lastLines, NexusError } from '../core/errors.ts'
import type { CommandFailed } from '../system/exec.ts'

interface FailureRow {
  readonly pattern: RegExp
  readonly error: (match: RegExpExecArray, stderr: string) => NexusError
}

/** One after the other, in letters of any case. */
function inOrder(...parts: readonly RegExp[]): RegExp {
  return new RegExp(parts.map(({ source }) => source).join(''), 'i')
}

/** Each alone, in letters of any case. */
function anyOf(...parts: readonly RegExp[]): RegExp {
  return new RegExp(`(?:${parts.map(({ source }) => source).join('|')})`, 'i')
}

const FAILURES: readonly FailureRow[] = [
  {
    pattern: /no space left on device|disk quota exceeded/i,
    error: (_match, stderr) =>
      new NexusError('DISK_FULL', 'The Docker engine found no space left on its disk.', {
        hint: 'To see what uses it, run `docker system df`',
        output: stderr,
      }),
  },
  {
    // compose prints the image's service before it; the registry's own words differ
    pattern: inOrder(
      /(?:^|\n)\s*(?:(\S+) Error )?[^\n]*/,
      anyOf(
        /pull access denied for ([^\s,]+)/,
        /manifest for (\S+) not found/,
        /failed to resolve reference "([^"]+)"/,
        /Get "https?:\/\/[^"\n]*\/v2\/[^\n]*/,
      ),
    ),
    error: ([, service, ...images], stderr) => {
      const image = images.find((one) => one !== undefined)
      const what =
        image === undefined
          ? service === undefined
            ? 'An image'
            : `The image of service ${service}`
          : `The image ${image}`
      return new NexusError('BUILD_FAILED', `${what} is not here and could not be pulled.`, {
        hint: 'To see the images that are here, run `docker image ls`; a private one needs `docker login`',
        output: stderr,
      })
    },
  },
  {
    pattern:
      /image with reference (\S+) was found but (?:its platform|does not match the specified platform)[^\n]*?(?:wanted|\() ?([\w/]+)[^\n]*/,
    error: ([, image, wanted], stderr) =>
      new NexusError(
        'UNSUPPORTED',
        `The image ${image} that is here is not for the platform ${wanted} that is asked for.`,
        {
          hint: 'Where nothing in the compose files asks for it, DOCKER_DEFAULT_PLATFORM does: `unset DOCKER_DEFAULT_PLATFORM`',
          details: { image, platform: wanted },
          output: stderr,
        },
      ),
  },
  {
    pattern: /No such image: (\S+)/,
    error: (match, stderr) =>
      new NexusError('BUILD_FAILED', `The image ${match[1]} is not here.`, {
        hint: 'To see the images that are here, run `docker image ls`',
        output: stderr,
      }),
  },
  {
    // the project calls it by the rest of its name (`withOwnNames`)
    pattern: /environment variable "(?:NEXUS_VALUE_)?([^"]+)" required by (?:file|secret|config) "[^"]+" is not set/,
    error: ([, name = '']) =>
      new NexusError(
        'CONFIG_INVALID',
        `A secret or config of the compose files is the variable ${name}, which is not set.`,
        {
          hint: setVariableHint(name),
        },
      ),
  },
  {
    pattern: /failed to solve: |failed to build:|unable to prepare context|failed to read dockerfile/i,
    error: (_match, stderr) => {
      const { reason, output } = readBuildFailure(stderr)
      return new NexusError('BUILD_FAILED', `An image of the project could not be built${reason}.`, {
        hint: 'To see the whole build, run `docker compose build` in the repository, on this branch',
        output,
      })
    },
  },
  {
    pattern: /permission denied while trying to connect|dial unix [^:]+: connect: permission denied/i,
    error: () =>
      new NexusError('BACKEND_UNAVAILABLE', 'This user may not use the Docker engine.', {
        hint: 'To be let in, run `sudo usermod -aG docker $USER` and log in again',
      }),
  },
  {
    pattern: anyOf(
      /Cannot connect to the Docker daemon/,
      /Is the docker daemon running/,
      /error during connect/,
      /connection refused/,
      /no such host/,
      /failed to connect to the docker API/,
    ),
    error: () =>
      new NexusError('BACKEND_UNAVAILABLE', 'The Docker engine does not answer.', {
        hint: 'To start it, run `sudo systemctl start docker`, or start Docker Desktop',
      }),
  },
  {
    pattern: /is not a docker command|unknown shorthand flag: 'f' in -f|unknown flag: --progress/,
    error: () =>
      new NexusError('TOOL_MISSING', 'The docker compose plugin is missing or too old.', {
        hint: 'To see what is missing, run `nexus doctor`',
      }),
  },
  {
    pattern: inOrder(
      anyOf(/Bind for/, /failed to bind (?:host )?port(?: for)?/, /listen (?:tcp|udp)\d?/, /exposing port \w+/),
      // an IPv6 address stands in brackets or, in older texts, bare: the digits in it are no port
      / (?:\[[^\]\s]*\]|[\d.]+|[\da-f:]*::[\da-f:]*?)?:(\d+)(?=[:/\s]|$)[^\n]*?/,
      anyOf(/port is already allocated/, /address already in use/, /are not available/, /forbidden/),
    ),
    error: (match, stderr) =>
      new NexusError('PORT_CONFLICT', `Port ${match[1]} is taken by another program.`, {
        hint: `To see by which, run \`ss -ltnp 'sport = :${match[1]}'\``,
        details: { port: Number(match[1]) },
        output: stderr,
      }),
  },
  {
    pattern: /port is already allocated|address already in use|ports are not available/i,
    error: (_match, stderr) =>
      new NexusError('PORT_CONFLICT', 'A port is taken by another program.', {
        hint: 'To see the listening programs, run `ss -ltnp`',
        output: stderr,
      }),
  },
  {
    // libnetwork names neither of the two; the bridge driver, asked later, names both
    pattern: /Pool overlaps with other one on this address space|networks have overlapping IPv4/i,
    error: (_match, stderr) =>
      new NexusError('RESOURCE_EXHAUSTED', 'The addresses of a network are taken by another Docker network.', {
        hint: "To see whose they are, run `docker network inspect $(docker network ls -q) --format '{{.Name}} {{.IPAM.Config}}'`",
        details: { subnet: true },
        output: stderr,
      }),
  },
  {
    pattern: /could not select device driver "(\w*)" with capabilities: \[\[([^\]]*)/,
    error: ([, driver, capabilities], stderr) =>
      new NexusError(
        'TOOL_MISSING',
        `The project asks for a device (${[driver, capabilities].filter(Boolean).join(', ')}) that the Docker engine has no driver for.`,
        {
          hint: 'To go on without it, take it out in a `compose.override.yaml`; to see what the engine can run, run `docker info`',
          details: { driver, capabilities },
          output: stderr,
        },
      ),
  },
  {
    // a container keeps the id of its network, so that it cannot be started with another of that name
    pattern: /network \S+ not found/i,
    error: (_match, stderr) =>
      new NexusError('CONTAINER_ERROR', 'A network that the containers were made with is gone.', {
        hint: 'To make them anew, run `nexus up <name>`',
        details: { partsGone: true },
        output: stderr,
      }),
  },
  {
    pattern: /non-overlapping IPv4 address pool|fully subnetted/i,
    error: (_match, stderr) =>
      new NexusError('RESOURCE_EXHAUSTED', 'The Docker engine has no address pool left for another network.', {
        hint: 'To free some, run `nexus delete <name>` for workspaces that are done, or `docker network prune`',
        output: stderr,
      }),
  },
]

/** The reason stands at the end of a build's output, behind lines of other steps that were cancelled; what the step said, before it. */
function readBuildFailure(stderr: string): { readonly reason: string; readonly output: string } {
  const said = /(?:^|\n)(?:ERROR: )?(?:target \S+: )?failed to (?:solve|build): ([^\n]+)/.exec(stderr)?.[1]
  const step = stderr.lastIndexOf('\n > [')
  return {
    reason: said === undefined ? '' : `: ${said.trim().replace(/\.$/, '')}`,
    output: step === -1 ? lastLines(stderr.trim()) : stderr.slice(step + 1).trim(),
  }
}

/** What the docker CLI said, as one of our errors; CONTAINER_ERROR when the table has no row for it. */
export function explainDockerFailure(error: CommandFailed): NexusError {
  const { stderr } = error.result
  for (const row of FAILURES) {
    const match = row.pattern.exec(stderr)
    if (match !== null) return row.error(match, stderr)
  }
  const said =
    stderr
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^Error response from daemon: /, '') ?? ''
  return new NexusError(
    'CONTAINER_ERROR',
    `\`${commandName(error.argv)}\` failed${said === '' ? '' : `: ${said.replace(/\.$/, '')}`}.`,
    {
      hint: 'To see the commands that were run, repeat with `-V`',
      output: stderr,
    },
  )
}

/** `docker image` or `docker compose up`, also where the plugin was started directly. */
function commandName(argv: readonly string[]): string {
  const isNaming = (word: string | undefined) => word === '-f' || word === '-p'
  let at = argv.findIndex(isNaming)
  if (at === -1) return `docker ${argv[1] ?? ''}`
  while (isNaming(argv[at])) at += 2
  return `docker compose ${argv[at] ?? ''}`
}

/** What `docker compose config` says of a project's files, in its own words: they name file, line or key. */
export function explainResolveFailure(error: CommandFailed): NexusError {
  const lines = error.result.stderr.split('\n').filter((line) => line !== '' && !/level=(warning|info)/.test(line))
  const said = (lines.length === 0 ? 'no reason was given' : lines.join('; '))
    .replace(/^Error: /, '')
    .replace(/\s+/g, ' ')
    // what follows is the text of an env file, which may be a password
    .replace(/(failed to read .*?(?:unterminated quoted value|unexpected character|invalid template)).*$/i, '$1')
  const unset = unsetVariables(error.result.stderr)
  const unsaid = unset.length === 0 ? '' : `; not set: ${unset.join(', ')}`
  const [, required] = /required variable (\w+) is missing a value/.exec(said) ?? []
  return new NexusError(
    'CONFIG_INVALID',
    `The compose files cannot be used: ${said.replace(/[.\s]+$/, '')}${unsaid}.`,
    {
      hint:
        required !== undefined
          ? setVariableHint(required)
          : /env file .* not found/i.test(said)
            ? 'Where git ignores it, every worktree needs it: `cp .env.example .env && echo .env >> .worktreeinclude`'
            : 'To see the files as compose reads them, run `docker compose config` in the repository',
    },
  )
}

/** Variables that the files use and nobody sets: compose puts nothing in their place. */
export function unsetVariables(stderr: string): readonly string[] {
  const names = [...stderr.matchAll(/The \\?"([A-Za-z_][A-Za-z0-9_]*)\\?" variable is not set/g)].map(
    (match) => match[1] ?? '',
  )
  return [...new Set(names)]
}

/** The project's own `.env` counts, and of this machine's variables those that the user names. */
function setVariableHint(name: string): string {
  const inFile = 'Put it into .env; where git ignores that, every worktree needs it: `echo .env >> .worktreeinclude`'
  const own = `name it in env.pass, beside those that are there: \`nexus config set env.pass ${name}\``
  return `${inFile}. To pass your own on, ${own}`
}

export function explainBuildFailure(error: CommandFailed): NexusError {
  if (
    /nexus: no apt-get in this image\s*$|exec: "\/bin\/sh": stat \/bin\/sh: no such file/m.test(error.result.stderr)
  ) {
    const keys = 'workspace.service, image and dockerfile'
    return new NexusError('UNSUPPORTED', 'The image to work in is neither Debian nor Ubuntu: it has no apt-get.', {
      hint: `To work in a container beside the project's services instead, leave out ${keys}: \`nexus config show --origin\``,
    })
  }
  const known = explainDockerFailure(error)
  if (known.code !== 'CONTAINER_ERROR') return known
  const { reason, output } = readBuildFailure(error.result.stderr)
  return new NexusError('BUILD_FAILED', `An image could not be built${reason}.`, {
    hint: 'To see the whole build, repeat with `-V`',
    output,
  })
}
