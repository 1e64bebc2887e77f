// What the door sends as JSON: times are text (ISO 8601), and what is undefined is null or absent. The routes' own code has
// these types, and the schemas of the document name the same properties.

import type { Position, Version } from '../model/version.js'

/** The answer of `POST …/ask/COMMAND`, with status 200. */
export interface AskAnswer<Reply = unknown> {
  readonly ok: true
  /** The actor's version after the command. */
  readonly version: Version
  readonly position: Position
  /** `null` without one. */
  readonly reply: Reply
  readonly duplicate: boolean
  readonly commandId: string
  readonly correlationId: string
  readonly outboxIds?: readonly string[]
}

/** The answer of `GET …/state`. */
export interface StateAnswer<State = unknown> {
  readonly version: Version
  /** Of the commit that was read; 0 for an actor without one. */
  readonly position: Position
  readonly state: State
}

/** The data of the event `state` of `GET …/watch`. */
export interface WatchEvent<State = unknown> extends StateAnswer<State> {
  /** What led to the state; `null` for the state that the stream begins with. */
  readonly event: EventAnswer | null
}

/** An event of an actor. */
export interface EventAnswer<Data = unknown> {
  /** `TYPE/ID/VERSION` */
  readonly id: string
  /** `TYPE/ID` */
  readonly actor: string
  readonly type: string
  readonly version: Version
  readonly position: Position
  readonly data: Data
  readonly metadata?: Readonly<Record<string, string>>
  /** The version of the shape of its data, if it is not 1. */
  readonly schemaVersion?: number
  /** Which piece of a stored event it is, if an upcast has split it: absent for the first. */
  readonly piece?: string
  /** When it was decided: `2026-01-31T12:00:00.000Z`. */
  readonly at: string
  readonly commitId: string
  readonly nodeId: string
  readonly commandId?: string
  readonly correlationId?: string
  readonly causationId?: string
  readonly principal?: string
}

/** A record of the log that is no readable commit. */
export interface MalformedAnswer {
  readonly malformed: true
  readonly position: Position
  /** The subject or key that it was found under. */
  readonly source: string
  readonly reason: string
  /** The versions that it takes, if only its body cannot be read. */
  readonly versions?: { readonly first: Version; readonly last: Version }
  /** The bytes of its body, as base64. */
  readonly raw: string
  readonly headers: Readonly<Record<string, string>>
}

/** The data of the event `event` of `GET /v1/events/stream`. */
export type TailEvent = EventAnswer | MalformedAnswer

/** A value that is written as JSON: bytes become text. */
export type BeforeJson<Answer> = Answer extends { readonly raw: string }
  ? Omit<Answer, 'raw'> & { readonly raw: Uint8Array }
  : Answer

/** The data of the event `error`, the last one of a stream that failed. */
export interface StreamError {
  readonly code: string
  readonly detail: string
}

/** The answer of `GET /v1/projections/NAME/rows/KEY`. */
export interface RowAnswer<Row = unknown> {
  readonly key: string
  readonly row: Row
}

/** The answer of `GET /v1/projections/NAME/rows`. */
export interface RowsAnswer<Row = unknown> {
  readonly rows: readonly RowAnswer<Row>[]
  readonly hasMore: boolean
}
