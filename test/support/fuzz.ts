/**
 * How long property tests over untrusted input run: NEXUS_FUZZ_RUNS examples each (10,000 in the long form), else 1,000. The seed is
 * pinned, so that a run that fails fails again; NEXUS_FUZZ_SEED gives another.
 */
import fc from 'fast-check'
import { NexusError } from '../../lib/core/errors.ts'

export const FUZZ = {
  numRuns: Number(process.env.NEXUS_FUZZ_RUNS ?? 1_000),
  seed: Number(process.env.NEXUS_FUZZ_SEED ?? 20_261_126),
}
/** Grows with the examples. */
export const FUZZ_LIMIT_MS = 10_000 + FUZZ.numRuns * 20

/** Words that mean something to a shell, an option parser, YAML, git, compose or a path. */
const WORDS = [
  ...['-', '--', '-x', '--help', '--force', '--', '-f', '-c', '--upload-pack=touch x', '--push'],
  ...['..', '../..', '/', '/etc/passwd', '.git', '.', '~', '~root', './a/../../b', 'a//b', '.git/config'],
  ...[
    '$(id)',
    '`id`',
    '${HOME}',
    '$$',
    '$',
    '${A:?b}',
    ';',
    '&&',
    '|',
    '>',
    '\n',
    '\r\n',
    '\t',
    '\0',
    ' ',
    '"',
    "'",
    '\\',
  ],
  ...['@{-1}', '@{u}', 'HEAD', 'refs/heads/', 'refs/heads/..', 'origin/', ':/', '^', '{}', ':', '*', '?', '[', '#'],
  ...[
    'null',
    'true',
    'yes',
    'on',
    '~',
    '0123',
    '1e3',
    '0x1f',
    '1:20',
    '- a',
    'a: b',
    '{a: b}',
    '!!binary',
    '&a',
    '*a',
    '%',
    '@',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty'],
  ...['\x1b[31m', '\x7f', '\x85', '\u2028', '\u202e', '\ufeff', '\ufffd', 'é', 'e\u0301', '日本', '😀'],
]

/** Texts of a stranger: such words, plain ones, and whatever bytes. */
export const anyText = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .array(fc.constantFrom(...WORDS, 'a', 'b1', 'web', 'x-y'), { maxLength: 6 })
      .map((all) => all.join('')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.constantFrom(...WORDS) },
)

/** The value, undefined where the text was refused as one of the table refuses; anything else is a crash. */
export function refusedOr<T>(body: () => T): T | undefined {
  try {
    return body()
  } catch (error) {
    requireOurs(error)
    return undefined
  }
}

export function requireOurs(error: unknown): void {
  if (!(error instanceof NexusError) || error.code === 'INTERNAL') throw error
  const said = `${error.message}${error.hint ?? ''}`
  if (/[\0-\x08\x0a-\x1f\x7f-\x9f]/.test(said)) throw new Error(`control characters in: ${JSON.stringify(said)}`)
}
