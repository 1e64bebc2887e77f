// Where a run keeps its data: one server, three of them, or a directory; and the processes' ways there.

import type { NatsServer } from '../support/nats.js'
import type { Place } from './history.js'

/** What a process needs to open the store. Passed to it as JSON. */
export type StoreOptions =
  | {
      readonly kind: 'jetstream'
      readonly servers: readonly string[]
      readonly replicas: number
    }
  | { readonly kind: 'embedded'; readonly dir: string }

/** A process's connection to the servers, which a fault can disturb. */
export interface Line extends AsyncDisposable {
  /** Nothing passes in that direction; connections stay open. `toClient`: requests arrive, answers do not. */
  cut(direction: 'both' | 'toServer' | 'toClient'): void
  /** Bytes of both directions arrive `ms` later. */
  delay(ms: number): void
  /** Everything passes again. */
  heal(): void
}

export interface TrustPlace extends AsyncDisposable {
  readonly place: Place
  /** None for a directory. */
  readonly servers: readonly NatsServer[]
  /** The servers' own URLs, or the directory: for the checker's reading, past every line. */
  readonly direct: StoreOptions
  /** The store as one process reaches it; on servers through proxies of its own. */
  lineFor(): Promise<{ readonly store: StoreOptions; readonly line: Line | undefined }>
}
