// How the command line shows rows: tables on a terminal, plain lines in a pipe, JSON on request; and its progress.

import t from 'tap'

import { Progress } from '../../src/cli/progress.js'
import { Table, type TableOptions } from '../../src/cli/table.js'
import type { ParsedFlags } from '../../src/program/flags.js'
import { until } from '../support/wait.js'

interface Row {
  readonly name: string
  readonly count: number
}

const options: TableOptions<Row> = {
  columns: [
    {
      title: 'name',
      text: row => row.name,
      style: row => (row.count > 9 ? 'red' : undefined),
    },
    { title: 'count', text: row => row.count, isNumber: true },
  ],
  line: ({ name, count }) => `${name}  ${count}`,
  below: ({ count }) => (count > 9 ? ['  too many'] : []),
}
const plainFlags: ParsedFlags = { values: {}, positionals: [] }
const jsonFlags: ParsedFlags = { values: { json: true }, positionals: [] }
const pipe = { isTerminal: false, hasColours: false, columns: 80, rows: 24 }
const terminal = { ...pipe, isTerminal: true }
const rows: readonly Row[] = [
  { name: 'a', count: 1 },
  { name: 'long\nname', count: 12 },
]

async function shown(
  flags: ParsedFlags,
  to: typeof pipe,
  given = rows,
  with_ = options,
): Promise<string[]> {
  const lines: string[] = []
  const write = async (line: string) => void lines.push(line)
  const table = new Table(flags, with_, { terminal: to, write })
  for (const row of given) await table.row(row)
  t.equal(await table.end(), given.length)
  return lines
}

await t.test('a terminal gets a table with headers', async t => {
  t.strictSame(await shown(plainFlags, terminal), [
    'NAME            COUNT',
    'a                   1',
    'long\\u000aname     12',
    '  too many',
  ])
  t.equal(
    (await shown(plainFlags, { ...terminal, hasColours: true }))[2],
    '\u001B[31mlong\\u000aname\u001B[39m     12',
    'with colours',
  )
})

await t.test('a pipe gets plain lines, and JSON is the row', async t => {
  t.strictSame(await shown(plainFlags, { ...pipe, hasColours: false }), [
    'a  1',
    'long\\u000aname  12',
    '  too many',
  ])
  const json = (await shown(jsonFlags, terminal)).map(line => JSON.parse(line) as Row)
  t.strictSame(json, rows)
})

await t.test(
  'a table of any length is shown while it comes, and grows wider',
  async t => {
    const many = Array.from({ length: 250 }, (_, i) => ({ name: `n${i}`, count: i }))
    many[240] = { name: 'a very long name', count: 7 }
    const lines = await shown(plainFlags, terminal, many, {
      ...options,
      below: () => [],
    })
    t.equal(lines.length, 251)
    t.equal(lines[1], 'n0        0')
    t.equal(lines[242], 'n241                241')
    const live = await shown(plainFlags, terminal, rows, { ...options, isLive: true })
    t.strictSame(live.slice(0, 2), ['NAME  COUNT', 'a         1'])
  },
)

await t.test('progress is shown on a terminal after a while, and cleared', async t => {
  let drawn = ''
  const write = (text: string) => void (drawn += text)
  const progress = new Progress('cairn verify', { terminal, write })
  progress.say('12 histories replayed')
  await until(() => drawn !== '')
  progress[Symbol.dispose]()
  t.ok(drawn.startsWith('\r\u001B[K| cairn verify: '), drawn)
  t.match(drawn, / \d+ s, 12 histories replayed/)
  t.ok(drawn.endsWith('\r\u001B[K'))
})

await t.test('a pipe gets no progress', async t => {
  let drawn = ''
  let isShownElsewhere = false
  const other = new Progress('one', {
    terminal,
    write: () => void (isShownElsewhere = true),
  })
  const write = (text: string) => void (drawn += text)
  const progress = new Progress('two', { terminal: pipe, write })
  await until(() => isShownElsewhere)
  other[Symbol.dispose]()
  progress[Symbol.dispose]()
  t.equal(drawn, '')
})
