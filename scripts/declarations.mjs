// The declarations of the package: those that its doors reach. tsc writes one for each module; the others describe what
// nobody can import, and would be half of what the package holds.

import { readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, normalize, relative } from 'node:path'

/** An import or re-export of a file, also as `import('…')` within a type. */
const reference = /(?:from |import ?\(?)'(\.[^']+)\.js'/g

/**
 * Removes the declarations that none of the doors reaches.
 * @param {string} folder
 * @param {readonly string[]} doors without their ending, relative to the folder
 */
export async function keepReachedDeclarations(folder, doors) {
  const reached = await reachedFrom(folder, doors)
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter(entry => entry.isFile() && entry.name.endsWith('.d.ts'))
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
  for (const file of files) if (!reached.has(file)) await rm(join(folder, file))
}

/**
 * @param {string} folder
 * @param {readonly string[]} doors
 */
async function reachedFrom(folder, doors) {
  /** @type {Set<string>} */
  const reached = new Set()
  const pending = doors.map(door => normalize(`${door}.d.ts`))
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    const text = await readFile(join(folder, file), 'utf8')
    for (const [, path] of text.matchAll(reference))
      pending.push(join(dirname(file), `${path}.d.ts`))
  }
  return reached
}
