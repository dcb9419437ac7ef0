/** exec: a command inside; its answer is what the command prints, and its exit code. In several workspaces: `several-workspaces.ts`. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { createInterruption } from '../core/interruption.ts'
import { flag, option, options, type Values } from '../verb-form/fields.ts'
import { MAYBE_NAME, REPO } from '../verb-form/shared-fields.ts'
import { type Answer, type Call, verb } from '../verb-form/verb.ts'

const fields = {
  name: { ...MAYBE_NAME, text: 'name, id or <repo>/<name> of a workspace; of several as a,b' },
  all: flag('in every running workspace of the repository, side by side'),
  everywhere: flag('the same in those of every repository'),
  jobs: option('number', 'in so many at a time; default: 8'),
  tty: flag('give the command a terminal', { short: 't' }),
  cwd: option('folder', 'folder inside; default: the worktree'),
  env: options('KEY=value', 'set a variable; KEY alone takes its value from here'),
  repo: REPO,
}

const exec = verb({
  name: 'exec',
  group: 'everyday',
  effect: 'changes',
  summary: 'run a command in a workspace: exact arguments, exit code, stdin, stdout and stderr',
  fields,
  takesCommand: true,
  example: 'nexus exec feature-auth -- git status --short',
  passesSignals: true,
  passesCode: true,
  run: execHere,
})

async function execHere(call: Call, input: Values<typeof fields>): Promise<Answer> {
  const { name, all, everywhere, tty, cwd = null, repo } = input
  const several = all || everywhere || name?.includes(',') === true
  if (name === undefined && !several) throw call.usage('`nexus exec` needs the name of a workspace, or --all.')
  if (cwd !== null && !cwd.startsWith('/')) {
    throw new NexusError('INVALID_ARGUMENT', `--cwd ${JSON.stringify(cwd)} is not an absolute folder inside.`, {
      hint: 'To name one in the worktree, use `--cwd /workspace/<folder>`',
    })
  }
  const { parseVariable } = await import('../workspace/lifecycle/variables.ts')
  const env = Object.fromEntries(input.env.map((entry) => parseVariable(entry, call.app.env)))
  if (several) return (await import('./several-workspaces.ts')).execSeveral(call, input, cwd, env)
  const inside = await import('../workspace/exec/inside.ts')
  const record = await call.workspace(name ?? '', repo)
  const exitCode = await inside.exec(call.app, record, { argv: call.rest, cwd, env, tty })
  return { data: null, text: '', exitCode }
}

export const verbs = [exec]

export const endpoints: Endpoints = (kit) => {
  const { z, endpoint, argv, DEFAULT_TIMEOUT_S, idParams, said, scopedQuery, timeoutSeconds, variables } = kit
  return [
    endpoint({
      method: 'post',
      path: '/workspaces/{id}/exec',
      operationId: 'execInWorkspace',
      tag: 'inside',
      summary: 'Run a command in a workspace and answer what it said and its exit code',
      verbs: ['exec'],
      params: idParams,
      query: scopedQuery,
      body: z
        .strictObject({
          command: argv,
          cwd: z
            .string()
            .regex(/^\//)
            .max(4_096)
            .optional()
            .openapi({ description: 'Absolute folder inside; default: the worktree' }),
          env: variables('Variables for it'),
          stdin: z.string().optional(),
          timeoutSeconds,
        })
        .openapi('Exec', { example: { command: ['git', 'status', '--short'] } }),
      answer: z
        .object(said)
        .openapi('ExecResult', { example: { exitCode: 0, stdout: ' M README.md\n', stderr: '', truncated: false } }),
      example: kit.sample.SAID,
      run: async (asked) => {
        const { api, app, cancelled, body } = asked
        const { collecting } = await import('../api/collect.ts')
        const inside = await import('../workspace/exec/inside.ts')
        const record = await kit.workspaceOf(asked)
        const timeoutMs = (body.timeoutSeconds ?? DEFAULT_TIMEOUT_S) * 1_000
        // its own interruption, as the one that ends the command inside has to get there still
        const interruption = createInterruption()
        const collected = collecting({ api, app, interruption, timeoutMs, cancelled, input: body.stdin })
        const request = { argv: body.command, cwd: body.cwd ?? null, env: body.env ?? {}, tty: false }
        return { exitCode: await inside.exec(collected.app, record, request), ...collected.said() }
      },
    }),
  ]
}
