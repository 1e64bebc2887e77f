// npm run walls: prints what goes across in each form, as the table of docs/walls.md. With --write it writes the table
// there. Ends with 1 if anything crosses accounts.

import { readFile, writeFile } from 'node:fs/promises'

import { tableOf, throughIn, tryWalls, wallsPage, withTable } from './report.js'
import { forms } from './world.js'

const rows = await tryWalls(forms, (form, { name, as = 'node' }, outcome) =>
  console.error(`${form}: ${as}: ${name}: ${outcome}`),
)
const table = tableOf(rows)
if (process.argv.includes('--write'))
  await writeFile(wallsPage, withTable(await readFile(wallsPage, 'utf8'), table))
else console.log(table)
for (const form of forms)
  console.error(`${form}: ${throughIn(rows, form).length} of ${rows.length} went through`)
const crossed = forms
  .filter(form => form.startsWith('accounts'))
  .flatMap(form => throughIn(rows, form))
process.exitCode = crossed.length === 0 ? 0 : 1
