// A route of the API: its row in the one table from which requests are served and the OpenAPI document is made.

import type { Node } from '../runtime/node.js'
import type { Version } from '../model/version.js'
import type { Condition, Conditions } from './conditions.js'
import type { Fields, ValuesOf } from './fields.js'
import type { Principal, Role } from './principal.js'
import type { Schema } from './schema.js'
import type { SseEvent } from './sse.js'

/** What a route gets beside its fields. */
export interface Call {
  readonly node: Node
  readonly principal: Principal
  /** Fires when the client has left, or the server drains: for reading. */
  readonly signal: AbortSignal
  /** Milliseconds that the request may take. */
  readonly timeout: number
  /** Ids of what the request causes. */
  readonly causes: CallCauses
  /** The id for a command or message: that of `Idempotency-Key`, scoped to the principal, or a new one. */
  readonly id: string
  /** `Last-Event-ID`, where the client continues a stream. */
  readonly lastEventId: string | undefined
  /** The version of the condition that the route obeys. */
  readonly conditions: Conditions
  /** Whether the client asks for CSV. */
  readonly wantsCsv: boolean
}

export interface CallCauses {
  readonly correlationId?: string
  readonly traceparent?: string
  readonly principal?: string
}

/** A stream of events, as the answer of a route. */
export class EventStream {
  readonly events: AsyncIterable<SseEvent>

  constructor(events: AsyncIterable<SseEvent>) {
    this.events = events
  }
}

/** A JSON value that is what an actor has at a version: answered with that version as ETag. */
export class Versioned {
  readonly version: Version
  readonly value: unknown

  constructor(version: Version, value: unknown) {
    this.version = version
    this.value = value
  }
}

/** Text of another type than JSON, in pieces. */
export class TextStream {
  readonly type: string
  readonly pieces: AsyncIterable<string>

  constructor(type: string, pieces: AsyncIterable<string>) {
    this.type = type
    this.pieces = pieces
  }
}

export interface RouteSpec<
  Path extends Fields,
  Query extends Fields,
  Body extends Fields,
> {
  readonly method: 'get' | 'post' | 'delete'
  /** As in OpenAPI: `/v1/actors/{type}/{id}/state`. */
  readonly path: string
  /** The operation's id. */
  readonly id: string
  readonly summary: string
  readonly tag: string
  readonly role: Role
  readonly params?: Path
  readonly query?: Query
  /** The fields of a JSON object. */
  readonly body?: Body
  /** The body is any JSON value, or empty: what it is. */
  readonly value?: string
  /** Whether `Idempotency-Key` has a meaning. */
  readonly isIdempotent?: boolean
  /** The conditional header that it obeys; the others are refused. Its answers are {@link Versioned}. Default: none. */
  readonly condition?: Condition
  readonly answer: {
    readonly description: string
    readonly schema?: Schema
    /** Default: `application/json`. */
    readonly types?: readonly string[]
  }
  /** Statuses of problems beside those that every route has: what each means here. */
  readonly problems?: Readonly<Record<number, string>>
  /** Returns a value that is answered as JSON, or a promise of it; a {@link Versioned} one; or a stream. */
  handle(
    input: {
      readonly params: ValuesOf<Path>
      readonly query: ValuesOf<Query>
      readonly body: ValuesOf<Body>
      readonly value: unknown
    },
    call: Call,
  ): unknown
}

type NoFields = Readonly<Record<string, never>>

export type Route = RouteSpec<Fields, Fields, Fields>

/** A route with the types of its fields. */
export function route<
  Path extends Fields = NoFields,
  Query extends Fields = NoFields,
  Body extends Fields = NoFields,
>(spec: RouteSpec<Path, Query, Body>): Route {
  return spec
}
