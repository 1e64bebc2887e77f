// A namespace's log on LMDB that tests can misuse like the memory store's: records are pushed past
// every check, and any number of stores share it. It is fsynced, as in production.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { ActorAddress } from '../../src/model/address.js'
import type { Version } from '../../src/model/version.js'
import {
  acquireEnvironment,
  type Environment,
  releaseEnvironment,
} from '../../src/store/lmdb/environment.js'
import { encodeLogRecord } from '../../src/store/lmdb/layout.js'
import { LmdbStore } from '../../src/store/event-store/lmdb.js'

export class LmdbLog implements AsyncDisposable {
  readonly #dir: string
  readonly #environment: Environment

  private constructor(dir: string, environment: Environment) {
    this.#dir = dir
    this.#environment = environment
  }

  static async make(): Promise<LmdbLog> {
    const dir = await mkdtemp(join(tmpdir(), 'cairn-log-'))
    return new LmdbLog(dir, await acquireEnvironment(dir, 'test'))
  }

  /** A store on this log; closed with the log. */
  store(nodeId: string): LmdbStore {
    return new LmdbStore({ namespace: 'test', nodeId }, this.#environment)
  }

  get records(): { readonly length: number } {
    return { length: this.#environment.log.refresh().lastPosition() }
  }

  versionOf(actor: ActorAddress): Version {
    return this.#environment.log.refresh().head(actor)?.version ?? 0
  }

  push(
    actor: ActorAddress,
    version: Version,
    headers: Record<string, string>,
    body: Uint8Array,
  ): void {
    const { root, log } = this.#environment
    root.transactionSync(() => {
      const head = log.head(actor)
      const position = log.lastPosition() + 1
      const last = Math.max(version, head?.version ?? 0)
      log.append(actor, head, position, last, encodeLogRecord(actor, headers, body))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await releaseEnvironment(this.#environment)
    await rm(this.#dir, { recursive: true, force: true })
  }
}
