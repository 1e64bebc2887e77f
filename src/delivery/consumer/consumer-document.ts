// The document of a consumer: reads it and changes it by compare-and-set.

import { CairnError, isCairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { pause } from '../../model/wait.js'
import type { Documents } from '../../store/documents/documents.js'
import { ChangeBatcher, type StateChange } from './change-batcher.js'
import {
  type ConsumerState,
  decodeConsumerState,
  encodeConsumerState,
  initialConsumerState,
} from './consumer-state.js'
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

export class ConsumerDocument {
  readonly #documents: Documents
  readonly #declared: ConsumerDefinition | string
  readonly #closing: AbortSignal
  readonly #changes = new ChangeBatcher(change => this.#write(change))
  #isDeclared = false

  /** @param declared the definition, or the name of a consumer that was declared before */
  constructor(
    documents: Documents,
    declared: ConsumerDefinition | string,
    closing: AbortSignal,
  ) {
    this.#documents = documents
    this.#declared = declared
    this.#closing = closing
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
    const { state, revision } = await this.#readRevision()
    if (this.#isDeclared || typeof this.#declared === 'string') return state
    if (revision === 0) await this.change(current => current)
    this.#isDeclared = true
    return state
  }

  /** Resolves when the change is stored, or when it resolved to `undefined`. */
  change(change: StateChange): Promise<void> {
    return this.#changes.add(change)
  }

  async #readRevision(): Promise<{ state: ConsumerState; revision: number }> {
    const { name } = this
    const declared = this.#declared
    const found = isConsumerName(name)
      ? await this.#documents.get(consumerKey(name))
      : undefined
    if (found === undefined && typeof declared === 'string') throw unknownConsumer(name)
    const revision = found?.revision ?? 0
    const stored = found && decodeConsumerState(found.value, name)
    if (typeof declared === 'string') return { state: stored!, revision }
    if (stored === undefined) return { state: initialConsumerState(declared), revision }
    if (!hasSameTopics(stored.definition, declared))
      throw differentTopics(declared, stored.definition)
    return { state: { ...stored, definition: declared }, revision }
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
        if (put !== 'conflict') return
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
