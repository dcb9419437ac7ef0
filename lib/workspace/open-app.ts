/**
 * The app as the command line and the server use it: here, and only here, what stands lowest is handed what stands on top of it.
 * No other file of `lib/workspace` imports this one.
 */
import { type App, type AppOptions, createApp } from './app.ts'

export function openApp(options: AppOptions): App {
  return createApp(options, async (app, record, next) => {
    const { recover } = await import('./recover.ts')
    return recover(app, record, next)
  })
}
