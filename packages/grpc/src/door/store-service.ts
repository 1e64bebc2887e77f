// The event store, over the door.

import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import type { Node } from 'cairn-es'
import { type EventStored, formatAddress } from 'cairn-es'
import type { AppendResult, VersionConflict } from 'cairn-es/store'

import {
  countOf,
  defined,
  fromActor,
  fromCauses,
  fromExpected,
  fromExtras,
  fromNewEvent,
  toActor,
  toEvent,
  toEventStored,
  toExpected,
  toMalformed,
  toRecord,
} from '../codec/records.js'
import * as pb from '../gen/cairn/v1/store_pb.js'
import { boundsOf } from './calls.js'
import { principalOf } from './login.js'

/** Notices that wait for a caller that reads slowly; then it is told that it has missed some. */
const noticesMax = 10_000

export function storeService({
  store,
  subscribeToEventStored,
}: Node): ServiceImpl<typeof pb.StoreService> {
  return {
    async append({ actor, events, expected, causes, extras }, context) {
      const result = await store.append(fromActor(actor), events.map(fromNewEvent), {
        expected: fromExpected(expected),
        ...fromCauses(causes),
        ...principalOf(context),
        ...fromExtras(extras),
        ...boundsOf(context),
      })
      return { result: toResult(result) }
    },

    async appendAll({ parts, guards, causes, transactionId, atMs }, context) {
      const result = await store.appendAll(
        parts.map(({ actor, events, expected, extras }) => {
          const { at: _, commands: __, ...rest } = fromExtras(extras)
          return {
            actor: fromActor(actor),
            events: events.map(fromNewEvent),
            expected: fromExpected(expected),
            ...rest,
          }
        }),
        {
          guards: guards.map(({ actor, version }) => ({
            actor: fromActor(actor),
            version: countOf(version),
          })),
          ...fromCauses(causes),
          ...principalOf(context),
          ...defined({
            transactionId,
            at: atMs === undefined ? undefined : Number(atMs),
          }),
          ...boundsOf(context),
        },
      )
      return result.ok
        ? {
            transactionId: result.transactionId,
            appended: result.appended.map(toAppended),
            conflicts: [],
          }
        : { transactionId: '', appended: [], conflicts: result.conflicts.map(toConflict) }
    },

    async head({ actor }, { signal }) {
      const { version, position, last } = await store.head(fromActor(actor), { signal })
      return {
        version: BigInt(version),
        position: BigInt(position),
        ...defined({ last: last && toRecord(last) }),
      }
    },

    async *read({ actor, from, to, backwards, limit }, { signal }) {
      const options = {
        backwards,
        signal,
        ...defined({ from: countIn(from), to: countIn(to), limit: countIn(limit) }),
      }
      for await (const item of store.read(fromActor(actor), options))
        yield create(pb.ReadResponseSchema, {
          item:
            item.kind === 'event'
              ? { case: 'event', value: toEvent(item) }
              : { case: 'malformed', value: toMalformed(item) },
        })
    },

    async *commits({ actor, from, to, hint, backwards }, { signal }) {
      const options = {
        backwards,
        signal,
        ...defined({ from: countIn(from), to: countIn(to), hint: countIn(hint) }),
      }
      for await (const record of store.commits(fromActor(actor), options))
        yield { record: toRecord(record) }
    },

    async *readAll({ after, types, limit }, { signal }) {
      const options = {
        after: countOf(after),
        signal,
        ...defined({ limit: countIn(limit) }),
      }
      const reading = store.readAll(types.length > 0 ? { ...options, types } : options)
      for await (const record of reading) yield { record: toRecord(record) }
    },

    async *follow({ after, types }, { signal }) {
      const options = { after: countOf(after), signal }
      // The call is accepted before there is a record: a client can wait for that.
      yield {}
      const following = store.follow(types.length > 0 ? { ...options, types } : options)
      for await (const record of following) yield { record: toRecord(record) }
    },

    async *listActors({ type }, { signal }) {
      for await (const actor of store.actors({ signal, ...defined({ type }) }))
        yield { actor: toActor(actor) }
    },

    async lastPosition(_, { signal }) {
      return { position: BigInt(await store.lastPosition({ signal })) }
    },

    async *watch({ types, actor }, { signal }) {
      const name = actor && formatAddress(fromActor(actor))
      const isWanted = (notice: EventStored) =>
        (types.length === 0 || types.includes(notice.actor.type)) &&
        (name === undefined || notice.actorId === name)
      const notices = new Notices()
      await subscribeToEventStored(
        notice => {
          if (isWanted(notice))
            notices.push({ case: 'eventStored', value: toEventStored(notice) })
        },
        {
          signal,
          onInterrupted: reason => notices.push({ case: 'interrupted', value: reason }),
        },
      )
      const end = () => notices.end()
      signal.addEventListener('abort', end, { once: true })
      if (signal.aborted) end()
      yield {}
      for await (const notice of notices.read()) yield { notice }
    },
  }
}

type Notice = pb.WatchResponse['notice']

/** Notices on their way to one caller. */
class Notices {
  #waiting: Notice[] = []
  #wake: () => void = () => {}
  #hasEnded = false

  push(notice: Notice): void {
    if (this.#waiting.length >= noticesMax)
      this.#waiting = [{ case: 'interrupted', value: 'slow' }]
    this.#waiting.push(notice)
    this.#wake()
  }

  end(): void {
    this.#hasEnded = true
    this.#wake()
  }

  async *read(): AsyncGenerator<Notice> {
    while (!this.#hasEnded) {
      const notices = this.#waiting
      this.#waiting = []
      yield* notices
      if (this.#waiting.length > 0) continue
      await new Promise<void>(resolve => {
        this.#wake = resolve
        if (this.#hasEnded || this.#waiting.length > 0) resolve()
      })
    }
  }
}

function countIn(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

function toResult(result: AppendResult): pb.AppendResponse['result'] {
  return result.ok
    ? { case: 'appended', value: toAppended(result) }
    : { case: 'conflict', value: toConflict(result) }
}

function toAppended(appended: Extract<AppendResult, { readonly ok: true }>): pb.Appended {
  const { actor, firstVersion, version, position, commitId } = appended
  return create(pb.AppendedSchema, {
    actor: toActor(actor),
    firstVersion: BigInt(firstVersion),
    version: BigInt(version),
    position: BigInt(position),
    commitId,
  })
}

function toConflict({ actor, expected, actual }: VersionConflict): pb.Conflict {
  return create(pb.ConflictSchema, {
    actor: toActor(actor),
    expected: toExpected(expected),
    actual: BigInt(actual),
  })
}
