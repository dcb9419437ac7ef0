import * as fc from 'fast-check'
import type { ComposeModel } from '../../../lib/stack/model.ts'
import { confineServices, formatProfile, type SeccompProfile, withoutSetId } from '../../../lib/stack/seccomp.ts'
import { assert, suite } from '../../support/suite.ts'

const FILE = '/h/seccomp.json'
const FULL = ['no-new-privileges:true', `seccomp=${FILE}`]

/** As libseccomp reads a profile: the first rule without arguments holds, else any whose arguments fit, else the default. */
function answer(profile: SeccompProfile, name: string, args: readonly number[]): string {
  const rules = profile.syscalls.filter(({ names, includes }) => names.includes(name) && includes === undefined)
  const fits = rules.find(({ args: wanted = [] }) =>
    wanted.every(({ index, value, valueTwo }) => (BigInt(args[index] ?? 0) & BigInt(value)) === BigInt(valueTwo)),
  )
  if (fits === undefined) return 'EPERM'
  return fits.action === 'SCMP_ACT_ALLOW' ? 'allowed' : `errno ${fits.errnoRet}`
}

suite('the seccomp profile', (test) => {
  const profile = withoutSetId()
  const O_CREAT = 0o100
  const O_TMPFILE = 0o20200000

  test('no mode with a set-user-ID or set-group-ID bit passes, and every other does', () => {
    const mode = fc.integer({ min: 0, max: 0o7777 })
    fc.assert(
      fc.property(mode, fc.constantFrom(O_CREAT, O_TMPFILE, O_CREAT | 2), (bits, flags) => {
        const wanted = (bits & 0o6000) === 0 ? 'allowed' : 'EPERM'
        const type = bits | 0o100000
        assert.is(answer(profile, 'chmod', [0, bits]), wanted)
        assert.is(answer(profile, 'fchmod', [3, bits]), wanted)
        assert.is(answer(profile, 'fchmodat', [-100, 0, bits]), wanted)
        assert.is(answer(profile, 'creat', [0, bits]), wanted)
        assert.is(answer(profile, 'mknod', [0, type, 0]), wanted)
        assert.is(answer(profile, 'mknodat', [-100, 0, type, 0]), wanted)
        assert.is(answer(profile, 'open', [0, flags, bits]), wanted)
        assert.is(answer(profile, 'openat', [-100, 0, flags, bits]), wanted)
      }),
    )
  })

  test('what is in the place of a mode that is not read does not matter', () => {
    assert.is(answer(profile, 'open', [0, 0o2000002, 0o177777]), 'allowed')
    assert.is(answer(profile, 'openat', [-100, 0, 0, 0o6755]), 'allowed')
  })

  test('calls whose mode lies in memory are said to be missing, and io_uring is refused', () => {
    assert.is(answer(profile, 'openat2', [-100, 0, 0, 24]), 'errno 38')
    assert.is(answer(profile, 'fchmodat2', [-100, 0, 0o755, 0]), 'errno 38')
    assert.is(answer(profile, 'io_uring_setup', [1, 0]), 'EPERM')
    assert.is(answer(profile, 'setxattr', [0, 0, 0, 0, 0]), 'allowed')
  })

  test('nothing else of what Docker allows by default is changed', () => {
    const syscalls = [
      { names: ['read', 'chmod'], action: 'SCMP_ACT_ALLOW' },
      { names: ['openat2'], action: 'SCMP_ACT_ALLOW' },
      { names: ['bpf'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_BPF'] } },
    ]
    const made = withoutSetId({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, syscalls })
    assert.equal(made.syscalls.slice(0, 2), [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }, syscalls[2]])
    assert.is((JSON.parse(formatProfile()) as SeccompProfile).defaultAction, 'SCMP_ACT_ERRNO')
  })

  test('every service gets it, but for one that has an approved profile of its own or none at all', () => {
    const services = { web: {}, own: {}, off: {}, docker: {}, gate: { security_opt: ['no-new-privileges:true'] } }
    const model = {
      name: 'p',
      services: {
        web: { security_opt: ['no-new-privileges:false'] },
        own: { security_opt: ['seccomp=/p.json'] },
        off: { security_opt: ['seccomp:unconfined'] },
        docker: { privileged: true },
      },
    } as ComposeModel
    const made = confineServices({ main: { a: '1' }, ...services }, FILE, 'main', model)
    const options = Object.values(made).map((service) => (service as { security_opt?: unknown }).security_opt)
    assert.equal(options, [undefined, FULL, FULL.slice(0, 1), FULL.slice(0, 1), FULL.slice(0, 1), FULL])
  })
})
