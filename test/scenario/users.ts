/**
 * An ordinary user of the machine, made for one test and removed with all that is its own, and a copy of the built Nexus
 * that such a user can read. Needs root, as `useradd` does.
 */
import { chmod, chown, cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../support/process.ts'
import { tempDir } from '../support/temp.ts'
import { must } from './scene.ts'

export interface User extends AsyncDisposable {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** A folder of the user's own, which everybody can reach. */
  readonly folder: string
  /** Words before a command that is to run as this user. */
  readonly as: readonly string[]
  /** `as`, node and the copied nexus. */
  readonly program: readonly string[]
  own(path: string): Promise<void>
}

export interface UserOptions {
  readonly inDockerGroup: boolean
  /** Default: the next free one. */
  readonly uid?: number
}

export async function makeUser({ inDockerGroup, uid }: UserOptions): Promise<User> {
  if (process.getuid?.() !== 0) throw new Error('this scenario makes a user, which needs root')
  // TMPDIR is root's alone; /tmp is everybody's
  const dir = await tempDir('/tmp')
  await chmod(dir.path, 0o755)
  const name = `nexus-test-${process.pid}-${dir.path
    .slice(-6)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, 'x')}`
  const home = join(dir.path, 'own')
  const ids = uid === undefined ? ['--user-group'] : ['--non-unique', '--uid', String(uid), '--gid', String(uid)]
  const groups = inDockerGroup ? ['--groups', 'docker'] : []
  try {
    await must(['useradd', '--no-create-home', '--home-dir', home, '--shell', '/bin/bash', ...ids, ...groups, name])
    const [ownUid = 0, ownGid = 0] = (await must(['getent', 'passwd', name])).split(':').slice(2, 4).map(Number)
    await mkdir(home)
    await chown(home, ownUid, ownGid)
    for (const part of ['dist', 'compose', 'package.json']) {
      await cp(part, join(dir.path, 'nexus', part), { recursive: true })
    }
    const socketGroup = inDockerGroup ? [(await must(['getent', 'group', 'docker'])).split(':')[2] ?? ''] : []
    const supplementary = socketGroup.length === 0 ? ['--clear-groups'] : [`--groups=${socketGroup.join()}`]
    const setIds = ['setpriv', `--reuid=${ownUid}`, `--regid=${ownGid}`, ...supplementary]
    const as = [...setIds, 'env', `HOME=${home}`, `TMPDIR=${home}`, `USER=${name}`]
    return {
      name,
      uid: ownUid,
      gid: ownGid,
      folder: home,
      as,
      program: [...setIds, process.execPath, join(dir.path, 'nexus', 'dist', 'nexus.js')],
      own: async (path) => void (await must(['chown', '-R', `${ownUid}:${ownGid}`, path])),
      [Symbol.asyncDispose]: async () => {
        await removeUser(name)
        await dir[Symbol.asyncDispose]()
        await rm(dir.path, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await removeUser(name)
    await rm(dir.path, { recursive: true, force: true })
    throw error
  }
}

async function removeUser(name: string): Promise<void> {
  if ((await runProcess(['getent', 'passwd', name])).code === 0) await must(['userdel', '--force', name])
}
