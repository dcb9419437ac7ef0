/** current: which workspace the folder belongs to. */
import { resolve } from 'node:path'
import { requireCurrent } from '../../lib/workspace/look/current.ts'
import { describeWorkspace } from '../../lib/workspace/look/list.ts'
import type { Run } from './command.ts'

/** The name alone needs no engine; `--json` tells the state, too. */
export const current: Run = async (call) => {
  const record = await requireCurrent(call.app, resolve(call.cwd, call.args[0] ?? '.'))
  return { data: call.json ? await describeWorkspace(call.app, record) : null, text: record.name }
}
