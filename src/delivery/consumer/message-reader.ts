// Reads the sources of a consumer: new messages, and messages that were given out before.

import type { WriteLog } from '../../model/log.js'
import type { Position } from '../../model/version.js'
import type { MessageBatch } from '../messages/message-batch.js'
import type {
  RecordSource,
  SourceRecord,
  UnreadableRecord,
} from '../source/record-source.js'
import type {
  ConsumerPositions,
  ConsumerSource,
  ConsumerState,
  OutstandingMessage,
} from './consumer-state.js'
import type { ConsumerDefinition } from './define-consumer.js'

export interface MessageSource extends Pick<
  RecordSource<MessageBatch | UnreadableRecord>,
  'follow' | 'readKey'
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
    { definition, positions: before }: ConsumerState,
    limit: number,
    signal: AbortSignal,
  ): Promise<FoundMessages> {
    const outstanding: OutstandingMessage[] = []
    const batches = new Map<string, MessageBatch>()
    const positions = { ...before }
    const sources = this.#open(definition)
    for (const source of ['topics', 'log'] as const) {
      if (outstanding.length >= limit) break
      const records = sources[source].readAvailable(positions[source], signal)
      for await (const { position, key, value } of records) {
        if (value?.kind === 'unreadable') {
          const text = `Consumer ${definition.name} waits at a record that it cannot read`
          this.#log('warn', text, { position, reason: value.reason })
          break
        }
        positions[source] = position
        if (value === undefined) continue
        const { redrives } = value
        const message = { source, position, key, redrives, ...notLeased }
        for (const index of value.messages.keys()) outstanding.push({ ...message, index })
        batches.set(batchKeyOf(message), value)
        if (outstanding.length >= limit) break
      }
    }
    return { outstanding, positions, batches }
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
