// Templates and container files are embedded into the bundle as text (scripts/build.mjs).
declare module '*.hbs' {
  const text: string
  export default text
}
declare module '*.sh' {
  const text: string
  export default text
}
