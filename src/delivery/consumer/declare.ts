// Declaring a consumer ahead of its use, and telling where the stored one differs.

import type { Documents } from '../../store/documents/documents.js'
import { CairnError } from '../../model/errors.js'
import {
  type ConsumerState,
  decodeState,
  encodeState,
  newState,
} from './consumer-state.js'
import type { ConsumerDefinition } from './define-consumer.js'

export interface Declared {
  /**
   * `missing` and `differs` when nothing was changed: because it was a dry run, or because messages
   * would be left out.
   */
  readonly state: 'missing' | 'created' | 'as declared' | 'changed' | 'differs'
  readonly differences: readonly string[]
}

/** Makes sure that a consumer is there as defined; with `dryRun` only tells what would be done. */
export async function declareConsumer(
  documents: Documents,
  definition: ConsumerDefinition,
  { dryRun }: { readonly dryRun: boolean },
): Promise<Declared> {
  const { name } = definition
  const key = ['consumer', name]
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = await documents.get(key)
    const before = found && decodeState(found.value, name)
    const differences = before === undefined ? [] : differencesIn(before, definition)
    if (before === undefined ? dryRun : differences.length === 0)
      return { state: before === undefined ? 'missing' : 'as declared', differences }
    const isOther = before?.definition.topics.join() !== definition.topics.join()
    if (before !== undefined && (dryRun || isOther))
      return { state: 'differs', differences }
    const next: ConsumerState =
      before === undefined ? newState(definition) : { ...before, definition }
    const put = await documents.put(key, encodeState(next), found?.revision ?? 0)
    if (put !== 'conflict')
      return { state: before === undefined ? 'created' : 'changed', differences }
  }
  throw new CairnError(
    'contention',
    `Consumer ${name} could not be declared: others wrote it 100 times meanwhile. Try again.`,
  )
}

function differencesIn(
  { definition }: ConsumerState,
  wanted: ConsumerDefinition,
): string[] {
  return (['topics', 'ackWait', 'attempts'] as const).flatMap(field => {
    const [is, should] = [definition[field], wanted[field]].map(value =>
      JSON.stringify(value),
    )
    return is === should ? [] : [`${field} is ${is!} and must be ${should!}`]
  })
}
