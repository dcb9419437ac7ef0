/** The allow-list's rules for `build`: what a build reads, where from, and with which rights it runs. Pure. */
import { isRemote } from '../stack/places.ts'
import { useOf } from './resource-rules.ts'
import {
  asText,
  deny,
  denyEach,
  type Inspection,
  isObject,
  isScalar,
  keys,
  labels,
  listOf,
  mapOf,
  type Rule,
  reportPlace,
  scalar,
  scalarOr,
  scalars,
  textLike,
} from './rules.ts'

/** Contexts that are an image or another service of the stack. */
const HARMLESS_CONTEXT = /^(docker-image:\/\/|service:)/
const REMOTE = 'builds from what it fetches from elsewhere'

const parts = keys({
  // both are looked at together with the whole
  context: scalar,
  dockerfile: scalar,
  dockerfile_inline: scalar,
  args: scalars,
  labels,
  target: scalar,
  no_cache: scalar,
  no_cache_filter: scalars,
  pull: scalar,
  platforms: scalars,
  shm_size: scalar,
  ulimits: mapOf(scalarOr(keys({ soft: scalar, hard: scalar }))),
  extra_hosts: scalars,
  provenance: scalar,
  sbom: scalar,
  additional_contexts: namedContexts,
  cache_from: cacheRule(/^(registry|inline|gha)$/, 'reads a build cache from a folder or a service'),
  cache_to: cacheRule(/^inline$/, 'writes a build cache to a folder or a service'),
  network: textLike(/^(default|none)$/, [/^host$/, 'builds in the network of this machine']),
  isolation: textLike(/^default$/),
  tags: denyEach('gives the image a name that others on this machine may use'),
  secrets: listOf((value, at, inspection) => useOf(inspection, value, at)),
  ssh: denyEach('lets the build use your ssh keys'),
  entitlements: denyEach('lets the build out of its sandbox'),
  privileged: deny('lets the build out of its sandbox'),
})

export const build: Rule = (value, at, inspection) => {
  if (!isObject(value)) return inspectContext(asText(value), `${at}.context`, inspection)
  parts(value, at, inspection)
  const context = value.context === undefined ? '.' : asText(value.context)
  inspectContext(context, `${at}.context`, inspection)
  if (value.dockerfile === undefined || isRemote(context)) return
  const { places } = inspection
  const given = asText(value.dockerfile)
  const place = places.outside(given, context.startsWith('/') ? context : undefined)
  // a Dockerfile within an outside context is covered by the finding for the context
  const isNews = places.outside(context) === undefined || given.startsWith('/') || given.split('/').includes('..')
  if (place !== undefined && isNews) reportPlace(place, 'builds by a Dockerfile from', `${at}.dockerfile`, inspection)
}

function inspectContext(context: string, at: string, inspection: Inspection): void {
  if (HARMLESS_CONTEXT.test(context)) return
  if (isRemote(context)) {
    inspection.report(at, context, REMOTE)
    return
  }
  const place = inspection.places.outside(context)
  if (place !== undefined) reportPlace(place, 'builds from', at, inspection)
}

function namedContexts(value: unknown, at: string, inspection: Inspection): void {
  const entries = isObject(value)
    ? Object.entries(value)
    : [value].flat().map((one) => /^([^=]*)=?(.*)$/s.exec(asText(one))?.slice(1) ?? [])
  for (const [name = '', context] of entries) {
    scalar(context, `${at}.${name}`, inspection)
    inspectContext(asText(context), `${at}.${name}`, inspection)
  }
}

/** By the type, which stands once and in front: the last one counts. An image alone is read from its registry. */
function cacheRule(types: RegExp, why: string): Rule {
  return listOf((value, at, { report }) => {
    const [first = '', ...fields] = asText(value).split(',')
    const isImage = types.test('registry') && isScalar(value) && !/[="]/.test(String(value))
    const isPlain = fields.every((field) => /^[\w.-]+=[^"]*$/.test(field) && !/^(type|url|url_v2|token)=/i.test(field))
    if (!isImage && !(first.startsWith('type=') && types.test(first.slice(5)) && isPlain)) report(at, value, why)
  })
}
