// A directory of embedded data with stores on it, as the event store contract needs it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { versionsOf } from '../../src/codec/commit-headers.js'
import type { ActorAddress } from '../../src/model/address.js'
import {
  acquireEnvironment,
  releaseEnvironment,
} from '../../src/store/lmdb/environment.js'
import { encodeLogRecord } from '../../src/store/lmdb/layout.js'
import { type LmdbStore, openLmdbStore } from '../../src/store/event-store/lmdb.js'
import type { InjectedRecord, OpenOptions, StoreFixture } from '../contract/store.js'

export class LmdbFixture implements StoreFixture {
  readonly dir: string
  readonly #stores: LmdbStore[] = []

  constructor(dir: string) {
    this.dir = dir
  }

  static async make(): Promise<LmdbFixture> {
    return new LmdbFixture(await mkdtemp(join(tmpdir(), 'cairn-lmdb-')))
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

  /** Stores a record in an actor's history, past every check of the store. */
  async injectRecord(
    actor: ActorAddress,
    { headers, body }: InjectedRecord,
  ): Promise<void> {
    const environment = await acquireEnvironment(this.dir, 'test')
    const { root, log } = environment
    const taken = versionsOf(name => headers[name])
    await root.transaction(() => {
      const head = log.head(actor)
      const version = taken?.last ?? head?.version ?? 0
      const position = log.lastPosition() + 1
      log.append(actor, head, position, version, encodeLogRecord(actor, headers, body))
    })
    await releaseEnvironment(environment)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#stores) await store.close()
    await rm(this.dir, { recursive: true, force: true })
  }
}
