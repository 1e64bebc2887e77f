// The records of a log stream: actors ⇄ subjects, stored messages → records.
//
// Owns the addresses of the subjects that were read last: a record's subject is read once per actor, not once per record.
// STORE-JS-17. A subject names an actor only with the partition that the actor is in: whatever else is on another subject is
//     no history of it.
// STORE-JS-10. At most `subjectsMax` subjects are remembered, of one number of partitions. Their addresses are frozen, as
//     many records share each.

import { versionsOf } from '../../codec/commit-headers.js'
import { decodeRecord } from '../../codec/envelope.js'
import { type ActorAddress, checkActorType } from '../../model/address.js'
import type { LogRecord } from '../../model/commit.js'
import { partitionOf } from '../../model/partition.js'
import type { Version } from '../../model/version.js'
import type { StoredMessage } from '../../nats/direct-get.js'
import type { LogStream } from '../../nats/log-stream.js'
import { logSubject, logSubjectsOfType, parseSubject } from '../../nats/subjects.js'

/** STORE-JS-10. */
const subjectsMax = 4_096

export class StreamRecords {
  readonly #stream: () => LogStream
  readonly #actors = new Map<string, ActorAddress | undefined>()
  #partitions = 0

  constructor(stream: () => LogStream) {
    this.#stream = stream
  }

  subjectOf(actor: ActorAddress): string {
    const { namespace, partitions } = this.#stream()
    return logSubject(namespace, actor, partitions)
  }

  /** The subject filter for one type; `undefined` otherwise: the server reads faster without a filter. */
  filterOf(types: readonly string[] | undefined): string | undefined {
    return types?.length === 1
      ? logSubjectsOfType(this.#stream().namespace, checkActorType(types[0]))
      : undefined
  }

  /** The actor whose records belong on this subject (STORE-JS-17). */
  actorOf(subject: string): ActorAddress | undefined {
    const { partitions } = this.#stream()
    const isFull = this.#actors.size >= subjectsMax
    if (isFull || partitions !== this.#partitions) this.#actors.clear()
    this.#partitions = partitions
    const known = this.#actors.get(subject)
    if (known !== undefined || this.#actors.has(subject)) return known
    const parsed = parseSubject(subject)
    const isOwn =
      parsed !== undefined &&
      parsed.partition === String(partitionOf(parsed.actor, partitions))
    const actor = isOwn ? Object.freeze(parsed.actor) : undefined
    this.#actors.set(subject, actor)
    return actor
  }

  decode(message: StoredMessage, actor = this.actorOf(message.subject)): LogRecord {
    const { subject, position, headers, body } = message
    return decodeRecord({
      position,
      source: subject,
      actor,
      body,
      header: name => headers.get(name),
      headers: () => Object.fromEntries(headers),
      headerLines: headers.lines,
    })
  }
}

/** The last version that a record has, readable or not; `undefined` for one that is no commit. */
export function lastVersionOf(record: LogRecord): Version | undefined {
  return record.kind === 'commit' ? record.lastVersion : record.versions?.last
}

/** The last version that a message has, by its headers. */
export function lastVersionIn({ headers }: StoredMessage): Version | undefined {
  return versionsOf(name => headers.get(name))?.last
}
