/**
 * What a project's fully resolved model asks for beyond the ordinary. It is an allow-list: what the tables in the rule
 * files do not know is a finding. The order is the same whatever the order of the files. Pure.
 */

import { type ComposeModel, type Finding, plainText } from '../stack/model.ts'
import { createPlaces, type Places, type Where } from '../stack/places.ts'
import { makeModelFinding, sortFindings } from './findings.ts'
import { config, network, secret, volume } from './resource-rules.ts'
import { deny, keys, mapOf, scalar } from './rules.ts'
import { service } from './service-rules.ts'

const MODEL = keys({
  name: scalar,
  version: scalar,
  services: mapOf(service),
  networks: mapOf(network),
  volumes: mapOf(volume),
  secrets: mapOf(secret),
  configs: mapOf(config),
  models: mapOf(deny('starts a model on this machine')),
})

/**
 * Sorted by path; empty when nothing needs approval.
 * @param copies each workspace gets a copy of an external volume
 */
export function findUnapproved(model: ComposeModel, where: Where, copies = false): readonly Finding[] {
  const findings: Finding[] = []
  const { name, outside } = createPlaces(where)
  const places: Places = {
    name: (path) => name(plainText(path)),
    outside: (given, base) => outside(plainText(given), base === undefined ? undefined : plainText(base)),
  }
  MODEL(model, '', { places, copies, report: (at, value, why) => findings.push(makeModelFinding(at, value, why)) })
  return sortFindings(findings)
}
