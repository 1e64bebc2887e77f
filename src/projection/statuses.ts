// The builds of all projections of a namespace, as the store has them.

import type { Documents } from '../store/documents/documents.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { ReadModels } from '../store/read-models/read-models.js'
import { projectionNames } from './builds.js'
import { logEndOf, type ProjectionStatus, statusOf } from './reader.js'

interface Ports {
  readonly documents: Documents
  /** Where the rows of a projection are. */
  readModelsOf(name: string): ReadModels
  readonly store: Pick<EventStore, 'readAll' | 'lastPosition'>
  /** The clock that ages are measured by, ms since 1970. */
  readonly now: () => number
}

export async function* projectionStatuses(
  { documents, readModelsOf, store, now }: Ports,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<ProjectionStatus> {
  for (const name of await projectionNames(documents, options))
    yield await statusOf({
      name,
      documents,
      readModels: readModelsOf(name),
      ...logEndOf(store, options.signal, now),
    })
}
