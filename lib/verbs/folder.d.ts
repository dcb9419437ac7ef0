// What the files of lib/verbs export, gathered while bundling (scripts/folder.mjs): a file that is there is found.
declare module 'folder:verbs' {
  export const files: readonly (readonly import('../verb-form/verb.ts').Verb[])[]
}
declare module 'folder:endpoints' {
  export const files: readonly {
    readonly name: string
    readonly endpoints?: import('../api/kit.ts').Endpoints
    readonly withoutEndpoint?: Readonly<Record<string, string>>
  }[]
}
