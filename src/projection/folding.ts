// How the rows of a projection change: by events that are folded into them, or by the states of actors.

import type { StoredCommit } from '../model/commit.js'
import type { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import type { Position } from '../model/version.js'

/** A part of a commit that changes rows, or the error of a record that could not be read. */
export interface Item {
  readonly position: Position
  /** Index of the event in its commit; 0 for a whole commit. */
  readonly index: number
  /** The event; for a whole commit its last one. */
  readonly event?: RecordedEvent
  readonly commit?: StoredCommit
  readonly error?: CairnError
}

/** A row's next value; `null` for none. */
export type RowChange = readonly [key: string, next: unknown]

export interface Folding {
  /** The items of a commit, from the event at index `from` on. */
  itemsOf(commit: StoredCommit, from: number): readonly Item[]
  /** The keys of the rows that an item changes. */
  keysOf(item: Item): readonly string[]
  /**
   * The next values of the rows of an item. Throws what the projection's function throws, and `invalid-definition` for one
   * that changes what it was given.
   *
   * @param rowOf the row of a key as it is now; `null` for none
   */
  change(
    item: Item,
    keys: readonly string[],
    rowOf: (key: string) => unknown,
    signal: AbortSignal,
  ): readonly RowChange[] | Promise<readonly RowChange[]>
}
