/** doctor: checks of machine, engine and state. */
import type { Endpoints } from '../api/kit.ts'
import type { DoctorFinding } from '../core/finding.ts'
import { flag } from '../verb-form/fields.ts'
import { verb } from '../verb-form/verb.ts'
import { count } from '../verb-form/words.ts'

const doctor = verb({
  name: 'doctor',
  group: 'care',
  effect: 'changes',
  summary: 'check machine, engine and state; changes nothing unless asked to. Code 1 when something is wrong',
  fields: {
    fix: flag('repair what can be repaired, then look again', { http: 'Default true' }),
    accept: flag('take the git settings and hooks that changed since workspaces share them as they are', {
      http: 'Take changed git settings and hooks as they are',
    }),
  },
  example: 'nexus doctor',
  run: async ({ app }, { fix, accept }) => {
    const { examine } = await import('../doctor/doctor.ts')
    if (accept) await (await import('../doctor/git-config.ts')).acceptGitConfig(app)
    const { findings, fixed, healthy } = await examine(app, { fix })
    const lines = [
      ...findings.map(formatFinding),
      ...fixed.map(({ message }) => `fixed    ${message}`),
      verdict(findings),
    ]
    return { data: { healthy, findings, fixed }, text: lines.join('\n'), exitCode: healthy ? 0 : 1 }
  },
})

function formatFinding({ check, status, message, why, hint }: DoctorFinding): string {
  const more = [why, hint].filter((line) => line !== null).map((line) => `           ${line}`)
  const said = status === 'ok' ? `${check}: ${message}` : message
  return [`${status.padEnd(7)}  ${said}`, ...more].join('\n')
}

function verdict(findings: readonly DoctorFinding[]): string {
  const counted = (wanted: DoctorFinding['status']) => findings.filter(({ status }) => status === wanted).length
  const [errors, warnings] = [counted('error'), counted('warning')]
  const fixable = findings.filter((finding) => finding.fixable).length
  const repair = fixable === 0 ? '' : `; \`nexus doctor --fix\` repairs ${fixable} of them`
  if (errors + warnings === 0) return 'all is well'
  return `${count(errors, 'error')}, ${count(warnings, 'warning')}${repair}`
}

export const verbs = [doctor]

export const endpoints: Endpoints = ({ z, via, sample }) => {
  const finding = z.object({
    check: z.string(),
    status: z.enum(['ok', 'warning', 'error']),
    message: z.string(),
    why: z.string().nullable(),
    hint: z.string().nullable(),
    fixable: z.boolean(),
  })
  const answer = z
    .object({ healthy: z.boolean(), findings: z.array(finding), fixed: z.array(finding) })
    .openapi('Health')
  const example = { healthy: true, findings: [sample.FINDING], fixed: [] }
  return [
    via(doctor, {
      http: 'GET /doctor',
      operationId: 'getHealth',
      tag: 'care',
      summary: 'Check machine, engine and state; changes nothing',
      answer,
      example,
    }),
    via(doctor, {
      http: 'POST /doctor',
      operationId: 'fixHealth',
      tag: 'care',
      summary: 'Repair what can be repaired, and look again',
      body: ['fix', 'accept'],
      bodyName: 'Fix',
      input: ({ fix = true }) => ({ fix }),
      answer,
      example,
    }),
  ]
}
