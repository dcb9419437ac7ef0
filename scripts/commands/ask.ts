/** One question to the person at the terminal. The answer goes to nothing but the asker; stdout stays free for the answer of the command. */
import { createInterface } from 'node:readline/promises'

/** True for y or yes; an end of input, or anything else, is no. */
export async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  const closed = new Promise<string>((done) => lines.once('close', () => done('')))
  try {
    const answer = await Promise.race([lines.question(question, { signal }), closed])
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    lines.close()
  }
}
