// No way leads from one namespace into another's account, and docs/walls.md tells what one account lets through.

import t from 'tap'

import { tableUnder } from '../docs/markdown.js'
import { cellsOf, throughIn, tryWalls, wallsPage } from './report.js'
import { forms } from './world.js'

// Without users everything goes through but what the server itself refuses: `npm run walls` shows it.
const tried = forms.filter(form => form !== 'open')
const rows = await tryWalls(tried)

t.strictSame(throughIn(rows, 'accounts'), [], 'nothing crosses accounts')
t.strictSame(
  throughIn(rows, 'accounts, all permissions'),
  [],
  'not even without permissions inside',
)
const open = forms.indexOf('open')
const documented = tableUnder(wallsPage, 'What was tried').map(cells =>
  cells.filter((_, i) => i !== open + 2),
)
t.strictSame(
  rows.map(row => cellsOf(row, tried)),
  documented,
  'the documented table is that of this run: npm run walls -- --write',
)
