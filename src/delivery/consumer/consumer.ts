// A consumer at work in one process: takes messages out, and settles them.
//
// Every process that consumes under a name changes one document, by compare-and-set: what one has
// taken, another does not get.
// U1. A message is given out only once it is written down that it is (consumer-state.ts, C2).
// U2. A message leaves the document when it is settled. Settling resolves when that is stored; where
//     an attempt is unclear, it is made sure of.
// U3. What is given out for the last time and not settled becomes a dead letter: it is stored as
//     one before it leaves the document.
// U4. No more than `heldMax` messages are out at a time; new ones wait then.

import type { Documents } from '../../store/documents/documents.js'
import type { Clock } from '../../model/clock.js'
import { CairnError, isCairnError } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import { show } from '../../model/show.js'
import type { Position } from '../../model/version.js'
import { abortedError, pause, throwIfAborted } from '../../model/wait.js'
import { encodeHeader } from '../../codec/headers.js'
import { formatAddress } from '../../model/address.js'
import { storeDeadLetter } from '../dead-letters/dead-letters.js'
import type { Delivery } from '../group/delivery.js'
import type { Message } from '../messages/message.js'
import type { GroupSource, SourceRecord, Unreadable } from '../group/source.js'
import type { Queue } from '../../store/queue/queue.js'
import {
  type ConsumerSource,
  type ConsumerState,
  decodeState,
  encodeState,
  type OutstandingMessage,
  outstandingOf,
  isOutstanding,
  isSame,
  lease,
  newState,
  tokenOf,
} from './consumer-state.js'
import { type StateChange, StateWriter } from './state-writer.js'
import type { ConsumerDefinition } from './define-consumer.js'

/** A message as integration code gets it. */
export interface ConsumedMessage {
  /** The topic. */
  readonly subject: string
  readonly payload: unknown
  /**
   * `Cairn-Message` (its id), `Cairn-Schema`, `Cairn-Attempt` (from 1), `Cairn-Node`, and where
   * known `Cairn-Actor`, `Cairn-Correlation`, `Cairn-Causation` and `traceparent`; other than ASCII
   * is percent-encoded.
   */
  readonly headers: Readonly<Record<string, string>>
  /** Its position: in the log for an actor's message, among the topics' for another. */
  readonly sequence: Position
  /** RFC 3339, UTC. */
  readonly publishedAt: string
  /** What it is settled by, in any process. */
  readonly ackToken: string
}

export interface ConsumeOptions {
  /** Messages at most: 1 to 1,000. Less is taken as 1, more as 1,000. Default 1. */
  readonly batch?: number
  /** Milliseconds to wait for the first one. Default 5,000. */
  readonly maxWait?: number
  readonly signal?: AbortSignal
}

/** Where a consumer stands. */
export interface ConsumerStatus {
  readonly name: string
  readonly topics: readonly string[]
  readonly ackWait: number
  readonly attempts: number
  /** Messages that are given out and not settled. */
  readonly pending: number
  /** Messages that wait to be given out again. */
  readonly waiting: number
  /** Everything up to here has been given out: of the log, and of what plain code published. */
  readonly places: { readonly log: Position; readonly topics: Position }
}

/** A consumer of a node. */
export interface Consumer {
  readonly name: string
  /**
   * Takes messages out: those whose time is over first, then new ones; an empty list when none has
   * come within `maxWait`. Each is another's, or comes again, unless it is settled in time. Throws
   * `aborted`, `unknown-consumer` or `store-unreachable`.
   */
  consume(options?: ConsumeOptions): Promise<readonly ConsumedMessage[]>
  /** It is handled. Like the others, resolves when that is stored; throws `invalid-token`. */
  ack(token: string): Promise<void>
  /**
   * It is given out again, `delay` ms later; after its last attempt it becomes a dead letter, with
   * the error.
   */
  nak(token: string, delay?: number, error?: unknown): Promise<void>
  /** It is given out again at once, and this attempt does not count: for a process that stops. */
  release(token: string): Promise<void>
  /** It becomes a dead letter at once, with the reason or the error. */
  term(token: string, reason?: unknown): Promise<void>
  /** It is not given to others for so long from now on. Default: `ackWait`. */
  extend(token: string, ms?: number): Promise<void>
  status(): Promise<ConsumerStatus>
}

