// The package with the console's pages, which is installed beside this one by those who want them. This package does not
// depend on it, so it is loaded by its name, if it is there.

import type { Pages } from '../http/options.js'

const packageName = '@cairn-es/console'

/** `undefined` if it is not installed. */
export async function loadConsole(): Promise<Pages | undefined> {
  try {
    const { consolePages } = (await import(packageName)) as {
      consolePages(): Promise<Pages>
    }
    return await consolePages()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return undefined
  }
}
