/** run: one command in a throw-away workspace; its answer is what the command prints, and its exit code. */
import type { Endpoints } from '../api/kit.ts'
import { NexusError } from '../core/errors.ts'
import { flag, option, options } from '../verb-form/fields.ts'
import { APPROVE, NO_HOOKS, REPO } from '../verb-form/shared-fields.ts'
import { verb } from '../verb-form/verb.ts'

const run = verb({
  name: 'run',
  group: 'inside',
  effect: 'changes',
  summary: 'run a command in a throw-away workspace, as CI does; everything is removed afterwards',
  fields: {
    from: option('ref', 'of this commit or branch instead of HEAD'),
    name: option('name', 'name of the workspace; default: run- and eight letters'),
    env: options('KEY=value', 'set a variable inside; KEY alone takes its value from here'),
    artifacts: options('path', 'copy this file or folder of the worktree here afterwards', { as: 'artifact' }),
    keepOnFailure: flag('keep the workspace when the command fails'),
    imageCache: option('place', 'folder or registry that keeps images and built layers between machines'),
    noHooks: NO_HOOKS,
    approve: APPROVE,
    repo: REPO,
  },
  takesCommand: true,
  example: 'nexus run --from HEAD -- git log -1',
  passesCode: true,
  run: async (call, { repo, approve: _, noHooks: __, ...input }) => {
    if (call.rest.length === 0) {
      throw new NexusError('INVALID_ARGUMENT', 'There is no command to run.', {
        hint: 'To run one, use `nexus run -- make test`',
      })
    }
    const { runOnce } = await import('../workspace/exec/run.ts')
    const request = {
      ...input,
      argv: call.rest,
      folder: call.cwd,
      self: call.program,
      repo: await call.repository(repo),
    }
    const { exitCode } = await runOnce(call.app, request)
    return { data: null, text: '', exitCode }
  },
})

export const verbs = [run]

export const endpoints: Endpoints = (kit) => {
  const { z, endpoint, argv, DEFAULT_TIMEOUT_S, noHooksSchema: noHooks, repoSchema: repository, said, text } = kit
  return [
    endpoint({
      method: 'post',
      path: '/run',
      operationId: 'runOnce',
      tag: 'inside',
      summary: 'Run a command in a throw-away workspace, as CI does; everything is removed afterwards',
      verbs: ['run'],
      body: z
        .strictObject({
          command: argv,
          repo: repository,
          name: text('Name of the workspace; default: run- and eight letters', 200).optional(),
          from: text('Of this commit or branch instead of HEAD', 1_000).optional(),
          env: kit.variables('Variables for it'),
          artifacts: z.array(text('A path in the worktree')).max(100).optional(),
          folder: z
            .string()
            .regex(/^\//)
            .max(4_096)
            .optional()
            .openapi({ description: 'Absolute folder that artifacts are copied to' }),
          keepOnFailure: z.boolean().optional(),
          imageCache: text('Folder or registry that keeps images and built layers between machines').optional(),
          noHooks,
          approve: z.array(text('A hash', 200)).max(100).optional(),
          timeoutSeconds: kit.timeoutSeconds,
        })
        .openapi('Run', { example: { command: ['make', 'test'], from: 'main' } }),
      settings: kit.settingsOf(run),
      answer: z
        .object({ ...said, kept: z.object({ id: z.string(), name: z.string() }).nullable() })
        .openapi('RunResult'),
      example: { ...kit.sample.SAID, kept: null },
      run: async ({ api, app, cancelled, body }) => {
        const { command, repo, name, from, env = {}, artifacts = [], folder, keepOnFailure = false, imageCache } = body
        if (artifacts.length > 0 && folder === undefined) {
          throw new NexusError(
            'INVALID_ARGUMENT',
            'The field folder is needed: it says where the artifacts are copied to.',
            {
              hint: 'To have them in the current folder, use `nexus run --artifact <path> -- <command>`',
            },
          )
        }
        const { collecting } = await import('../api/collect.ts')
        const { chooseRepository } = await import('../api/context.ts')
        const { runOnce } = await import('../workspace/exec/run.ts')
        const timeoutMs = (body.timeoutSeconds ?? DEFAULT_TIMEOUT_S) * 1_000
        const settings = { flags: app.flags ?? {}, names: app.flagNames ?? {}, noHooks: app.noHooks === true }
        const collected = collecting({ api, app, interruption: app.interruption, settings, timeoutMs, cancelled })
        const { exitCode, kept } = await runOnce(collected.app, {
          argv: command,
          name,
          from,
          artifacts,
          keepOnFailure,
          imageCache,
          self: api.program,
          repo: await chooseRepository(api, app, repo),
          env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
          folder: folder ?? '/',
        })
        return { exitCode, ...collected.said(), kept: kept && { id: kept.id, name: kept.name } }
      },
    }),
  ]
}
