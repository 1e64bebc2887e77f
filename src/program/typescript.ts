// Modules in TypeScript, on every supported version of Node. The compiler, `jiti`, is loaded when needed.

import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Imports a module by its absolute path: compiled JavaScript, or TypeScript. */
export async function importModule(path: string): Promise<Record<string, unknown>> {
  if (!/^\.[mc]?tsx?$/.test(extname(path)))
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>
  const { createJiti } = await import('jiti')
  const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false })
  return await jiti.import<Record<string, unknown>>(path)
}
