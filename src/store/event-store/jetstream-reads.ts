// Reads one subject of the log stream: the last message, pages of messages, messages backwards.
//
// STORE-JS-4. On a replicated stream a lagging replica may answer a direct get. Every read that decides
//     something (heads, conflicts, the end of a read) goes to the leader.

import type { Position } from '../../model/version.js'
import { expectedOnHeader } from '../../nats/batch.js'
import type { Connection } from '../../nats/connection.js'
import {
  directAt,
  directLast,
  type GetOptions,
  leaderGet,
  type StoredMessage,
} from '../../nats/direct-get.js'
import { directSome } from '../../nats/direct-scan.js'
import type { LogStream } from '../../nats/log-stream.js'
import { expectedHeader } from '../../nats/publish.js'
import { scanPages } from '../../nats/scan-pages.js'
import { BackwardScan } from './backward-scan.js'
import { lastVersionIn } from './jetstream-records.js'

export class SubjectReader {
  readonly #connection: Connection
  readonly #stream: () => LogStream

  constructor(connection: Connection, stream: () => LogStream) {
    this.#connection = connection
    this.#stream = stream
  }

  /** STORE-JS-4: the last message of a subject, from a server that cannot lag. */
  last(subject: string, options: GetOptions): Promise<StoredMessage | undefined> {
    const { name, replicas } = this.#stream()
    return replicas > 1
      ? leaderGet(this.#connection, name, { last_by_subj: subject }, options)
      : directLast(this.#connection, name, subject, options)
  }

  /** The position that a read must reach on a replicated stream; 0 without replicas: nothing lags. */
  async endOf(subject: string, signal: AbortSignal | undefined): Promise<Position> {
    if (this.#stream().replicas === 1) return 0
    return (await this.last(subject, { signal }))?.position ?? 0
  }

  /** An actor's messages from position `from` on, of which about `most` are wanted. */
  pagesOf(
    subject: string,
    from: Position,
    end: Position,
    signal: AbortSignal | undefined,
    most = Infinity,
  ): AsyncGenerator<readonly StoredMessage[]> {
    const scan = (next: Position) =>
      scanPages(this.#connection, this.#stream().name, subject, next, {
        signal,
        limit: most,
      })
    return this.pagesTo(scan, subject, from, end, signal)
  }

  /** The pages of a scan from `from` on, and the rest up to `end` also if replicas lag (STORE-JS-4). */
  async *pagesTo(
    scan: (from: Position) => AsyncIterable<readonly StoredMessage[]>,
    filter: string,
    from: Position,
    end: Position,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly StoredMessage[]> {
    let next = Math.max(1, from)
    for (;;) {
      for await (const page of scan(next)) {
        next = page.at(-1)!.position + 1
        yield page
      }
      if (next > end || this.#stream().replicas === 1) return
      const query = { seq: next, next_by_subj: filter }
      const { name } = this.#stream()
      const missing = await leaderGet(this.#connection, name, query, { signal })
      if (missing === undefined || missing.position > end) return
      next = missing.position + 1
      yield [missing]
    }
  }

  /**
   * An actor's messages, newest first. Each commit's expectation is the position of the one
   * before it, so each step is at most one direct get, whatever the length of the history.
   */
  async *backwards(
    subject: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoredMessage> {
    let message = await this.last(subject, { signal })
    const scan = new BackwardScan<StoredMessage>(message?.position ?? 0, {
      readOne: position => this.#readAt(position, signal),
      readSome: (from, count) =>
        directSome(this.#connection, this.#stream().name, subject, from, count, signal),
    })
    while (message !== undefined) {
      yield message
      const previous: Position | undefined = await this.#previousOf(
        subject,
        message,
        signal,
      )
      message = previous === undefined ? undefined : await scan.at(previous)
    }
  }

  async #previousOf(
    subject: string,
    message: StoredMessage,
    signal: AbortSignal | undefined,
  ): Promise<Position | undefined> {
    const isGuardRecord = message.headers.has(expectedOnHeader) // STORE-JS-6
    const expected = isGuardRecord ? undefined : message.headers.get(expectedHeader)
    if (expected === '0') return undefined
    const position = Number(expected)
    if (Number.isSafeInteger(position) && position > 0 && position < message.position)
      return position
    // Not written by a compare-and-append: only a search finds the message before it.
    let previous: Position | undefined
    for await (const page of this.pagesOf(subject, 1, message.position, signal))
      for (const { position: at } of page) {
        if (at >= message.position) return previous
        previous = at
      }
    return previous
  }

  async #readAt(
    position: Position,
    signal: AbortSignal | undefined,
  ): Promise<StoredMessage | undefined> {
    const stream = this.#stream().name
    return (
      (await directAt(this.#connection, stream, position, signal)) ??
      (await leaderGet(this.#connection, stream, { seq: position }, { signal }))
    )
  }

  /** The version of an actor whose last message is not a commit: that of its last commit. */
  async versionBefore(
    subject: string,
    last: StoredMessage,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    let version = 0
    for await (const page of this.pagesOf(subject, 1, last.position, signal))
      for (const message of page) {
        if (message.position > last.position) return version
        version = lastVersionIn(message) ?? version
      }
    return version
  }
}
