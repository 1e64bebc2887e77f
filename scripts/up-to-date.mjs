// Skips a build whose inputs have not changed since it last succeeded: `npm test` after `npm run build`
// does not compile a second time.

import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const stamp = '.built-from'

/**
 * Empties `folder` and runs `work`, unless `folder` was built from the same inputs.
 * @param {string} folder
 * @param {readonly string[]} inputs files and folders, without what was built
 * @param {() => Promise<void>} work
 */
export async function buildOnce(folder, inputs, work) {
  const hash = createHash('sha256').update(process.version)
  for (const input of inputs) await addTo(hash, input)
  const digest = hash.digest('hex')
  const file = join(folder, stamp)
  if ((await readFile(file, 'utf8').catch(() => '')) === digest) return
  await rm(folder, { recursive: true, force: true })
  await work()
  await writeFile(file, digest)
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 */
async function addTo(hash, path) {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) {
    hash.update(`${path}\n`).update(await readFile(path))
    return
  }
  for (const { name } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
    if (name !== 'dist' && name !== 'node_modules') await addTo(hash, join(path, name))
}
