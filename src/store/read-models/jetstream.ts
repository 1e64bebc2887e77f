// Read models in a key-value bucket of NATS: `nats kv get` reads them.
//
//   $KV.CAIRN_<ns>_VIEWS.<model>.place       { position, ahead, mark: { position, id } }
//   $KV.CAIRN_<ns>_VIEWS.<model>.row.<key>   a row
//
// READMODEL-JS-1. A write is part of one atomic batch: its rows and the checkpoint, which expects the
//     revision of the stored checkpoint: the server stores all of it or nothing. A batch that is sent
//     again after an ambiguous attempt cannot be stored twice.
// READMODEL-JS-2. Rows and checkpoints are read from the leader: a replica may lag, and a row folded
//     from an old one would stay wrong.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError } from '../../model/errors.js'
import { pause } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet } from '../../nats/direct-get.js'
import { directScan } from '../../nats/direct-scan.js'
import { apiError, writeFailedError, writeFailure } from '../../nats/errors.js'
import { callApi } from '../../nats/jetstream-api.js'
import { isRemoval, removal } from '../../nats/kv.js'
import { notSendable, tooLargeError } from '../../nats/payload-limit.js'
import { decodeToken, encodeToken, readModelsBucketOf } from '../../nats/subjects.js'
import { JetStreamWrites, type WriteMessages } from './jetstream-writes.js'
import {
  type Checkpoint,
  checkpointOf,
  initialCheckpoint,
  isIn,
  type ReadModel,
  type ReadModels,
  type ReadModelWrite,
  type RowRange,
  type StoredCheckpoint,
} from './read-models.js'

const attemptTimeout = 2_000
const totalTimeout = 10_000
/** Rows read at a time. */
const readsMax = 64

export class JetStreamReadModels implements ReadModels {
  readonly #connection: Connection
  readonly #namespace: string
  readonly #writes: JetStreamWrites

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection
    this.#namespace = namespace
    this.#writes = new JetStreamWrites(connection, readModelsBucketOf(namespace).stream)
  }

  open(name: string): ReadModel {
    return new JetStreamReadModel(this.#connection, this.#writes, this.#namespace, name)
  }
}

class JetStreamReadModel implements ReadModel {
  readonly #connection: Connection
  readonly #writes: JetStreamWrites
  readonly #stream: string
  readonly #root: string
  /** Fields of a newer build in the checkpoint that was read last. */
  #unknown: object = {}

  constructor(
    connection: Connection,
    writes: JetStreamWrites,
    namespace: string,
    name: string,
  ) {
    const { stream, prefix } = readModelsBucketOf(namespace)
    this.#connection = connection
    this.#writes = writes
    this.#stream = stream
    this.#root = `${prefix}.${name}`
  }

  /** READMODEL-JS-2. */
  async checkpoint(): Promise<StoredCheckpoint> {
    const last = await this.#last(this.#checkpointSubject)
    if (last === undefined) return initialCheckpoint
    const stored = decode(last.body) as Checkpoint
    const { position: _, ahead: __, mark: ___, ...unknown } = stored
    this.#unknown = unknown
    return { ...checkpointOf(stored), revision: last.position }
  }

  /** READMODEL-JS-2. */
  async get(
    keys: readonly string[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly unknown[]> {
    const rows: unknown[] = []
    for (let i = 0; i < keys.length; i += readsMax)
      rows.push(
        ...(await Promise.all(
          keys.slice(i, i + readsMax).map(async key => {
            const last = await this.#last(this.#rowSubject(key), options)
            return last === undefined || isRemoval(last.headers)
              ? undefined
              : decode(last.body)
          }),
        )),
      )
    return rows
  }

  /** READMODEL-JS-1. */
  async write(
    { rows, ...write }: ReadModelWrite,
    revision: number,
  ): Promise<number | 'conflict'> {
    const checkpoint = {
      subject: this.#checkpointSubject,
      expected: revision,
      headers: [],
      body: encode({ ...this.#unknown, ...checkpointOf(write) }),
    }
    const messages: WriteMessages = [
      ...[...rows].map(([key, row]) => ({
        subject: this.#rowSubject(key),
        headers: row === null ? removal : [],
        body: row === null ? noBytes : encode(row),
      })),
      checkpoint,
    ]
    const deadline = Date.now() + totalTimeout
    let why = 'no connection'
    let isAmbiguous = false
    for (;;) {
      await this.#connection.whenConnected(deadline - Date.now())
      const left = deadline - Date.now()
      if (left <= 0 || this.#connection.isUnusable) throw this.#outcomeUnknown(why)
      const outcome = await this.#writes.send(messages, Math.min(attemptTimeout, left))
      switch (outcome.kind) {
        case 'stored':
          return outcome.positions.at(-1)!
        case 'wrong-sequence':
          // An earlier attempt of this write may be stored: the caller reads the checkpoint again.
          return 'conflict'
        case 'refused':
          throw apiError(outcome.error, `writing to ${this.#root}`)
        case 'too-large':
          throw isAmbiguous
            ? this.#outcomeUnknown(notSendable(this.#connection, outcome, why))
            : tooLargeError(this.#connection, outcome)
        case 'write-failed':
          throw outcome.wasSent || isAmbiguous
            ? this.#outcomeUnknown(writeFailure(this.#stream, outcome.reason))
            : writeFailedError(`writing to ${this.#root}`, this.#stream, outcome.reason)
        case 'unclear':
          isAmbiguous = true
          why = outcome.why
          await pause(Math.min(50, left))
          break
        case 'not-now':
          why = outcome.why
          await pause(1 + Math.random() * 9)
          break
      }
    }
  }

  async *entries(
    options: { readonly range?: RowRange; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly [string, unknown]> {
    const filter = `${this.#root}.row.>`
    for await (const { subject, headers, body } of directScan(
      this.#connection,
      this.#stream,
      filter,
      1,
      options.signal,
    )) {
      if (isRemoval(headers)) continue
      const key = decodeToken(subject.slice(filter.length - 1))
      if (key !== undefined && isIn(options.range, key))
        yield [key, decode(body)] as const
    }
  }

  async drop(): Promise<void> {
    const purged = await callApi(this.#connection, `STREAM.PURGE.${this.#stream}`, {
      filter: `${this.#root}.>`,
    })
    if (!purged.ok) throw apiError(purged.error, `dropping ${this.#root}`)
  }

  #last(subject: string, options?: { readonly signal?: AbortSignal }) {
    const query = { last_by_subj: subject }
    return leaderGet(this.#connection, this.#stream, query, options)
  }

  get #checkpointSubject(): string {
    return `${this.#root}.place`
  }

  #rowSubject(key: string): string {
    return `${this.#root}.row.${encodeToken(key)}`
  }

  #outcomeUnknown(why: string): CairnError {
    return new CairnError(
      'outcome-unknown',
      `The outcome of writing ${this.#root} is unknown: ${why}. Read its checkpoint to find out.`,
    )
  }
}

const noBytes = new Uint8Array()
