/** init: writes the project's configuration, and with --make its make targets. */
import { findRepo } from '../../lib/workspace/look/find.ts'
import { initProject } from '../../lib/workspace/project/init.ts'
import type { Run } from './command.ts'

export const init: Run = async (call) => {
  const dryRun = call.flag('dry-run')
  const repo = await findRepo(call.app, call.value('repo'))
  const { found, files, kept } = await initProject(call.app, {
    repo,
    make: call.flag('make'),
    force: call.flag('force'),
    dryRun,
  })
  const data = { dryRun, found, files: files.map(({ path }) => path), kept }
  if (dryRun) return { data, text: files.map(({ path, text }) => `+ ${path}\n${text}`).join('\n') }
  const lines = [
    `found ${found}`,
    ...files.map(({ path }) => `${path} is written`),
    ...kept.map((path) => `the old one is ${path}`),
    ...(call.flag('make') ? ['to use the targets, put this line into the Makefile: include nexus.mk'] : []),
    'to start a workspace, run `nexus up <name>`',
  ]
  return { data, text: lines.join('\n') }
}
