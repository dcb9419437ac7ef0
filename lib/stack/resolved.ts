/**
 * Reads what `docker compose config --format json` prints, and mends what compose would not read again as it was meant:
 * its JSON leaves zeros out where it asks for them, has sizes as texts although it reads those below zero as numbers
 * alone, and some keys with a capital. Pure.
 */
import type { ComposeModel, ComposeService, ModelFields } from './model.ts'

export function parseResolved(json: string): ComposeModel {
  // a number that JavaScript cannot hold stays as it is, as a text
  const exact = json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => {
    return /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token
  })
  const model = JSON.parse(exact) as ComposeModel
  return { ...model, services: mapValues(model.services, mendService) as ComposeModel['services'] }
}

const SIZES = ['mem_limit', 'mem_reservation', 'mem_swappiness', 'memswap_limit', 'shm_size']

function mendService(service: ComposeService): ComposeService {
  return mend(service, {
    ...Object.fromEntries(SIZES.map((key) => [key, belowZero])),
    ulimits: wholeUlimits,
    build: (build: ModelFields) => mend(build, { shm_size: belowZero, ulimits: wholeUlimits }),
    blkio_config: (config: ModelFields) =>
      mapValues(config, (rates) => (Array.isArray(rates) ? rates.map(smallKeys) : rates)),
    gpus: counted,
    deploy: (deploy: ModelFields) =>
      mend(deploy, {
        resources: (resources: ModelFields) =>
          mend(resources, { reservations: (given: ModelFields) => mend(given, { devices: counted }) }),
      }),
  }) as ComposeService
}

type Mends = Readonly<Record<string, (value: never) => unknown>>

/** The fields that are there and not null, each by its function; the others as they are. */
function mend(fields: ModelFields, mends: Mends): ModelFields {
  return mapValues(fields, (value, key) => {
    return Object.hasOwn(mends, key) && value !== null ? mends[key]?.(value as never) : value
  })
}

function mapValues<T>(fields: Readonly<Record<string, T>>, change: (value: T, key: string) => unknown): ModelFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, change(value, key)]))
}

function belowZero(value: unknown): unknown {
  return typeof value === 'string' && /^-\d+$/.test(value) ? Number(value) : value
}

/** Compose wants both, and leaves out the one that is zero. */
function wholeUlimits(ulimits: ModelFields): ModelFields {
  return mapValues(ulimits, (limit) => (typeof limit === 'object' ? { soft: 0, hard: 0, ...limit } : limit))
}

/** Without a count it means all devices, and writes that as -1; what it leaves out is a zero. */
function counted(devices: unknown): unknown {
  if (!Array.isArray(devices)) return devices
  return devices.map((device: ModelFields) => {
    return device.count === undefined && device.device_ids === undefined ? { ...device, count: 0 } : device
  })
}

function smallKeys(fields: ModelFields): ModelFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key.toLowerCase(), value]))
}
