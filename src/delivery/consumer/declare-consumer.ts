// Declares a consumer before its first use, and reports how the stored one differs.

import { CairnError } from '../../model/errors.js'
import type { Documents } from '../../store/documents/documents.js'
import { consumerKey, hasSameTopics } from './consumer-document.js'
import {
  type ConsumerState,
  decodeConsumerState,
  encodeConsumerState,
  initialConsumerState,
} from './consumer-state.js'
import type { StartPlaces } from '../source/start-place.js'
import type { ConsumerDefinition } from './define-consumer.js'

export interface DeclareResult {
  /**
   * `missing` and `differs`: nothing was changed, because of a dry run, or because other topics would
   * leave out messages.
   */
  readonly state: 'missing' | 'created' | 'as declared' | 'changed' | 'differs'
  readonly differences: readonly string[]
}

const attemptsMax = 100

/**
 * Creates or changes a consumer according to its definition; with `dryRun` it only reports.
 *
 * @param startOf where a consumer begins that is created
 */
export async function declareConsumer(
  documents: Documents,
  definition: ConsumerDefinition,
  {
    dryRun,
    startOf,
  }: { readonly dryRun: boolean; readonly startOf: () => Promise<StartPlaces> },
): Promise<DeclareResult> {
  const { name } = definition
  const key = consumerKey(name)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const stored = found && decodeConsumerState(found.value, name)
    const differences = stored === undefined ? [] : differencesOf(stored, definition)
    if (stored === undefined ? dryRun : differences.length === 0)
      return { state: stored === undefined ? 'missing' : 'as declared', differences }
    if (stored !== undefined && (dryRun || !hasSameTopics(stored.definition, definition)))
      return { state: 'differs', differences }
    const next: ConsumerState =
      stored === undefined
        ? initialConsumerState(definition, await startOf())
        : { ...stored, definition }
    const put = await documents.put(key, encodeConsumerState(next), found?.revision ?? 0)
    if (put !== 'conflict')
      return { state: stored === undefined ? 'created' : 'changed', differences }
  }
  throw new CairnError(
    'contention',
    `Consumer ${name} could not be declared: other processes changed it ${attemptsMax} times in a row. Try again.`,
  )
}

function differencesOf(
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
