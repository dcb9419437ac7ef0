/**
 * Kernel settings that a service may ask for: those of its own network stack that affect no other. Everything else
 * needs approval. On a guarded network no other `net.` setting is passed on, approved or not, because an IPv6 address
 * or a changed answer to ARP leads past the network gate. Pure.
 */
import type { ModelFields } from '../stack/model.ts'
import { asText, isObject, type Rule } from './rules.ts'

const ANY = /^[\w.,: \t-]*$/
/** Values that switch IPv6 off. */
const OFF = /^1$/
/** The kernel loads the module of any other name. */
const KNOWN_CONTROL = /^(reno|cubic|bbr)$/

const HARMLESS: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/^net\.core\.(somaxconn|[rw]mem_(default|max))$/, ANY],
  [/^net\.unix\.max_dgram_qlen$/, ANY],
  [/^net\.ipv4\.(ip_local_port_range|ip_local_reserved_ports|ip_unprivileged_port_start|ip_default_ttl)$/, ANY],
  // containers inherit it from this machine, where Docker needs it
  [/^net\.ipv4\.(ip_forward|ping_group_range|udp_[rw]mem_min|icmp_echo_ignore_(all|broadcasts))$/, ANY],
  [/^net\.ipv4\.tcp_congestion_control$/, KNOWN_CONTROL],
  [/^net\.ipv4\.tcp_(syncookies|max_syn_backlog|syn_retries|synack_retries|retries[12]|orphan_retries)$/, ANY],
  [/^net\.ipv4\.tcp_(keepalive_(time|intvl|probes)|fin_timeout|tw_reuse|tw_recycle|max_tw_buckets|max_orphans)$/, ANY],
  [/^net\.ipv4\.tcp_([rw]mem|moderate_rcvbuf|window_scaling|timestamps|d?sack|fack|ecn|fastopen|mtu_probing)$/, ANY],
  [/^net\.ipv4\.tcp_(slow_start_after_idle|no_metrics_save|notsent_lowat|abort_on_overflow|rfc1337|low_latency)$/, ANY],
  [
    /^net\.ipv4\.tcp_(autocorking|frto|reordering|limit_output_bytes|base_mss|thin_linear_timeouts|early_retrans)$/,
    ANY,
  ],
  [/^net\.ipv6\.bindv6only$/, ANY],
  [/^net\.ipv6\.conf\.[a-z0-9]+\.disable_ipv6$/, OFF],
]

/** Names of the kernel's that are not of the network; approved ones among them are passed on everywhere. */
const OTHER = /^(kernel|fs|user|vm)\.[a-z0-9_.-]+$/

export const sysctls: Rule = (value, at, { report }) => {
  for (const [name, one] of pairsOf(value)) {
    if (!isHarmless(name, one))
      report(at, `${name}=${one}`, 'changes a network or kernel setting that Nexus does not know to be harmless')
  }
}

/** What a service on a guarded network gets of its sysctls. */
export function guardedSysctls(value: unknown): Readonly<Record<string, string>> {
  // of IPv6 nothing at all: Docker has it off on interfaces without an address of it, and on for loopback
  const kept = pairsOf(value).filter(
    ([name, one]) => OTHER.test(name) || (isHarmless(name, one) && !name.startsWith('net.ipv6.conf.')),
  )
  return Object.fromEntries(kept)
}

function isHarmless(name: string, value: string): boolean {
  return HARMLESS.some(([names, values]) => names.test(name) && values.test(value))
}

/** From a map, or from a list of `name=value`. */
function pairsOf(value: unknown): readonly (readonly [name: string, value: string])[] {
  if (isObject(value)) return Object.entries(value as ModelFields).map(([name, one]) => [name, asText(one)])
  return [value].flat().map((item) => {
    const [, name = '', one = ''] = /^([^=]*)=?(.*)$/s.exec(asText(item)) ?? []
    return [name, one]
  })
}