export interface DeliverySource extends Pick<
  GroupSource<Delivery | Unreadable>,
  'follow' | 'ofKey'
> {
  /** What there is behind a position at the time of the call. */
  now(
    after: Position,
    signal: AbortSignal,
  ): AsyncIterable<SourceRecord<Delivery | Unreadable>>
}

export interface ConsumerPorts {
  readonly documents: Documents
  readonly queues: { readonly dead: Queue; readonly topic: Queue }
  readonly clock: Clock
  readonly sourcesOf: (
    definition: ConsumerDefinition,
  ) => Readonly<Record<ConsumerSource, DeliverySource>>
  readonly log: WriteLog
  /** Fires when the node closes. */
  readonly closing: AbortSignal
}

const batchMax = 1_000
const maxWaitDefault = 5_000
const outstandingMax = 1_000
const attemptsMax = 1_000
/** Milliseconds after which the document is looked at for what others have given back. */
const lookEvery = 500
/** Positions without a message for the consumer that are worth a write. */
const quietStride = 1_000
const notDelivered = { attempts: 0, firstAt: 0, until: 0, nonce: '' }

/** By what its dead letters are found, and sent to it again. */
export function deadName(consumer: string): string {
  return `consumer:${consumer}`
}

/** What was found in the sources, and how far they were looked at. */
interface Found {
  readonly held: readonly OutstandingMessage[]
  readonly places: Readonly<Record<ConsumerSource, Position>>
  readonly deliveries: ReadonlyMap<string, Delivery>
}

