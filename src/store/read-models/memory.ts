// The reference read models: in this process, lost when it ends.

import { decode, encode } from '../../codec/msgpack.js'
import {
  checkpointOf,
  initialCheckpoint,
  isIn,
  type ReadModel,
  type ReadModels,
  type ReadModelWrite,
  type StoredCheckpoint,
} from './read-models.js'

interface StoredModel {
  readonly rows: Map<string, Uint8Array>
  checkpoint: StoredCheckpoint
}

export class MemoryReadModels implements ReadModels {
  readonly #byName = new Map<string, StoredModel>()
  /** Of all models, so that a model written again after a drop gets a new revision. */
  #revision = 0

  open(name: string): ReadModel {
    const model = () => this.#byName.get(name)
    return {
      checkpoint: async () => model()?.checkpoint ?? initialCheckpoint,
      get: async keys =>
        keys.map(key => {
          const bytes = model()?.rows.get(key)
          return bytes && decode(bytes)
        }),
      write: async (write, revision) => this.#write(name, write, revision),
      async *entries({ range } = {}) {
        for (const [key, bytes] of model()?.rows ?? [])
          if (isIn(range, key)) yield [key, decode(bytes)] as const
      },
      drop: async () => void this.#byName.delete(name),
    }
  }

  #write(
    name: string,
    { rows, ...checkpoint }: ReadModelWrite,
    revision: number,
  ): number | 'conflict' {
    const model = this.#byName.get(name) ?? {
      rows: new Map(),
      checkpoint: initialCheckpoint,
    }
    if (model.checkpoint.revision !== revision) return 'conflict'
    const encoded = [...rows].map(
      ([key, row]) => [key, row === null ? undefined : encode(row)] as const,
    )
    for (const [key, bytes] of encoded)
      if (bytes === undefined) model.rows.delete(key)
      else model.rows.set(key, bytes)
    model.checkpoint = { ...checkpointOf(checkpoint), revision: ++this.#revision }
    this.#byName.set(name, model)
    return this.#revision
  }
}
