// ARCHITECTURE.md prints the table of import directions that lint enforces.

import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'

import { layers } from '../../config/architecture.mjs'

await t.test('ARCHITECTURE.md prints the table as it is', async t => {
  await t.resolves(
    promisify(execFile)(process.execPath, ['scripts/architecture.mjs', '--check']),
  )
})

await t.test('each folder of src has a row, and each row a folder', async t => {
  const entries = await readdir('src', { withFileTypes: true })
  const folders = entries.filter(entry => entry.isDirectory()).map(({ name }) => name)
  t.strictSame(layers.map(({ path }) => path).sort(), folders.sort())
})
