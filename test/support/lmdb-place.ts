// A place for embedded data, as the event store contract wants it: a directory of its own.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { versionsOf } from '../../src/codec/envelope.js'
import type { ActorAddress } from '../../src/model/address.js'
import {
  acquireEnvironment,
  releaseEnvironment,
} from '../../src/store/lmdb/environment.js'
import { packRecord } from '../../src/store/lmdb/layout.js'
import { type LmdbStore, openLmdbStore } from '../../src/store/event-store/lmdb.js'
import type { InjectedRecord, OpenOptions, StoreFixture } from '../contract/store.js'

export class LmdbPlace implements StoreFixture {
  readonly dir: string
  readonly #stores: LmdbStore[] = []

  constructor(dir: string) {
    this.dir = dir
  }

  static async make(): Promise<LmdbPlace> {
    return new LmdbPlace(await mkdtemp(join(tmpdir(), 'cairn-lmdb-')))
  }

  async open(options: OpenOptions = {}): Promise<LmdbStore> {
    const { nodeId = `node-${this.#stores.length + 1}`, namespace = 'test' } = options
    const store = await openLmdbStore({
      dir: this.dir,
      namespace,
      nodeId,
      ...(options.cache !== undefined && { cache: options.cache }),
    })
    this.#stores.push(store)
    return store
  }

  /** Puts a record into an actor's place, past every check of the store. */
  async injectRecord(
    actor: ActorAddress,
    { headers, body }: InjectedRecord,
  ): Promise<void> {
    const environment = await acquireEnvironment(this.dir, 'test')
    const { root, tables } = environment
    const taken = versionsOf(name => headers[name])
    await root.transaction(() => {
      const before = tables.head(actor)
      const version = taken?.last ?? before?.version ?? 0
      const position = tables.lastPosition() + 1
      tables.put(actor, before, position, version, packRecord(actor, headers, body))
    })
    await releaseEnvironment(environment)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#stores) await store.close()
    await rm(this.dir, { recursive: true, force: true })
  }
}
