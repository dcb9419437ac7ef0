/** Files that import each other, for the guard and for `make check`, which prints how many circles there are. */
import { posix } from 'node:path'
import { listImports, listSourceFiles, type SourceFile } from './source.ts'

const PRODUCT = /^(lib|scripts)\/.*\.ts$/
/** Its commands look their own row up in the table of commands, until one row is one file (issue 16, step 5). */
const KNOWN = 'scripts/commands/'

export async function listCircles(root: string) {
  const files = (await listSourceFiles(root)).filter(({ path }) => PRODUCT.test(path))
  const circles = importCircles(files)
  const isKnown = (circle: string) => circle.split(' -> ').every((path) => path.startsWith(KNOWN))
  return { circles, unknown: circles.filter((circle) => !isKnown(circle)) }
}

/** Each as `a.ts -> b.ts -> a.ts`; imports of types and late ones count. */
export function importCircles(files: readonly SourceFile[]): readonly string[] {
  const imports = new Map(files.map((file) => [file.path, targetsOf(file)]))
  const done = new Set<string>()
  const circles: string[] = []
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) circles.push([...trail.slice(at), path].join(' -> '))
    if (at >= 0 || done.has(path)) return
    for (const target of imports.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) walk(path, [])
  return circles
}

function targetsOf({ path, text }: SourceFile): readonly string[] {
  return listImports(text)
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from }) => posix.join(posix.dirname(path), from))
}
