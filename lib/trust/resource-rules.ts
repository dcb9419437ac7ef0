/** The allow-list's rules for what stands beside the services: networks, volumes, secrets and configs. Pure. */
import {
  anything,
  asText,
  deny,
  denyEach,
  type Inspection,
  isObject,
  isScalar,
  keys,
  labels,
  listOf,
  type Rule,
  reportPlace,
  scalar,
  scalars,
  textLike,
} from './rules.ts'

const SHARED = 'shared with what is outside of this workspace, your other branches too'
const COPY_INSTEAD = '`nexus config set compose.external private` gives each workspace a copy'
/** Options of a tmpfs mount; `bind`, `dev` and `suid` are not among them. */
const TMPFS_OPTION = /^((size|uid|gid|mode|nr_inodes|nr_blocks)=[\w%]+|noexec|exec|nosuid|nodev|noatime|rw|ro)$/

/** An absolute path, or one from the top of the worktree. */
export function fileRule(verb: string): Rule {
  return (value, at, inspection) => {
    scalar(value, at, inspection)
    const place = inspection.places.outside(asText(value))
    if (place !== undefined) reportPlace(place, verb, at, inspection)
  }
}

/** An external object is reported by its name, and nothing else of it counts. */
function ownOr(report: (name: string, at: string, inspection: Inspection) => void, rule: Rule): Rule {
  return (value, at, inspection) => {
    if (isObject(value) && value.external !== undefined && value.external !== false) {
      const name = isObject(value.external) ? (value.external.name ?? value.name) : value.name
      report(`external ${String(name ?? at.split('.').at(-1))}`, at, inspection)
    } else rule(value, at, inspection)
  }
}

const shared = (name: string, at: string, { report }: Inspection) => report(at, name, SHARED)

export const volume: Rule = ownOr(
  (name, at, { report, copies }) => {
    if (copies === true) report(at, `a copy of ${name}`, 'gives this workspace what is in a volume outside of it')
    else report(at, name, `${SHARED}; ${COPY_INSTEAD}`)
  },
  keys({
    name: scalar,
    labels,
    external: anything,
    driver: textLike(/^(local|default)$/, [/./, 'stores data through a plug-in of this machine']),
    driver_opts: (value, at, inspection) => {
      if (isTmpfs(value)) return
      denyEach('mounts what the option names, on this machine or the network')(value, at, inspection)
    },
  }),
)

function isTmpfs(options: unknown): boolean {
  if (!isObject(options) || options.type !== 'tmpfs' || options.device !== 'tmpfs') return false
  if (Object.keys(options).some((key) => !['type', 'device', 'o'].includes(key))) return false
  const given = options.o ?? ''
  return (
    isScalar(given) &&
    (given === '' ||
      String(given)
        .split(',')
        .every((option) => TMPFS_OPTION.test(option)))
  )
}

export const network: Rule = ownOr(
  shared,
  keys({
    name: scalar,
    labels,
    external: anything,
    driver: textLike(/^(bridge|default)$/, [/./, 'uses another kind of network than that of this machine alone']),
    // the size of packets is the one option that is common and harmless
    driver_opts: keys({ 'com.docker.network.driver.mtu': scalar }),
    attachable: scalar,
    internal: scalar,
    enable_ipv4: scalar,
    enable_ipv6: scalar,
    ipam: keys({
      driver: textLike(/^default$/, [/./, 'asks a plug-in of this machine for addresses']),
      config: listOf(keys({ subnet: scalar, ip_range: scalar, gateway: scalar, aux_addresses: scalars })),
      options: denyEach('sets options of a plug-in of this machine'),
    }),
  }),
)

const FILE_OBJECT = {
  name: scalar,
  labels,
  external: anything,
  file: fileRule('gives containers'),
  environment: deny('gives containers the value of a variable'),
  content: scalar,
  driver: deny('comes from a plug-in of this machine'),
  driver_opts: denyEach('sets options of a plug-in of this machine'),
  template_driver: deny('is made by a plug-in of this machine'),
}

export const secret: Rule = ownOr(shared, keys(FILE_OBJECT))
export const config: Rule = ownOr(shared, keys(FILE_OBJECT))

/** How a service or a build uses a secret or a config that is defined elsewhere. */
export function useOf(inspection: Inspection, value: unknown, at: string): void {
  if (isScalar(value)) return
  keys({ source: scalar, target: scalar, uid: scalar, gid: scalar, mode: scalar, type: scalar })(value, at, inspection)
}
