// The event catalogue: which events are in the log, how many, in which versions, from where to where, and who has written them.
//
// CATALOGUE-1. It includes each event of the log up to `position`, once. Kept and read again, it goes on after that position.
// CATALOGUE-2. Its size depends on the number of event types, not on that of events: of the writers of an event the latest
//     `producersMax` are named, and the shape of its data is bounded (SHAPE-1).

import { versionWrittenBy } from '../../actor/version-guard.js'
import type { LogRecord, StoredCommit } from '../../model/commit.js'
import type { RecordedEvent } from '../../model/event.js'
import type { Position } from '../../model/version.js'
import { addSample, newShape, type SampledShape } from './shape.js'

/** CATALOGUE-2. */
const producersMax = 20
/** Events of a type and version whose data are all looked at; of later ones, one in `sampleEvery`. */
const samplesMax = 1_000
const sampleEvery = 16

export interface Seen {
  readonly position: Position
  /** ms since 1970, by the writer's clock. */
  readonly at: number
}

export interface EventVersion {
  count: number
  readonly first: Seen
  last: Seen
  /** Events whose data was looked at. */
  samples: number
  readonly shape: SampledShape
}

export interface Producer {
  readonly node: string
  /** The version of the definition. */
  readonly behavior: number
  count: number
  last: Seen
}

export interface CatalogueEntry {
  readonly actorType: string
  readonly event: string
  count: number
  readonly first: Seen
  last: Seen
  /** By schema version. */
  readonly versions: Record<string, EventVersion>
  /** The latest last. */
  producers: Producer[]
  /** Events of writers that are not named. */
  otherProducers: number
}

export interface KeptCatalogue {
  readonly position: Position
  /** The commit at that position, by which a log that was made again is told. */
  readonly commitId: string
  readonly unreadable: number
  readonly entries: readonly CatalogueEntry[]
}

export class Catalogue {
  readonly #entries = new Map<string, CatalogueEntry>()
  #position: Position
  #commitId: string
  #unreadable: number

  constructor(kept?: KeptCatalogue) {
    this.#position = kept?.position ?? 0
    this.#commitId = kept?.commitId ?? ''
    this.#unreadable = kept?.unreadable ?? 0
    for (const entry of kept?.entries ?? [])
      this.#entries.set(`${entry.actorType}/${entry.event}`, entry)
  }

  /** CATALOGUE-1. */
  get position(): Position {
    return this.#position
  }

  /** Records that are no commits that can be read. */
  get unreadable(): number {
    return this.#unreadable
  }

  /** By actor type and event. */
  get entries(): readonly CatalogueEntry[] {
    const names = [...this.#entries.keys()].toSorted()
    return names.map(name => this.#entries.get(name)!)
  }

  add(record: LogRecord): void {
    this.#position = record.position
    this.#commitId = record.kind === 'commit' ? record.id : ''
    if (record.kind === 'malformed') return void this.#unreadable++
    for (const event of record.events) this.#event(record, event)
  }

  toKept(): KeptCatalogue {
    return {
      position: this.#position,
      commitId: this.#commitId,
      unreadable: this.#unreadable,
      entries: [...this.#entries.values()],
    }
  }

  #event(commit: StoredCommit, event: RecordedEvent): void {
    const { actor, position, at, nodeId } = commit
    const { type, schemaVersion = 1, data } = event
    const seen: Seen = { position, at }
    const name = `${actor.type}/${type}`
    let entry = this.#entries.get(name)
    if (entry === undefined) {
      entry = {
        actorType: actor.type,
        event: type,
        count: 0,
        first: seen,
        last: seen,
        versions: {},
        producers: [],
        otherProducers: 0,
      }
      this.#entries.set(name, entry)
    }
    entry.count++
    entry.last = seen
    const version = (entry.versions[schemaVersion] ??= {
      count: 0,
      first: seen,
      last: seen,
      samples: 0,
      shape: newShape(),
    })
    version.count++
    version.last = seen
    if (version.count <= samplesMax || version.count % sampleEvery === 0) {
      version.samples++
      addSample(version.shape, data)
    }
    produced(entry, nodeId, versionWrittenBy(commit), seen)
  }
}

/** CATALOGUE-2. */
function produced(
  entry: CatalogueEntry,
  node: string,
  behavior: number,
  last: Seen,
): void {
  const { producers } = entry
  const index = producers.findLastIndex(
    known => known.node === node && known.behavior === behavior,
  )
  const known = index < 0 ? { node, behavior, count: 0, last } : producers[index]!
  known.count++
  known.last = last
  if (index >= 0 && index === producers.length - 1) return
  if (index >= 0) producers.splice(index, 1)
  producers.push(known)
  if (producers.length > producersMax) entry.otherProducers += producers.shift()!.count
}
