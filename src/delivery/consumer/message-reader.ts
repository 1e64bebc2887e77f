// Reads the sources of a consumer: new messages, and messages that were given out before.

import type { WriteLog } from '../../model/log.js'
import type { Mark } from '../../model/mark.js'
import type { Position } from '../../model/version.js'
import type { MessageBatch } from '../messages/message-batch.js'
import { trustedUpTo, withMark } from '../source/marks.js'
import type {
  RecordSource,
  SourceRecord,
  UnreadableRecord,
} from '../source/record-source.js'
import type {
  ConsumerMarks,
  ConsumerPositions,
  ConsumerSource,
  ConsumerState,
  OutstandingMessage,
} from './consumer-state.js'
import type { ConsumerDefinition } from './define-consumer.js'

export interface MessageSource extends Pick<
  RecordSource<MessageBatch | UnreadableRecord>,
  'follow' | 'readKey' | 'lastPosition' | 'idAt'
> {
  /** The records after a position that exist at the time of the call. */
  readAvailable(
    after: Position,
    signal: AbortSignal,
  ): AsyncIterable<SourceRecord<MessageBatch | UnreadableRecord>>
}

export type MessageSources = Readonly<Record<ConsumerSource, MessageSource>>

/** New messages, and the positions up to which the sources were read for them. */
export interface FoundMessages {
  readonly outstanding: readonly OutstandingMessage[]
  readonly positions: ConsumerPositions
  readonly marks: ConsumerMarks
  /** By {@link batchKeyOf}. */
  readonly batches: ReadonlyMap<string, MessageBatch>
}

const notLeased = { attempts: 0, firstAt: 0, until: 0, nonce: '' }

export class MessageReader {
  readonly #sourcesOf: (definition: ConsumerDefinition) => MessageSources
  readonly #log: WriteLog
  #sources: MessageSources | undefined

  constructor(
    sourcesOf: (definition: ConsumerDefinition) => MessageSources,
    log: WriteLog,
  ) {
    this.#sourcesOf = sourcesOf
    this.#log = log
  }

  /** The batch of a message that was given out before; `undefined` when the source does not hold it any more. */
  async find(
    { definition }: ConsumerState,
    { source, position, key }: OutstandingMessage,
    signal: AbortSignal,
  ): Promise<MessageBatch | undefined> {
    const { [source]: from } = this.#open(definition)
    for await (const { value } of from.readKey(key, position, position, signal))
      if (value?.kind === 'messages') return value
    return undefined
  }

  /** The new messages that exist now, about `limit` of them: the messages of one record stay together. */
  async findNew(
    { definition, positions: before, marks: known }: ConsumerState,
    limit: number,
    signal: AbortSignal,
  ): Promise<FoundMessages> {
    const outstanding: OutstandingMessage[] = []
    const batches = new Map<string, MessageBatch>()
    const positions = { ...before }
    const marks = { ...known }
    const sources = this.#open(definition)
    for (const source of ['topics', 'log'] as const) {
      if (outstanding.length >= limit) break
      const records = sources[source].readAvailable(positions[source], signal)
      let mark: Mark | undefined
      for await (const { position, key, value, id } of records) {
        if (value?.kind === 'unreadable') {
          const text = `Consumer ${definition.name} waits at a record that it cannot read`
          this.#log('warn', text, { position, reason: value.reason })
          break
        }
        positions[source] = position
        if (id !== undefined) mark = { position, id }
        if (value === undefined) continue
        const { redrives } = value
        const message = { source, position, key, redrives, ...notLeased }
        for (const index of value.messages.keys()) outstanding.push({ ...message, index })
        batches.set(batchKeyOf(message), value)
        if (outstanding.length >= limit) break
      }
      if (mark !== undefined) marks[source] = withMark(marks[source], mark)
    }
    return { outstanding, positions, marks, batches }
  }

  /** The positions up to which the sources still are those that were read (MARKS-1). */
  async trustedPositions(
    { definition, positions, marks }: ConsumerState,
    signal: AbortSignal,
  ): Promise<ConsumerPositions> {
    const sources = this.#open(definition)
    const trusted = async (source: ConsumerSource) => {
      const { [source]: from } = sources
      const last = await from.lastPosition(signal)
      return trustedUpTo(positions[source], marks[source], from, last, signal)
    }
    const [log, topics] = await Promise.all([trusted('log'), trusted('topics')])
    return { log, topics }
  }

  /** Resolves when there may be a new message after the positions, after `ms`, or when the signal fires. */
  async waitForNew(
    { definition }: ConsumerState,
    positions: ConsumerPositions,
    ms: number,
    signal: AbortSignal,
  ): Promise<void> {
    const sources = this.#open(definition)
    const ending = new AbortController()
    const either = AbortSignal.any([signal, ending.signal])
    const follow = async (source: ConsumerSource) => {
      try {
        for await (const { value } of sources[source].follow(positions[source], either))
          if (value?.kind === 'messages' || either.aborted) break
      } catch (error) {
        if (!either.aborted) throw error
      }
      ending.abort()
    }
    const timer = setTimeout(() => ending.abort(), ms)
    try {
      await Promise.all([follow('topics'), follow('log')])
    } finally {
      clearTimeout(timer)
      ending.abort()
    }
  }

  #open(definition: ConsumerDefinition): MessageSources {
    return (this.#sources ??= this.#sourcesOf(definition))
  }
}

/** Identifies the batch of a message. */
export function batchKeyOf({
  source,
  position,
}: Pick<OutstandingMessage, 'source' | 'position'>): string {
  return `${source}/${position}`
}
