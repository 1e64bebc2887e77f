// Events of the log as the command line prints them, and the records that cannot be read.

import { toJson } from '../codec/json.js'
import type { ParsedFlags } from '../program/flags.js'
import type { itemView } from '../runtime/views/event.js'
import { Table, type TableOptions } from './table.js'

type ItemView = ReturnType<typeof itemView>

export function itemTable(
  flags: ParsedFlags,
  options: Pick<TableOptions<ItemView>, 'empty' | 'isLive'>,
): Table<ItemView> {
  return new Table(flags, {
    columns: [
      { title: 'position', text: row => row.position, isNumber: true },
      {
        title: 'at',
        text: row => ('malformed' in row ? '' : row.at),
        style: () => 'dim',
      },
      { title: 'actor', text: row => ('malformed' in row ? row.source : row.actor) },
      {
        title: 'version',
        text: row => ('malformed' in row ? '' : row.version),
        isNumber: true,
      },
      {
        title: 'event',
        text: row => ('malformed' in row ? 'MALFORMED' : row.type),
        style: row => ('malformed' in row ? 'red' : 'cyan'),
      },
      {
        title: 'data',
        text: row => ('malformed' in row ? row.reason : toJson(row.data)),
      },
    ],
    line: row => {
      if ('malformed' in row)
        return `${row.position}  MALFORMED  ${row.source}: ${row.reason}`
      const { position, at, actor, version, type, data } = row
      return `${position}  ${at}  ${actor}  v${version}  ${type}  ${toJson(data)}`
    },
    ...options,
  })
}
