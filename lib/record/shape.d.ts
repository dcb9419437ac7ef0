// The check of a record, generated from lib/core/record-shape.ts while bundling (scripts/shapes.mjs).
declare module 'shape:record' {
  /** What is wrong with it, such as `ports.0.host is no integer`; undefined when it is whole. Fields that it does not know are none of it. */
  export function problemOf(value: unknown): string | undefined
}
