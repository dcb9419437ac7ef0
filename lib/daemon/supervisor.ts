/**
 * Runs the services of the background process: starts them in their order, stops them in the reverse one, and knows how each is. A
 * service that is not required may fail without taking the others along; its failure is in the log and in `health()`.
 */
import type { Log, Service } from '../core/service.ts'

export interface ServiceHealth {
  readonly name: string
  readonly state: 'running' | 'failed' | 'stopped'
  /** What is wrong; null while all is well. */
  readonly problem: string | null
}

export interface Supervisor {
  /** @throws what the start of a required service threw; then everything is stopped again */
  start(): Promise<void>
  /** Tells how many operations did not end in time. @throws what a service's stop threw, after all the others were stopped */
  stop(): Promise<number>
  health(): readonly ServiceHealth[]
  /** Resolves when a required service is lost. */
  readonly lost: Promise<void>
}

export function createSupervisor(services: readonly Service[], log: Log): Supervisor {
  const running: Service[] = []
  const failures = new Map<string, string>()
  const required = services.filter((service) => service.required)

  async function startOne(service: Service): Promise<void> {
    try {
      await service.start()
      running.push(service)
      log({ service: service.name, event: 'service-started' })
    } catch (error) {
      failures.set(service.name, noteFailure(service, error))
      if (service.required) throw error
    }
  }

  function noteFailure({ name }: Service, error: unknown): string {
    const problem = error instanceof Error ? error.message : String(error)
    log({ service: name, event: 'service-failed', problem })
    return problem
  }

  async function stop(): Promise<number> {
    let left = 0
    const errors: unknown[] = []
    for (const service of running.splice(0).reverse()) {
      try {
        left += await service.stop()
        log({ service: service.name, event: 'service-stopped' })
      } catch (error) {
        noteFailure(service, error)
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
    return left
  }

  return {
    start: async () => {
      try {
        for (const service of services) await startOne(service)
      } catch (error) {
        await stop().catch(() => undefined) // told in the log; why it could not start matters more
        throw error
      }
    },
    stop,
    health: () =>
      services.map((service) => {
        const { name } = service
        const failure = failures.get(name)
        if (failure !== undefined) return { name, state: 'failed', problem: failure }
        if (!running.includes(service)) return { name, state: 'stopped', problem: null }
        return { name, state: 'running', problem: service.health() ?? null }
      }),
    lost: Promise.race(required.flatMap(({ lost }) => (lost === undefined ? [] : [lost]))),
  }
}
