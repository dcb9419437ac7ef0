/** Who commits, how commits are signed, and which settings come along inside: from git's configuration as it was read. */
import { identityOf } from '../../../lib/tools/git-identity.ts'
import { assert, suite } from '../../support/suite.ts'

const setting = (scope: string, key: string, value: string) => ({ scope, key, value })
const sign = (scope: string) => [setting(scope, 'commit.gpgsign', 'true')]

suite('git identity', (test) => {
  test('aliases and ignored names of the user come along; of the repository none, and nothing that runs here', () => {
    const { comfort } = identityOf([
      setting('system', 'alias.st', 'status -sb'),
      setting('global', 'alias.lg', '!git log --graph'),
      setting('global', 'core.excludesfile', '~/.gitignore'),
      setting('global', 'credential.helper', 'store'),
      setting('global', 'core.hookspath', '/home/me/hooks'),
      setting('global', 'core.sshcommand', 'ssh -v'),
      setting('global', 'http.https://x.extraheader', 'secret'),
      setting('local', 'alias.evil', '!rm -r x'),
      setting('command', 'alias.once', 'log'),
    ])
    assert.equal(comfort, [
      ['alias.st', 'status -sb'],
      ['alias.lg', '!git log --graph'],
      ['core.excludesfile', '~/.gitignore'],
    ])
  })

  test('a program that signs is told, and whether the repository says so', () => {
    assert.equal(identityOf(sign('global')).program, { name: 'OpenPGP', local: false })
    assert.equal(identityOf(sign('local')).program, { name: 'OpenPGP', local: true })
    assert.equal(identityOf([...sign('global'), setting('global', 'gpg.format', 'x509')]).program?.name, 'X.509')
    assert.is(identityOf([...sign('global'), setting('local', 'commit.gpgsign', 'no')]).program, undefined)
    const ssh = identityOf([...sign('global'), setting('global', 'gpg.format', 'ssh')])
    assert.equal([ssh.program, ssh.signing?.commits], [undefined, true])
    assert.is(identityOf([]).program, undefined)
  })
})
