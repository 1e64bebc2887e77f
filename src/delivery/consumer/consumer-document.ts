// The document of a consumer: reads it and changes it by compare-and-set.
//
// Owns the last state that this process has read or written.
// CONSUMER-DOCUMENT-1. A damaged document counts as none, and is replaced by the next write. One of a newer build is left.
// CONSUMER-DOCUMENT-2. Without a document, the consumer goes on from the last state that this process knows: what is settled
//     in it is settled. A process that knows none starts where the consumer has begun (START-PLACE-2).

import { CairnError, isCairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { pause } from '../../model/wait.js'
import type { Document, Documents } from '../../store/documents/documents.js'
import { ChangeBatcher, type StateChange } from './change-batcher.js'
import {
  type ConsumerState,
  decodeConsumerState,
  encodeConsumerState,
  initialConsumerState,
  isDamagedState,
} from './consumer-state.js'
import type { StartPlaces } from '../source/start-place.js'
import { type ConsumerDefinition, isConsumerName } from './define-consumer.js'

const attemptsMax = 1_000

/** The key of a consumer's document. */
export function consumerKey(name: string): string[] {
  return ['consumer', name]
}

/** A consumer of other topics would leave out messages of the topics that are not read any more. */
export function hasSameTopics(
  one: ConsumerDefinition,
  other: ConsumerDefinition,
): boolean {
  return one.topics.join() === other.topics.join()
}

/** Where a consumer begins. */
export type StartOf = (
  definition: ConsumerDefinition,
  signal: AbortSignal,
) => Promise<StartPlaces>

interface ReadState {
  readonly state: ConsumerState
  readonly revision: number
  /** The state is that of the document. */
  readonly isStored: boolean
}

export class ConsumerDocument {
  readonly #documents: Documents
  readonly #declared: ConsumerDefinition | string
  readonly #closing: AbortSignal
  readonly #onDamaged: (error: unknown) => void
  readonly #startOf: StartOf
  #last: ConsumerState | undefined
  readonly #changes = new ChangeBatcher(change => this.#write(change))
  #isDeclared = false

  /**
   * @param declared the definition, or the name of a consumer that was declared before
   * @param onDamaged called each time that the document is found damaged
   * @param startOf where the consumer begins if it has no document
   */
  constructor(
    documents: Documents,
    declared: ConsumerDefinition | string,
    closing: AbortSignal,
    onDamaged: (error: unknown) => void,
    startOf: StartOf,
  ) {
    this.#documents = documents
    this.#declared = declared
    this.#closing = closing
    this.#onDamaged = onDamaged
    this.#startOf = startOf
  }

  get name(): string {
    return typeof this.#declared === 'string' ? this.#declared : this.#declared.name
  }

  /** The state; throws `unknown-consumer`, or `invalid-definition` when its topics differ. */
  async read(): Promise<ConsumerState> {
    return (await this.#readRevision()).state
  }

  /** The state, stored if it was not before: other processes find the consumer by its name then. */
  async declare(): Promise<ConsumerState> {
    const { state, isStored } = await this.#readRevision()
    if (this.#isDeclared || typeof this.#declared === 'string') return state
    if (!isStored) await this.change(current => current)
    this.#isDeclared = true
    return state
  }

  /** Resolves when the change is stored, or when it resolved to `undefined`. */
  change(change: StateChange): Promise<void> {
    return this.#changes.add(change)
  }

  async #readRevision(): Promise<ReadState> {
    const { name } = this
    const declared = this.#declared
    const found = isConsumerName(name)
      ? await this.#documents.get(consumerKey(name))
      : undefined
    const revision = found?.revision ?? 0
    const read = found && this.#decode(found)
    if (read?.kind === 'state') this.#last = read.state
    const isStored = read?.kind === 'state'
    const stored = this.#last // CONSUMER-DOCUMENT-2.
    if (typeof declared === 'string') {
      if (stored !== undefined) return { state: stored, revision, isStored }
      throw read?.kind === 'damaged' ? read.error : unknownConsumer(name)
    }
    if (stored === undefined) {
      const start = await this.#startOf(declared, this.#closing)
      return { state: initialConsumerState(declared, start), revision, isStored }
    }
    if (!hasSameTopics(stored.definition, declared))
      throw differentTopics(declared, stored.definition)
    return { state: { ...stored, definition: declared }, revision, isStored }
  }

  /** CONSUMER-DOCUMENT-1. */
  #decode({
    value,
  }: Document):
    | { readonly kind: 'state'; readonly state: ConsumerState }
    | { readonly kind: 'damaged'; readonly error: unknown } {
    try {
      return { kind: 'state', state: decodeConsumerState(value, this.name) }
    } catch (error) {
      if (!isDamagedState(error)) throw error
      this.#onDamaged(error)
      return { kind: 'damaged', error }
    }
  }

  async #write(change: StateChange): Promise<void> {
    const { name } = this
    let isUnclear = false
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { state, revision } = await this.#readRevision()
      const next = await change(state, isUnclear)
      if (next === undefined) return
      try {
        const bytes = encodeConsumerState(next)
        const put = await this.#documents.put(consumerKey(name), bytes, revision)
        if (put !== 'conflict') {
          this.#last = next
          return
        }
      } catch (error) {
        if (!isCairnError(error, 'outcome-unknown')) throw error
        isUnclear = true
      }
      await pause(Math.random() * Math.min(50, attempt), this.#closing)
      if (this.#closing.aborted) throw nodeClosed(name)
    }
    throw new CairnError(
      'contention',
      `The state of consumer ${name} could not be written: other processes changed it ${attemptsMax} times in a ` +
        'row. Try again.',
    )
  }
}

export function nodeClosed(name: string): CairnError {
  return new CairnError(
    'node-closed',
    `This node is closing: use consumer ${name} on another node.`,
  )
}

function unknownConsumer(name: string): CairnError {
  return new CairnError(
    'unknown-consumer',
    `No consumer ${show(name)} was declared in this namespace: pass its definition once, ` +
      'node.consumer(defineConsumer({ name, on: [topic] })), or correct the name.',
    { details: { consumer: name } },
  )
}

function differentTopics(
  { name, topics }: ConsumerDefinition,
  stored: ConsumerDefinition,
): CairnError {
  return new CairnError(
    'invalid-definition',
    `Consumer ${name} was declared with the topics ${stored.topics.join(', ')}, and now with ` +
      `${topics.join(', ')}, which would leave out messages. Declare the new one under another name.`,
    { details: { consumer: name, stored: stored.topics, given: topics } },
  )
}
