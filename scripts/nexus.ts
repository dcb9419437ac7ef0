#!/usr/bin/env node
/**
 * Entry of the `nexus` command. It answers `--version` by itself and loads everything else only when it is needed:
 * starting Node is most of what a small command costs.
 */
export {}

declare const __NEXUS_VERSION__: string

const [first, ...others] = process.argv.slice(2)
if ((first === '--version' || first === '-v') && others.length === 0) {
  process.stdout.write(`${__NEXUS_VERSION__}\n`)
} else {
  const { run } = await import('./main.ts')
  process.exitCode = await run(process, __NEXUS_VERSION__)
}
