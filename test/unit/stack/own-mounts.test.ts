/** What may lie where inside: caches and mounts, and what they must not lie over. */
import { cacheVolumes } from '../../../lib/stack/caches.ts'
import type { ComposeModel } from '../../../lib/stack/model.ts'
import { requireFreePlaces } from '../../../lib/stack/own-mounts.ts'
import { assert, suite } from '../../support/suite.ts'

/** Over what Nexus mounts, starts or writes inside, what the system runs, and the repository. */
const OVER = [
  ...['/etc/nexus/ssh', '/etc/nexus/', '/etc/ssh', '/usr/local', '/usr/local/lib', '/usr/local/lib/nexus', '/usr/bin'],
  ...[
    '/usr/lib',
    '/run/nexus/x',
    '/run/sshd',
    '/run/secrets',
    '/var/run/x',
    '/var/nexus-editors/code',
    '/proc/1',
    '/dev/x',
  ],
  ...['/workspace/x', '~/.ssh', '~/.ssh/keys', '/home/nexus/', '//etc/nexus', '/a//b', '/srv/app', '/srv/app/.git'],
  ...['/srv/app/.git/hooks', '/srv/..', '/./etc/nexus', '/var'],
]
/** What projects share. */
const SHARED = ['~/.npm', '~/.cache', '/root/.npm', '/usr/local/cargo/registry', '/usr/local/bundle', '/var/cache/apt']

suite('places of caches', (test) => {
  const owner = { repo: '/srv/app', isolation: 'standard' } as const
  for (const folder of SHARED) test(`${folder} is fine`, () => assert.is(cacheVolumes('i', owner, [folder]).length, 1))
  for (const folder of OVER) {
    test(`${folder} is refused`, () => assert.throws(() => cacheVolumes('i', owner, [folder]), /caches names/))
  }
})

suite("mounts of the workspace's own service", (test) => {
  const stack = { base: { kind: 'service' }, main: 'app', files: [], profiles: [], pass: [] } as const
  const model = (app: object, other: object = {}) =>
    ({ name: 'x', services: { app, other } }) as unknown as ComposeModel
  const at = (target: string) => ({ volumes: [{ type: 'volume', source: 'd', target }] })
  for (const [what, app, told] of [
    ['a volume', at('/etc/nexus/ssh'), 'services.app.volumes mounts something at /etc/nexus/ssh'],
    ['a folder above', at('/usr/local'), '/usr/local, which covers /usr/local/lib/nexus'],
    ['a folder by another way', at('/usr/../etc//nexus/'), 'covers /etc/nexus'],
    ['the whole disk', at('/'), '/, which covers'],
    ['a tmpfs', { tmpfs: ['/run/nexus:size=1m'] }, 'services.app.tmpfs'],
    ['a tmpfs as a text', { tmpfs: '/run/sshd' }, 'services.app.tmpfs'],
    ['a config', { configs: [{ source: 'c', target: '/etc/nexus/ssh/sshd_config' }] }, 'services.app.configs'],
    ['a config by its name', { configs: ['usr/local/lib/nexus/entrypoint'] }, 'services.app.configs'],
    ['a secret', { secrets: [{ source: 's', target: '/var/nexus-editors/x' }] }, 'services.app.secrets'],
    ['a device', { devices: [{ source: '/dev/null', target: '/etc/nexus/ssh/keys' }] }, 'services.app.devices'],
    ["another service's", { volumes_from: ['other:ro'] }, 'services.other.volumes mounts something at /run/nexus'],
  ] as const) {
    test(what, () => assert.throws(() => requireFreePlaces(stack, model(app, at('/run/nexus'))), told))
  }

  test('everything else is fine, and so is all of it in other services', () => {
    const app = {
      ...at('/workspace'),
      tmpfs: ['/run', '/tmp'],
      configs: ['c'],
      secrets: ['s'],
      volumes_from: ['other'],
    }
    requireFreePlaces(stack, model(app, at('/home/nexus')))
    requireFreePlaces(stack, model({ volumes_from: ['container:x', 'app'] }))
    requireFreePlaces(stack, model({}, at('/etc/nexus')))
    requireFreePlaces({ ...stack, base: { kind: 'default' }, main: 'workspace' }, model(at('/etc/nexus')))
  })
})
