/** The programs that Nexus calls on every backend, and the configuration. */
import { NexusError } from '../core/errors.ts'
import { type Diagnosis, failure, INSTALL_HINT, warning, well } from '../core/finding.ts'
import { isOlder } from '../core/versions.ts'
import type { Scan } from './scan.ts'

const TIMEOUT_MS = 5_000

interface Tool {
  readonly name: string
  readonly argv: readonly string[]
  /** `for-each-ref` with worktree paths, `worktree add` on an empty folder and others came with it. */
  readonly minimum?: string
  readonly why: string
}

const TOOLS: readonly Tool[] = [
  { name: 'git', argv: ['git', '--version'], minimum: '2.31', why: 'Worktrees and branches are made with git.' },
  { name: 'ssh', argv: ['ssh', '-V'], minimum: '8.0', why: 'Commands and shells inside go through ssh.' },
  { name: 'ssh-keygen', argv: ['ssh-keygen', '-?'], why: 'Each workspace has a host key of its own.' },
  { name: 'bash', argv: ['/bin/bash', '--version'], why: 'Every program is started through bash.' },
]

export async function checkTools({ app }: Scan): Promise<readonly Diagnosis[]> {
  const found = await Promise.all(TOOLS.map((tool) => look(app, tool)))
  const troubles = found.filter((one) => typeof one !== 'string')
  const versions = found.filter((one) => typeof one === 'string' && one !== '')
  const node = judgeNode(process.versions.node)
  return [
    ...troubles,
    ...(node.status === 'ok' ? [] : [node]),
    ...(troubles.length > 0 ? [] : [well([...versions, `node ${process.versions.node}`].join(', '))]),
  ]
}

/** Name and version, '' for a tool that tells none. */
async function look({ runner }: Scan['app'], tool: Tool): Promise<string | Diagnosis> {
  const { name, argv, minimum, why } = tool
  try {
    const { stdout, stderr } = await runner.run(argv, { okCodes: 'any', timeoutMs: TIMEOUT_MS })
    const version = /\d+\.\d+(\.\d+)?/.exec(stdout + stderr)?.[0] ?? ''
    if (minimum === undefined) return ''
    if (!isOlder(version, minimum)) return `${name} ${version}`
    const message = `${name} is ${version}; Nexus needs ${minimum} or newer.`
    return failure({ message, why, hint: INSTALL_HINT })
  } catch (error) {
    if (!(error instanceof NexusError) || error.code !== 'TOOL_MISSING') throw error
    return failure({ message: `The program ${name} is missing.`, why, hint: INSTALL_HINT })
  }
}

/** Exported for tests. */
export function judgeNode(version: string): Diagnosis {
  if (!isOlder(version, '20.19')) return well(`node ${version}`)
  return warning({
    message: `node is ${version}; Nexus is tested with 20.19 and newer.`,
    why: 'Older versions lack what some of its packages use.',
    hint: 'To see which node is found first, run `command -v node`',
  })
}

export async function checkConfiguration({ configFailure }: Scan): Promise<readonly Diagnosis[]> {
  if (configFailure === undefined) return [well('the configuration can be read')]
  return [
    failure({
      message: configFailure.message,
      why: 'Every command that needs the configuration fails.',
      hint: configFailure.hint ?? 'To see it, run `nexus config show --origin`',
    }),
  ]
}
