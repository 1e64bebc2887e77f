// The reference read models: in this process, gone with it.

import { decode, encode } from '../../codec/msgpack.js'
import {
  initialCheckpoint,
  type ReadModel,
  type ReadModels,
  type ReadModelWrite,
  type StoredCheckpoint,
} from './read-models.js'

interface Kept {
  readonly rows: Map<string, Uint8Array>
  place: StoredCheckpoint
}

export class MemoryReadModels implements ReadModels {
  readonly #byName = new Map<string, Kept>()
  /** Of all models: one that was dropped and written again is at no revision of before. */
  #revision = 0

  open(name: string): ReadModel {
    const kept = () => this.#byName.get(name)
    return {
      checkpoint: async () => kept()?.place ?? initialCheckpoint,
      get: async keys =>
        keys.map(key => {
          const bytes = kept()?.rows.get(key)
          return bytes && decode(bytes)
        }),
      write: async (write, revision) => this.#write(name, write, revision),
      async *entries() {
        for (const [key, bytes] of kept()?.rows ?? []) yield [key, decode(bytes)] as const
      },
      drop: async () => void this.#byName.delete(name),
    }
  }

  #write(
    name: string,
    { rows, position, ahead }: ReadModelWrite,
    revision: number,
  ): number | 'conflict' {
    const kept = this.#byName.get(name) ?? { rows: new Map(), place: initialCheckpoint }
    if (kept.place.revision !== revision) return 'conflict'
    const encoded = [...rows].map(
      ([key, row]) => [key, row === null ? undefined : encode(row)] as const,
    )
    for (const [key, bytes] of encoded)
      if (bytes === undefined) kept.rows.delete(key)
      else kept.rows.set(key, bytes)
    kept.place = { position, ahead, revision: ++this.#revision }
    this.#byName.set(name, kept)
    return this.#revision
  }
}
