/** What git says when it fails, and what that means here; and how its status is read. Pure. */
import { NexusError } from '../core/errors.ts'
import { printable } from '../core/visible.ts'
import { CommandFailed, type RunResult } from '../system/exec.ts'

/** Paths of `git status --porcelain -z`; a rename is named by its new path. */
export function parseStatus({ stdout, stderr }: Pick<RunResult, 'stdout' | 'stderr'>): readonly string[] {
  const entries = stdout.split('\0')
  const paths: string[] = []
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] ?? ''
    if (entry.length < 4) continue
    paths.push(`${entry.slice(0, 2)} ${entry.slice(3)}`)
    if (entry.startsWith('R') || entry.startsWith('C')) i++
  }
  // a service's data, say: git leaves out what it may not look into, and only warns
  const closed = stderr.matchAll(/^warning: could not open directory '(.+)': /gm)
  return [...paths, ...[...closed].map((match) => `?? ${match[1]}`)]
}

/** Runs a git command; its failure becomes an error of the table. */
export async function explain<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    throw explainGitFailure(error)
  }
}

/** The table of what git says and what it means here. */
export function explainGitFailure(error: CommandFailed): NexusError {
  const { stderr } = error.result
  const words = error.argv.slice(3).filter((word) => !word.startsWith('-') && !word.includes('='))
  if (/No space left on device|Disk quota exceeded/.test(stderr)) {
    return new NexusError('DISK_FULL', 'git found no space left on the disk.', {
      hint: 'To see what uses the disk, run `df -h`',
      output: stderr,
    })
  }
  const used = /'([^']+)' is already (?:checked out|used by worktree) at '([^']+)'/.exec(stderr)
  if (used) {
    return new NexusError('BRANCH_IN_USE', `Branch ${used[1]} is checked out at ${used[2]}.`, {
      hint: `To start a new branch from it, run \`nexus up <name> --from ${used[1]}\``,
      details: { branch: used[1], worktree: used[2] },
    })
  }
  if (/dubious ownership/.test(stderr)) {
    return new NexusError('PERMISSION_DENIED', 'git refuses the repository because another user owns it.', {
      hint: 'To trust it, run the `git config --global --add safe.directory` line that git prints below',
      output: stderr,
    })
  }
  const known = explainLfs(stderr) ?? explainModules(stderr)
  if (known !== undefined) return known
  // a merge that a hook refused is taken back, so that git's advice to commit it is none
  const lines = stderr.split('\n').filter((line) => !line.startsWith('Not committing merge;'))
  const output = lines.join('\n')
  const told = lines.find((line) => /^(fatal|error): /.test(line)) ?? output.trim().split('\n').at(-1) ?? ''
  const said = told.replace(/^(fatal|error): /, '').replace(/\.$/, '')
  return new NexusError('GIT_ERROR', `\`git ${words[0] ?? ''}\` failed${said === '' ? '' : `: ${said}`}.`, {
    hint: 'To see the commands that were run, repeat with `-V`',
    output,
  })
}

/** Files that git keeps elsewhere come through a filter of another program. */
function explainLfs(stderr: string): NexusError | undefined {
  if (/git-lfs[\w-]*: (command )?not found|'git-lfs' was not found/.test(stderr)) {
    return new NexusError('TOOL_MISSING', 'The repository keeps files in Git LFS, and git-lfs is not installed here.', {
      hint: 'To install it, run `sudo apt-get install git-lfs && git lfs install`',
      output: stderr,
    })
  }
  if (!/filter lfs failed|'git-lfs [\w-]+' failed/.test(stderr)) return undefined
  return new NexusError('GIT_ERROR', 'Git LFS could not fetch a file of the commit.', {
    hint: 'To see why, run `git lfs fetch`; to go on without its files, repeat with `GIT_LFS_SKIP_SMUDGE=1` before the command',
    output: stderr,
  })
}

/** git takes no command of a `.gitmodules`, and reads that of a branch on many ways. */
function explainModules(stderr: string): NexusError | undefined {
  const [, key] = /invalid value for '?(submodule\..+\.update)'?/.exec(stderr) ?? []
  if (key === undefined) return undefined
  return new NexusError('GIT_ERROR', `git takes no \`${printable(key)}\` as the branch's \`.gitmodules\` has it.`, {
    hint: `To use the branch, take its line \`update = ...\` out of \`.gitmodules\`, and commit that on it`,
    output: stderr,
  })
}
