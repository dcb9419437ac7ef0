/** Several workspaces at once over HTTP; on the command line it is `exec` with several names. */
import type { Endpoints } from '../api/kit.ts'
import { JOBS, resultOf } from './several-workspaces.ts'

const JOBS_MAX = 64

export const endpoints: Endpoints = ({ z, endpoint, argv, refuseCurrent, repoSchema, sample, text, variables }) => [
  endpoint({
    method: 'post',
    path: '/exec',
    operationId: 'execInWorkspaces',
    tag: 'inside',
    summary: 'Run a command in several workspaces, side by side: in those named, else in all of the repository',
    verbs: ['exec'],
    body: z
      .strictObject({
        command: argv,
        workspaces: z.array(text('Name or id', 300)).min(1).max(1_000).optional(),
        everywhere: z.boolean().optional().openapi({ description: 'In all workspaces of all repositories' }),
        repo: repoSchema,
        cwd: z.string().regex(/^\//).max(4_096).optional().openapi({ description: 'Absolute folder inside' }),
        env: variables('Variables for it'),
        jobs: z
          .int()
          .min(1)
          .max(JOBS_MAX)
          .optional()
          .openapi({ description: `At a time; default ${JOBS}` }),
      })
      .openapi('ExecAll', { example: { command: ['git', 'status', '--short'] } }),
    answer: z
      .object({
        results: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            repo: z.string(),
            state: z.string(),
            exitCode: z.int().nullable().openapi({ description: 'Null where it did not run; see `why`' }),
            why: z.string().nullable(),
            ms: z.number(),
            stdout: z.string(),
            stderr: z.string(),
            truncated: z.boolean(),
          }),
        ),
      })
      .openapi('ExecAllResult'),
    example: {
      results: [{ ...sample.ID, repo: sample.PLACE.repo, state: 'running', ...sample.SAID, why: null, ms: 120 }],
    },
    run: async ({ api, app, cancelled, body }) => {
      const { checkedRepo, chooseRepository } = await import('../api/context.ts')
      const { execAll } = await import('../workspace/exec/exec-all.ts')
      const { requireWorkspace } = await import('../workspace/names/find.ts')
      const { command, workspaces, everywhere = false, cwd = null, env = {}, jobs = JOBS } = body
      for (const name of workspaces ?? []) refuseCurrent(name)
      const repo = body.repo === undefined ? undefined : await checkedRepo(app, body.repo)
      const chosen = async () => {
        const all = await app.records.list()
        if (workspaces !== undefined) return Promise.all(workspaces.map((name) => requireWorkspace(app, name, repo)))
        if (everywhere) return all
        const { root } = await chooseRepository(api, app, body.repo)
        return all.filter((record) => record.repo === root)
      }
      const records = [...new Map((await chosen()).map((record) => [record.id, record])).values()]
      const { ran, interrupted } = await execAll(app, { records, argv: command, cwd, env, jobs, cancelled })
      if (interrupted !== undefined) throw interrupted
      return { results: ran.map((one) => ({ ...resultOf(one), ms: one.ms })) }
    },
  }),
]
