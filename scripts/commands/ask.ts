/** Questions to the person at the terminal. The answers go to nothing but the asker; stdout stays free for the answer of the command. */
import { createInterface } from 'node:readline/promises'

/** One after the other: true for y or yes; an end of input, or anything else, is no. */
export async function askEach(questions: readonly string[], signal: AbortSignal): Promise<readonly boolean[]> {
  const lines = createInterface({ input: process.stdin, terminal: false, signal })
  const typed = lines[Symbol.asyncIterator]()
  try {
    const answers: boolean[] = []
    for (const question of questions) {
      process.stderr.write(question)
      const { value = '', done } = await typed.next()
      signal.throwIfAborted()
      answers.push(done !== true && /^y(es)?$/i.test(value.trim()))
    }
    return answers
  } finally {
    lines.close()
  }
}
