export declare function compileTemplate(source: string): string
