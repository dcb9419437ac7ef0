/**
 * Once the image exists, no local verb opens a connection beyond this machine. A firewall rule refuses and counts what
 * leaves on any interface but loopback, for a user of the test's own; the same counter is shown to work.
 */
import { runProcess } from '../support/process.ts'
import { assert, suite } from '../support/suite.ts'
import { LIMIT_MS, must, openScene } from './scene.ts'
import { makeUser } from './users.ts'

/** TEST-NET-1 and its sister of IPv6: for documentation, routed nowhere. */
const NOWHERE = { iptables: '192.0.2.1', ip6tables: '2001:db8::1' }
type Firewall = keyof typeof NOWHERE

suite('offline', (test) => {
  test(
    'no local verb leaves the machine',
    async () => {
      await using user = await makeUser({ inDockerGroup: true })
      await using scene = await openScene({ user })
      await scene.up('first')
      await using fence = await makeFence(user.uid)
      assert.is(await fence.count(), 0)
      await scene.up('demo', '--port', '3000')
      await scene.list('--all', '--dirty')
      for (const words of [
        ['status'],
        ['ports'],
        ['logs', '--tail', '5'],
        ['stop'],
        ['start'],
        ['restart'],
        ['pause'],
      ]) {
        const [verb = '', ...options] = words
        await scene.ok([verb, 'demo', ...options])
      }
      await scene.ok(['resume', 'demo'])
      await scene.inside('demo', 'git', 'status')
      await scene.ok(['ssh', 'demo', '--', 'true'])
      await scene.ok(['config', 'show'])
      await scene.ok(['version'])
      await scene.ok(['delete', 'demo'])
      assert.is(await fence.count(), 0, 'packets that wanted to leave the machine')

      // and the fence does see what leaves
      const attempt = ['timeout', '5', 'bash', '-c', `exec 3<>/dev/tcp/${NOWHERE.iptables}/80`]
      assert.is.not((await runProcess([...user.as, ...attempt])).code, 0)
      assert.ok((await fence.count()) > 0, 'the counter counts')
    },
    LIMIT_MS,
  )
})

async function makeFence(uid: number) {
  const walls: Firewall[] = []
  const rule = ['!', '-o', 'lo', '-m', 'owner', '--uid-owner', String(uid), '-j', 'REJECT']
  const remove = async () => {
    for (const wall of walls.splice(0)) await must([wall, '-w', '-D', 'OUTPUT', ...rule])
  }
  try {
    for (const wall of Object.keys(NOWHERE) as Firewall[]) {
      const made = await runProcess([wall, '-w', '-I', 'OUTPUT', ...rule])
      if (made.code === 0) walls.push(wall)
      else if (wall === 'iptables') throw new Error(`no fence can be made: ${made.stderr}`)
    }
  } catch (error) {
    await remove()
    throw error
  }
  return {
    /** Packets refused so far. */
    count: async () => {
      const texts = await Promise.all(walls.map((wall) => must([wall, '-w', '-nvxL', 'OUTPUT'])))
      const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.includes(`owner UID match ${uid}`))
      return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[0]), 0)
    },
    [Symbol.asyncDispose]: remove,
  }
}