/** A consumer by its definition, or by the name of one that was declared before. */
export function consumerOf(
  declared: ConsumerDefinition | string,
  ports: ConsumerPorts,
): Consumer {
  const { documents, queues, clock, closing, log } = ports
  const name = typeof declared === 'string' ? declared : declared.name
  const key = ['consumer', name]
  let sources: ReturnType<ConsumerPorts['sourcesOf']> | undefined
  let isDeclared = false

  async function read(): Promise<{ state: ConsumerState; revision: number }> {
    const found = isName(name) ? await documents.get(key) : undefined
    if (found === undefined && typeof declared === 'string') throw unknownConsumer(name)
    const revision = found?.revision ?? 0
    const stored = found && decodeState(found.value, name)
    if (typeof declared === 'string') return { state: stored!, revision }
    if (stored === undefined) return { state: newState(declared), revision }
    if (stored.definition.topics.join() !== declared.topics.join())
      throw otherTopics(declared, stored.definition)
    return { state: { ...stored, definition: declared }, revision }
  }

  /** Changes the document, whoever else does. A change to `undefined` writes nothing. */
  const change = (to: StateChange) => changes.add(to)
  const changes = new StateWriter(async (apply: StateChange) => {
    let unclear = false
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { state, revision } = await read()
      const next = await apply(state, unclear)
      if (next === undefined) return
      try {
        const put = await documents.put(key, encodeState(next), revision)
        if (put !== 'conflict') return
      } catch (error) {
        if (!isCairnError(error, 'outcome-unknown')) throw error
        unclear = true
      }
      await pause(Math.random() * Math.min(50, attempt), closing)
      if (closing.aborted) throw closed(name)
    }
    throw new CairnError(
      'contention',
      `Consumer ${name} could not be written: others were faster ${attemptsMax} times in a row. Try again.`,
    )
  })

  /** Its state is stored before anything else, so that others find it by its name. */
  async function declare(): Promise<ConsumerState> {
    const { state, revision } = await read()
    if (isDeclared || typeof declared === 'string') return state
    if (revision === 0) await change(now => now)
    isDeclared = true
    return state
  }

  const sourcesFor = ({ definition }: ConsumerState) =>
    (sources ??= ports.sourcesOf(definition))

  /** The message of a delivery that was given out before; `undefined` when it is gone. */
  async function find(
    state: ConsumerState,
    held: OutstandingMessage,
    signal: AbortSignal,
  ) {
    const { source, position, key: of } = held
    for await (const { value } of sourcesFor(state)[source].ofKey(
      of,
      position,
      position,
      signal,
    ))
      if (value?.kind === 'delivery') return value
    return undefined
  }

  /** Messages that come again (U1). */
  async function again(
    batch: number,
    signal: AbortSignal,
  ): Promise<readonly ConsumedMessage[]> {
    const { state } = await read()
    const now = clock.now()
    if (!state.outstanding.some(({ until }) => until <= now)) return []
    const taken: OutstandingMessage[] = []
    const deliveries = new Map<string, Delivery>()
    await change(async current => {
      taken.length = 0
      deliveries.clear()
      const { ackWait, attempts } = current.definition
      const left: OutstandingMessage[] = []
      for (const one of current.outstanding) {
        if (one.until > now || taken.length >= batch) {
          left.push(one)
          continue
        }
        const delivery = await find(current, one, signal)
        if (delivery?.messages[one.index] === undefined) {
          log('warn', `A message of consumer ${name} is gone from its place`, one)
          continue
        }
        if (one.attempts >= attempts) {
          const { firstAt } = one
          const error = new Error(`not settled within ${ackWait} ms`)
          await buryOne(current, one, delivery, firstAt, error, 'max-attempts-exhausted')
          continue
        }
        const leased = lease(one, now, ackWait)
        taken.push(leased)
        left.push(leased)
        deliveries.set(placeOf(one), delivery)
      }
      return { ...current, outstanding: left }
    })
    return taken.map(one => consumed(name, one, deliveries))
  }

  /** U3. */
  async function buryOne(
    { definition }: ConsumerState,
    held: OutstandingMessage,
    { messages, source, redrives }: Delivery,
    firstAt: number,
    error: unknown,
    reason: string,
  ): Promise<void> {
    const message = messages[held.index]!
    const { attempts } = held
    const letter = { message, source, error, reason, attempts, firstAt, redrives }
    await storeDeadLetter(queues, deadName(definition.name), letter, clock, closing)
    await removeRedriven(held)
  }

  /** What was sent again is for this consumer alone: it is kept no longer than it waits. */
  async function removeRedriven({
    redrives,
    position,
  }: OutstandingMessage): Promise<void> {
    if (redrives > 0) await queues.topic.remove([position])
  }

  /** The new messages that are there now, as many as are wanted. */
  async function look(
    state: ConsumerState,
    batch: number,
    signal: AbortSignal,
  ): Promise<Found> {
    const held: OutstandingMessage[] = []
    const deliveries = new Map<string, Delivery>()
    const places = { ...state.places }
    for (const source of ['topics', 'log'] as const) {
      const { now } = sourcesFor(state)[source]
      if (held.length >= batch) break
      for await (const record of now(places[source], signal)) {
        const { position, key: of, value } = record
        if (value?.kind === 'unreadable') {
          log('warn', `Consumer ${name} waits at a record that it cannot read`, {
            position,
            reason: value.reason,
          })
          break
        }
        places[source] = position
        if (value === undefined) continue
        const { redrives } = value
        const fresh = { source, position, key: of, redrives, ...notDelivered }
        for (const index of value.messages.keys()) held.push({ ...fresh, index })
        deliveries.set(placeOf({ source, position }), value)
        if (held.length >= batch) break
      }
    }
    return { held, places, deliveries }
  }

  /** Resolves when there may be something new behind the places, after `ms`, or with the signal. */
  async function news(
    state: ConsumerState,
    places: Found['places'],
    ms: number,
    signal: AbortSignal,
  ): Promise<void> {
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    const listen = async (source: ConsumerSource) => {
      try {
        const { follow } = sourcesFor(state)[source]
        for await (const { value } of follow(places[source], either))
          if (value?.kind === 'delivery' || either.aborted) break
      } catch (error) {
        if (!either.aborted) throw error
      }
      over.abort()
    }
    const timer = setTimeout(() => over.abort(), ms)
    try {
      await Promise.all([listen('topics'), listen('log')])
    } finally {
      clearTimeout(timer)
      over.abort()
    }
  }

  /** U1: takes what was found, unless somebody else has. */
  async function take(
    before: ConsumerState,
    { held, places, deliveries }: Found,
    batch: number,
  ): Promise<readonly ConsumedMessage[] | 'overtaken'> {
    const now = clock.now()
    const { ackWait } = before.definition
    // The rest of a commit waits for whoever comes next.
    const leased = held.map((one, i) => (i < batch ? lease(one, now, ackWait) : one))
    let isOvertaken = false
    await change(current => {
      isOvertaken =
        current.places.log !== before.places.log ||
        current.places.topics !== before.places.topics
      if (isOvertaken) return undefined
      return { ...current, places, outstanding: [...current.outstanding, ...leased] }
    })
    if (isOvertaken) return 'overtaken'
    return leased.slice(0, batch).map(one => consumed(name, one, deliveries))
  }

  async function settle(
    token: string,
    to: (
      state: ConsumerState,
      held: OutstandingMessage,
    ) => Promise<OutstandingMessage | undefined> | OutstandingMessage | undefined,
  ): Promise<void> {
    await change(async (state, isUnclear) => {
      // U2: an attempt before this one was stored after all.
      if (isUnclear && !isOutstanding(state, token)) return undefined
      const found = outstandingOf(state, token)
      const next = await to(state, found)
      const held = state.outstanding.flatMap(one => {
        if (!isSame(one, found)) return [one]
        return next === undefined ? [] : [next]
      })
      return { ...state, outstanding: held }
    })
  }

  /** As a dead letter. */
  async function dies(
    state: ConsumerState,
    held: OutstandingMessage,
    reason: string,
    error: unknown,
  ) {
    const delivery = await find(state, held, closing)
    if (delivery?.messages[held.index] !== undefined)
      await buryOne(state, held, delivery, held.firstAt, error, reason)
    return undefined
  }

  return {
    name,

    async consume({ batch = 1, maxWait = maxWaitDefault, signal } = {}) {
      const size = Math.min(batchMax, Math.max(1, Math.trunc(batch) || 1))
      if (!(maxWait >= 0))
        throw invalid(`maxWait is ${String(maxWait)}: use milliseconds from 0.`)
      const what = `consuming as ${name}`
      throwIfAborted(signal, what)
      if (closing.aborted) throw closed(name)
      const bounds = signal === undefined ? closing : AbortSignal.any([signal, closing])
      const deadline = performance.now() + maxWait
      for (;;) {
        const state = await declare()
        const back = await again(size, bounds)
        if (back.length > 0) return back
        const room = Math.min(size, outstandingMax - state.outstanding.length)
        let { places } = state
        if (room > 0) {
          const found = await look(state, room, bounds)
          places = found.places
          const isWorth = found.held.length > 0 || isFar(state.places, places)
          const taken = isWorth ? await take(state, found, room) : []
          if (taken === 'overtaken') continue
          if (taken.length > 0) return taken
        }
        const left = deadline - performance.now()
        if (left <= 0) return []
        const now = clock.now()
        const next = Math.min(
          ...state.outstanding.map(({ until }) => Math.max(1, until - now)),
        )
        const ms = Math.min(left, lookEvery, next)
        if (room > 0) await news(state, places, ms, bounds)
        else await pause(ms, bounds)
        if (signal?.aborted === true) throw abortedError(signal, what)
        if (closing.aborted) throw closed(name)
      }
    },

    async ack(token) {
      const acked: OutstandingMessage[] = []
      await settle(token, (_state, held) => {
        acked[0] = held
        return undefined
      })
      if (acked[0] !== undefined) await removeRedriven(acked[0])
    },

    async nak(token, delay = 0, error = new Error('given back after its last attempt')) {
      if (!(delay >= 0))
        throw invalid(`delay is ${String(delay)}: use milliseconds from 0.`)
      await settle(token, (state, held) =>
        held.attempts < state.definition.attempts
          ? { ...held, until: clock.now() + delay, nonce: '' }
          : dies(state, held, 'max-attempts-exhausted', error),
      )
    },

    release: token =>
      settle(token, (_state, held) => {
        const attempts = held.attempts - 1
        return { ...held, attempts, until: clock.now(), nonce: '' }
      }),

    term(token, reason = 'refused') {
      const error = typeof reason === 'string' ? new Error(reason) : reason
      return settle(token, (state, held) => dies(state, held, 'terminal', error))
    },

    async extend(token, ms) {
      if (ms !== undefined && !(ms > 0))
        throw invalid(`${String(ms)} is no time to extend by: use milliseconds above 0.`)
      await settle(token, ({ definition }, held) => ({
        ...held,
        until: clock.now() + (ms ?? definition.ackWait),
      }))
    },

    async status() {
      const { state } = await read()
      const { definition, outstanding, places } = state
      const pending = outstanding.filter(({ nonce }) => nonce !== '').length
      return { ...definition, pending, waiting: outstanding.length - pending, places }
    },
  }
}

