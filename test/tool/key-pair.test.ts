/** A key pair that is exchanged, cut off at each of its moments: what is found afterwards is one pair, the old one or the new. */
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterruption } from '../../lib/core/interruption.ts'
import { ensurePair, finishPair, isSettled, makeNext, takeNext } from '../../lib/ssh/keys/key-pair.ts'
import { createRunner } from '../../lib/system/runner.ts'
import { createSsh } from '../../lib/tools/ssh.ts'
import { runProcess } from '../support/process.ts'
import { assert, rejects, suite } from '../support/suite.ts'
import { tempDir } from '../support/temp.ts'

/** What a kill leaves, of the pair and its successor, and whose it is then. */
const MOMENTS: readonly (readonly [string, (key: string) => void, 'old' | 'new'])[] = [
  ['before the public half is written', (key) => rmSync(`${key}.next.pub`), 'old'],
  ['when both are there', () => undefined, 'old'],
  ['between the two renames', (key) => renameSync(`${key}.next`, key), 'new'],
]

suite('a key pair that is exchanged', (test) => {
  test('is one pair whenever it was cut off', async () => {
    await using dir = await tempDir()
    const ssh = createSsh(createRunner(() => undefined, process.env, createInterruption()))
    const key = join(dir.path, 'key')
    await ssh.makeKey(key, 'old')
    copyFileSync(key, join(dir.path, 'kept'))
    copyFileSync(`${key}.pub`, join(dir.path, 'kept.pub'))
    for (const [moment, cut, whose] of MOMENTS) {
      copyFileSync(join(dir.path, 'kept'), key)
      copyFileSync(join(dir.path, 'kept.pub'), `${key}.pub`)
      await makeNext(ssh, key, 'new')
      const next = readFileSync(`${key}.next.pub`, 'utf8')
      cut(key)
      assert.not(isSettled(key), moment)
      await finishPair(key)
      assert.ok(isSettled(key), moment)
      const pub = readFileSync(`${key}.pub`, 'utf8')
      assert.is(pub, whose === 'new' ? next : readFileSync(join(dir.path, 'kept.pub'), 'utf8'), moment)
      const { stdout } = await runProcess(['ssh-keygen', '-y', '-f', key])
      assert.is(stdout.split(' ')[1], pub.split(' ')[1], moment)
    }
    await makeNext(ssh, key, 'newest')
    await takeNext(key)
    assert.match(readFileSync(`${key}.pub`, 'utf8'), / newest\n$/)
    assert.equal(readdirSync(dir.path).sort(), ['kept', 'kept.pub', 'key', 'key.pub'])
  })

  test('has its public half again when that alone was lost, and tells of a private one that cannot be read', async () => {
    await using dir = await tempDir()
    const ssh = createSsh(createRunner(() => undefined, process.env, createInterruption()))
    const key = join(dir.path, 'key')
    const given = { comment: 'nexus', hint: 'To have a new one, run `nexus keys rotate --own`' }
    const pub = await ensurePair(ssh, key, given)
    assert.match(pub, /^ssh-ed25519 \S+ nexus\n$/)
    const secret = readFileSync(key, 'utf8')
    rmSync(`${key}.pub`)
    assert.is(await ensurePair(ssh, key, given), pub)
    assert.is(readFileSync(key, 'utf8'), secret)
    rmSync(`${key}.pub`)
    writeFileSync(key, secret.slice(0, 99), { mode: 0o600 })
    const error = await rejects(() => ensurePair(ssh, key, given), 'CONFIG_INVALID')
    assert.match(error.message, /key\.pub is missing.*cannot read/)
  })
})
