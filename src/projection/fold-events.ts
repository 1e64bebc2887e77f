// Rows that are folded from events.

import { checkData } from '../codec/data.js'
import { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import { freeze, handOut } from '../model/read-only.js'
import { describeChange, findRefusedChange } from '../model/refused-change.js'
import { show } from '../model/show.js'
import type { Projection, RowsOfEvents } from './define-projection.js'
import type { Folding, Item, RowChange } from './folding.js'

/** Events change rows at once. */
interface EventFolding extends Folding {
  change(
    item: Item,
    keys: readonly string[],
    rowOf: (key: string) => unknown,
  ): readonly RowChange[]
}

export function foldingOfEvents(
  { name, events }: Pick<Required<Projection>, 'name' | 'events'>,
  rows: RowsOfEvents,
): EventFolding {
  /** The next row. */
  function foldRow(row: unknown, event: RecordedEvent, key: string): unknown {
    const fold = (given: unknown, data: unknown) =>
      rows.fold(given, data === event.data ? event : { ...event, data }, key)
    try {
      return fold(handOut(row), handOut(event.data))
    } catch (cause) {
      const change = findRefusedChange(cause, watch =>
        fold(watch(`row ${show(key)}`, row), watch('the data of the event', event.data)),
      )
      if (change === undefined) throw cause
      throw new CairnError(
        'invalid-definition',
        `when.${event.type} of projection ${name} changed ${describeChange(change, change.name)}, ` +
          'which it must only read: return a new row, { ...row, … }.',
        { cause, details: { projection: name, key, path: change.path } },
      )
    }
  }

  return {
    itemsOf: (commit, from) =>
      commit.events.flatMap((event, index) =>
        index >= from && events.includes(event.type)
          ? [{ position: commit.position, index, event }]
          : [],
      ),

    keysOf: ({ event }) => rows.keysOf(event!),

    change(item, keys, rowOf) {
      const event = item.event!
      freeze(event.data)
      return keys.map((key): RowChange => {
        const row = rowOf(key) ?? freeze(rows.initial(key))
        const next = foldRow(row, event, key)
        if (next === undefined)
          throw new CairnError(
            'invalid-definition',
            `when.${event.type} of projection ${name} returned nothing for ${show(key)}: ` +
              'return the next row, or null to remove it.',
          )
        checkData(next, `row ${show(key)} of projection ${name}`)
        return [key, freeze(next, row)]
      })
    },
  }
}