/** Whether it is worth a write that others need not look at the same again. */
function isFar(before: Found['places'], now: Found['places']): boolean {
  return now.log - before.log + (now.topics - before.topics) >= quietStride
}

function placeOf({
  source,
  position,
}: Pick<OutstandingMessage, 'source' | 'position'>): string {
  return `${source}/${position}`
}

function consumed(
  name: string,
  held: OutstandingMessage,
  deliveries: ReadonlyMap<string, Delivery>,
): ConsumedMessage {
  const message = deliveries.get(placeOf(held))!.messages[held.index]!
  return {
    subject: message.topic,
    payload: message.data,
    headers: headersOf(message, held.attempts),
    sequence: message.position,
    publishedAt: new Date(message.at).toISOString(),
    ackToken: tokenOf(name, held),
  }
}

function headersOf(message: Message, attempt: number): Record<string, string> {
  const { id, version, nodeId, actor, correlationId, causationId, traceparent } = message
  const headers: Record<string, string | undefined> = {
    'Cairn-Message': id,
    'Cairn-Schema': String(version),
    'Cairn-Attempt': String(attempt),
    'Cairn-Node': nodeId,
    'Cairn-Actor': actor && formatAddress(actor),
    'Cairn-Correlation': correlationId,
    'Cairn-Causation': causationId,
    traceparent,
  }
  return Object.fromEntries(
    Object.entries(headers).flatMap(([header, value]) =>
      value === undefined ? [] : [[header, encodeHeader(value)]],
    ),
  )
}

function isName(name: unknown): boolean {
  return typeof name === 'string' && /^[A-Za-z0-9_-]{1,63}$/.test(name)
}

function unknownConsumer(name: string): CairnError {
  return new CairnError(
    'unknown-consumer',
    `No consumer ${show(name)} was declared in this namespace: pass its definition once, ` +
      'node.consumer(defineConsumer({ name, on: [topic] })), or correct the name.',
    { details: { consumer: name } },
  )
}

function otherTopics(
  { name, topics }: ConsumerDefinition,
  stored: ConsumerDefinition,
): CairnError {
  return new CairnError(
    'invalid-definition',
    `Consumer ${name} is declared with the topics ${stored.topics.join(', ')}, and now with ` +
      `${topics.join(', ')}: messages would be left out. Give the new one another name.`,
    { details: { consumer: name, stored: stored.topics, given: topics } },
  )
}

function closed(name: string): CairnError {
  return new CairnError(
    'node-closed',
    `This node is closing: consume as ${name} by another one.`,
  )
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
