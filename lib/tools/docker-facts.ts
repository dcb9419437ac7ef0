/**
 * The docker CLI's words about the engine itself and about everything that carries a label: versions, time, disk use,
 * rows with chosen labels. By argv, machine formats only. Part of `docker.ts`.
 */
import { parseSize } from '../core/sizes.ts'
import type { RunOptions, RunResult } from '../system/exec.ts'
import type { ResourceKind } from './docker-objects.ts'

/** Docker measures volumes by walking them. */
const DISK_TIMEOUT_MS = 10_000

type DockerCall = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

export interface EngineVersions {
  readonly engine: string
  /** Such as `Docker Desktop 4.44.3`; '' for an ordinary engine. */
  readonly platform: string
  /** containerd, runc and others by name. */
  readonly components: Readonly<Record<string, string>>
}

export interface EngineFacts {
  /** The engine's own clock, RFC 3339. */
  readonly time: string
  /** Where it keeps images and volumes, on its machine. */
  readonly folder: string
}

/** An object with a label, and what was asked of it. */
export interface LabelledRow {
  readonly id: string
  readonly name: string
  /** Milliseconds since 1970; null where Docker does not list it. */
  readonly createdAt: number | null
  /** The values of the labels asked for, in order; '' without one. */
  readonly labels: readonly string[]
}

export interface ImageRow {
  readonly id: string
  readonly references: readonly string[]
  readonly bytes: number
  readonly labels: Readonly<Record<string, string>>
}

export interface DiskUse {
  /** By id. */
  readonly containers: readonly { readonly id: string; readonly labels: string; readonly bytes: number | null }[]
  readonly volumes: readonly { readonly name: string; readonly labels: string; readonly bytes: number | null }[]
}

export function createFactCommands(docker: DockerCall) {
  async function engineVersions(): Promise<EngineVersions> {
    const { stdout } = await docker(['version', '--format', '{{json .Server}}'])
    const server = JSON.parse(stdout) as {
      readonly Version?: string
      readonly Platform?: { readonly Name?: string }
      readonly Components?: readonly { readonly Name: string; readonly Version: string }[]
    }
    const components = (server.Components ?? []).map(({ Name, Version }) => [Name, Version] as const)
    return {
      engine: server.Version ?? '',
      platform: server.Platform?.Name ?? '',
      components: Object.fromEntries(components),
    }
  }

  async function engineFacts(): Promise<EngineFacts> {
    const { stdout } = await docker(['info', '--format', '{{.SystemTime}}\t{{.DockerRootDir}}'])
    const [time = '', folder = ''] = stdout.trim().split('\t')
    return { time, folder }
  }

  /** Everything of a kind with a label. */
  async function listRows(
    kind: ResourceKind,
    label: string,
    wanted: readonly string[],
  ): Promise<readonly LabelledRow[]> {
    const columns = {
      container: ['.ID', '.Names', '.CreatedAt'],
      network: ['.ID', '.Name', '.CreatedAt'],
      volume: ['.Name', '.Name', '""'],
    }[kind]
    const all = kind === 'container' ? ['--all'] : []
    const format = [...columns, ...wanted.map((name) => `.Label "${name}"`)].map((column) => `{{${column}}}`).join('\t')
    const args = [kind, 'ls', ...all, ...(kind === 'volume' ? [] : ['--no-trunc'])]
    const { stdout } = await docker([...args, '--filter', `label=${label}`, '--format', format])
    return lines(stdout).map((line) => {
      const [id = '', name = '', created = '', ...labels] = line.split('\t')
      return { id, name, createdAt: parseTime(created), labels }
    })
  }

  /** Images with a label, untagged ones too. */
  async function listImageRows(label: string): Promise<readonly ImageRow[]> {
    const { stdout } = await docker(['image', 'ls', '--quiet', '--no-trunc', '--filter', `label=${label}`])
    const ids = [...new Set(lines(stdout))]
    if (ids.length === 0) return []
    const format = '{{.Id}}\t{{.Size}}\t{{json .RepoTags}}\t{{json .Config.Labels}}'
    // one that is removed at this moment must not hide the others
    const inspected = await docker(['image', 'inspect', '--format', format, '--', ...ids], { okCodes: [0, 1] })
    return lines(inspected.stdout).map((line) => {
      const [id = '', size = '', tags = '[]', labels = '{}'] = line.split('\t')
      return {
        id,
        bytes: Number(size),
        references: (JSON.parse(tags) as readonly string[] | null) ?? [],
        labels: (JSON.parse(labels) as Readonly<Record<string, string>> | null) ?? {},
      }
    })
  }

  /** True when any container is made from the image. */
  async function isImageUsed(reference: string): Promise<boolean> {
    const args = ['container', 'ls', '--all', '--quiet', '--filter', `ancestor=${reference}`]
    return lines((await docker(args)).stdout).length > 0
  }

  async function diskUse(): Promise<DiskUse> {
    const args = ['system', 'df', '--verbose', '--format', 'json']
    return parseDiskUse((await docker(args, { timeoutMs: DISK_TIMEOUT_MS })).stdout)
  }

  /** Subnets of all bridge networks of the engine. */
  async function countBridges(): Promise<{ readonly all: number; readonly labelled: number }> {
    const count = async (...filters: readonly string[]) =>
      lines((await docker(['network', 'ls', '--quiet', '--filter', 'driver=bridge', ...filters])).stdout).length
    const [all, labelled] = await Promise.all([count(), count('--filter', 'label=dev.nexus.instance')])
    return { all, labelled }
  }

  return { engineVersions, engineFacts, listRows, listImageRows, isImageUsed, diskUse, countBridges }
}

export function parseDiskUse(stdout: string): DiskUse {
  interface Row {
    readonly ID?: string
    readonly Name?: string
    readonly Labels?: string
    readonly Size?: string
  }
  const { Containers, Volumes } = JSON.parse(stdout) as { Containers?: readonly Row[]; Volumes?: readonly Row[] }
  return {
    containers: (Containers ?? []).map(({ ID = '', Labels = '', Size = '' }) => ({
      id: ID,
      labels: Labels,
      bytes: parseSize(Size),
    })),
    volumes: (Volumes ?? []).map(({ Name = '', Labels = '', Size = '' }) => ({
      name: Name,
      labels: Labels,
      bytes: parseSize(Size),
    })),
  }
}

/** `2026-11-26 16:53:15.123456789 +0000 UTC` */
function parseTime(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d\d)(\d\d)/.exec(text)
  return match === null ? null : Date.parse(`${match[1]}T${match[2]}${match[3]}:${match[4]}`)
}

function lines(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}
