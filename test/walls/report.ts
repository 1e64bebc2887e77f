// Tries every way across in every form, and tells which went through.

import { type Attempt, attempts } from './attempts.js'
import { type Form, forms, openWorld, type World } from './world.js'

export type Outcome = 'refused' | 'through'

export interface Row {
  readonly name: string
  readonly as: string
  /** By the forms that were tried. */
  readonly outcomes: ReadonlyMap<Form, Outcome>
}

/** @param onAttempt is told of each attempt */
export async function tryWalls(
  tried: readonly Form[],
  onAttempt: (form: Form, attempt: Attempt, outcome: Outcome) => void = () => {},
): Promise<readonly Row[]> {
  const rows = attempts.map(({ name, as = 'node' }) => ({
    name,
    as,
    outcomes: new Map<Form, Outcome>(),
  }))
  for (const form of tried) {
    await using world = await openWorld(form)
    for (const [i, attempt] of attempts.entries()) {
      const outcome = await tryOne(world, attempt)
      onAttempt(form, attempt, outcome)
      rows[i]!.outcomes.set(form, outcome)
    }
  }
  return rows
}

async function tryOne(world: World, attempt: Attempt): Promise<Outcome> {
  const before = await world.fingerprint()
  const isListening = attempt.name.startsWith('listen')
  const evidence = await attempt.run(await world.attacker(attempt.as ?? 'node'), world)
  const after = await world.fingerprint()
  const isThrough = evidence !== undefined || (!isListening && after !== before)
  // Attempts of an operator change its own streams, too.
  if (attempt.as === 'operator' || !world.isIntact(after)) await world.reset()
  return isThrough ? 'through' : 'refused'
}

/** What each form lets through, in the order of the table. */
const columns: Readonly<Record<Form, string>> = {
  open: 'no users',
  'one account': 'one account',
  accounts: 'an account each',
  'accounts, all permissions': 'an account each, attacker without permissions',
}

/** A row of the table, for the forms that were tried. */
export function cellsOf({ name, as, outcomes }: Row, tried: readonly Form[]): string[] {
  const show = { refused: 'refused', through: '**through**' }
  return [name, as, ...tried.map(form => show[outcomes.get(form)!])]
}

/** The report as a table of Markdown, aligned as Prettier does. */
export function tableOf(rows: readonly Row[]): string {
  const heads = ['tenant-a tries to', 'as', ...forms.map(form => columns[form])]
  const cells = [heads, ...rows.map(row => cellsOf(row, forms))]
  const widths = heads.map((_, i) => Math.max(...cells.map(row => row[i]!.length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  const [head, ...body] = cells.map(line)
  return [head, line(widths.map(width => '-'.repeat(width))), ...body].join('\n')
}

export const wallsPage = 'docs/walls.md'
const marks = [
  '<!-- walls: written by npm run walls -- --write -->',
  '<!-- end of walls -->',
]

/** The page with the table between its marks. */
export function withTable(page: string, table: string): string {
  const [start, end] = marks.map(mark => page.indexOf(mark)) as [number, number]
  if (start < 0 || end < start) throw new Error(`${wallsPage} has no marks for the table`)
  return `${page.slice(0, start)}${marks[0]}\n\n${table}\n\n${page.slice(end)}`
}

/** What a form lets through. */
export function throughIn(rows: readonly Row[], form: Form): readonly string[] {
  return rows
    .filter(({ outcomes }) => outcomes.get(form) === 'through')
    .map(({ name }) => name)
}
