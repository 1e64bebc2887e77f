// Reading a log stream: the history of one actor, a range of the log, the list of actors.
//
// STORE-JS-13. What is read is decoded when the reader comes to it, once. What is read ahead is bounded by the scans
//     (src/nats/direct-scan.ts, PULL-PAGES-2), in bytes and in messages.
// STORE-JS-14. A version that was read is proven: reading an actor to its end prepares the next append to it.

import {
  type ActorAddress,
  checkActorType,
  checkAddress,
  formatAddress,
} from '../../model/address.js'
import type { LogRecord } from '../../model/commit.js'
import type { Position } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { listSubjects } from '../../nats/list-subjects.js'
import { type LogStream, readLogStream } from '../../nats/log-stream.js'
import { mustExist } from '../../nats/missing-stream.js'
import { scanPages } from '../../nats/scan-pages.js'
import { logSubjects, logSubjectsOfType } from '../../nats/subjects.js'
import type { CommitsOptions, Head, ReadAllOptions } from './event-store.js'
import type { Heads } from './jetstream-heads.js'
import type { SubjectReader } from './jetstream-reads.js'
import { lastVersionOf, type StreamRecords } from './jetstream-records.js'
import { checkCommitsOptions, checkLogOptions, isOfTypes } from './read.js'

export interface LogReaderOptions {
  readonly connection: Connection
  readonly stream: () => LogStream
  readonly records: StreamRecords
  readonly subjects: SubjectReader
  readonly heads: Heads
  /** Throws once the store is closed. */
  assertOpen(): void
}

export class LogReader {
  readonly #options: LogReaderOptions

  constructor(options: LogReaderOptions) {
    this.#options = options
  }

  async lastPosition(signal: AbortSignal | undefined): Promise<Position> {
    const { assertOpen, connection, stream } = this.#options
    assertOpen()
    const { name, namespace } = stream()
    const current = await readLogStream(connection, namespace, { signal })
    if (current !== undefined) return current.lastPosition
    await mustExist(connection, name)
    return 0
  }

  async head(actor: ActorAddress, signal: AbortSignal | undefined): Promise<Head> {
    const { assertOpen, heads } = this.#options
    assertOpen()
    return heads.readRecord(checkAddress(actor), signal)
  }

  commits(actor: ActorAddress, options: CommitsOptions): AsyncGenerator<LogRecord> {
    return options.backwards === true
      ? this.#backwards(actor, options)
      : this.#forwards(actor, options)
  }

  async *#forwards(
    actor: ActorAddress,
    options: CommitsOptions,
  ): AsyncGenerator<LogRecord> {
    const { records, subjects, heads } = this.#options
    const doing = this.#checkReading(actor, options)
    const { from = 1, to = Infinity, hint = 1, signal } = options
    if (to < from) return
    const subject = records.subjectOf(actor)
    const end = await subjects.endOf(subject, signal)
    // Each commit has at least one version, so there are at most `to` messages to read.
    for await (const page of subjects.pagesOf(subject, hint, end, signal, to))
      for (const message of page) {
        throwIfAborted(signal, doing)
        const record = records.decode(message)
        const last = lastVersionOf(record)
        if (last !== undefined) heads.advance(actor, last, record.position) // STORE-JS-14
        if (last === undefined || last >= from) yield record
        if (last !== undefined && last >= to) return
      }
  }

  async *#backwards(
    actor: ActorAddress,
    options: CommitsOptions,
  ): AsyncGenerator<LogRecord> {
    const { records, subjects } = this.#options
    const doing = this.#checkReading(actor, options)
    const { from = 1, signal } = options
    for await (const message of subjects.backwards(records.subjectOf(actor), signal)) {
      throwIfAborted(signal, doing)
      const record = records.decode(message)
      const last = lastVersionOf(record)
      if (last !== undefined && last < from) return
      yield record
    }
  }

  /** The records after a position, up to the last one when the reading begins. */
  async *range(options: ReadAllOptions): AsyncGenerator<LogRecord> {
    const { assertOpen, connection, stream, records, subjects } = this.#options
    assertOpen()
    checkLogOptions(options)
    const { after = 0, types, limit = Infinity, signal } = options
    let left = limit
    if (left === 0) return
    const end = await this.lastPosition(signal)
    const filter = records.filterOf(types)
    const scan = (next: Position) =>
      scanPages(connection, stream().name, filter, next, { end, limit, signal })
    const pages = subjects.pagesTo(scan, filter ?? '>', after + 1, end, signal)
    for await (const page of pages)
      for (const message of page) {
        throwIfAborted(signal, 'reading the log')
        if (message.position > end) return
        const actor = records.actorOf(message.subject)
        if (!isOfTypes(actor, types)) continue
        yield records.decode(message, actor)
        if (--left === 0) return
      }
  }

  /** The records after a position, as far as a replica has them; returns the last position read. Ends early if the signal fires. */
  async *scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
    limit?: number,
  ): AsyncGenerator<LogRecord, Position> {
    const { connection, stream, records } = this.#options
    let position = after
    const pages = scanPages(
      connection,
      stream().name,
      records.filterOf(types),
      after + 1,
      { signal, ...(limit !== undefined && { limit }) },
    )
    for await (const page of pages)
      for (const message of page) {
        position = message.position
        const actor = records.actorOf(message.subject)
        if (isOfTypes(actor, types)) yield records.decode(message, actor)
        if (signal.aborted) return position
      }
    return position
  }

  async *actors(
    type: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ActorAddress> {
    const { assertOpen, connection, stream, records } = this.#options
    assertOpen()
    if (type !== undefined) checkActorType(type)
    const { name, namespace } = stream()
    const filter =
      type === undefined ? logSubjects(namespace) : logSubjectsOfType(namespace, type)
    for await (const subject of listSubjects(connection, name, filter, signal)) {
      const actor = records.actorOf(subject)
      if (actor !== undefined) yield actor
    }
  }

  /** Checks the input of reading an actor; returns what is done, for errors. */
  #checkReading(actor: ActorAddress, options: CommitsOptions): string {
    this.#options.assertOpen()
    checkCommitsOptions(options)
    const doing = `reading ${formatAddress(checkAddress(actor))}`
    throwIfAborted(options.signal, doing)
    return doing
  }
}
