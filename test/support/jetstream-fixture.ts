// A place for data on a real server, as the event store contract wants it: a namespace of
// its own, one connection a store.

import { connect, headers as newHeaders } from 'nats'

import { newId } from '../../src/model/id.js'
import type { ActorAddress } from '../../src/model/address.js'
import { Connection } from '../../src/nats/connection.js'
import type { LogStreamOptions, NatsOptions } from '../../src/nats/options.js'
import { ensureLogStream } from '../../src/nats/log-stream.js'
import { logSubject } from '../../src/nats/subjects.js'
import {
  JetStreamStore,
  type JetStreamStoreOptions,
} from '../../src/store/event-store/jetstream.js'
import type { VersionCacheLimits } from '../../src/store/version-cache.js'

export interface OpenOptions {
  readonly nodeId?: string
  readonly namespace?: string
  readonly cache?: VersionCacheLimits
}

/** Which commits ride together. */
export type GroupOptions = Pick<JetStreamStoreOptions, 'groupCommit' | 'groupMin'>

export class JetStreamPlace implements AsyncDisposable {
  readonly namespace = `t-${newId()}`
  readonly #servers: string
  readonly #stream: LogStreamOptions
  readonly #groups: GroupOptions
  readonly #open: { store: JetStreamStore; connection: Connection }[] = []

  constructor(servers: string, stream: LogStreamOptions = {}, groups: GroupOptions = {}) {
    this.#servers = servers
    this.#stream = stream
    this.#groups = groups
  }

  async open(
    {
      nodeId = `node-${this.#open.length + 1}`,
      namespace = this.namespace,
      cache,
    }: OpenOptions = {},
    nats: NatsOptions = {},
  ): Promise<JetStreamStore> {
    const connection = await Connection.open(
      { servers: this.#servers, ...nats },
      namespace,
      nodeId,
    )
    const stream = await ensureLogStream(connection, namespace, this.#stream)
    const store = new JetStreamStore({
      namespace,
      nodeId,
      connection,
      stream,
      ...this.#groups,
      ...(cache !== undefined && { cache }),
    })
    this.#open.push({ store, connection })
    return store
  }

  /** Publishes a message into an actor's place as any other client could. */
  async injectRecord(
    actor: ActorAddress,
    { headers, body }: { headers: Readonly<Record<string, string>>; body: Uint8Array },
  ): Promise<void> {
    const nc = await connect({ servers: this.#servers })
    try {
      const lines = newHeaders()
      for (const [name, value] of Object.entries(headers)) lines.append(name, value)
      await nc
        .jetstream()
        .publish(logSubject(this.namespace, actor, 16), body, { headers: lines })
    } finally {
      await nc.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { store, connection } of this.#open) {
      await store.close()
      await connection.close()
    }
  }
}
