// Templates are compiled and container files embedded as text while bundling (scripts/build.mjs, scripts/templates.mjs).
declare module '*.hbs' {
  const template: { readonly source: string; readonly compiled: TemplateSpecification }
  export default template
}
declare module '*.sh' {
  const text: string
  export default text
}
declare module '*.yml' {
  const text: string
  export default text
}
