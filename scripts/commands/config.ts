import type { Run } from './command.ts'
export const show: Run = async () => ({ data: {}, text: '' })
export const get: Run = show
export const set: Run = show
export const unset: Run = show
