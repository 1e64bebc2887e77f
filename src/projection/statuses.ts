// The builds of all projections of a namespace, as the store has them.

import type { Position } from '../model/version.js'
import type { Documents } from '../store/documents/documents.js'
import type { ReadModels } from '../store/read-models/read-models.js'
import { projectionNames } from './builds.js'
import { type ProjectionStatus, statusOf } from './reader.js'

interface Ports {
  readonly documents: Documents
  /** Where the rows of a projection are. */
  readModelsOf(name: string): ReadModels
  readonly store: {
    lastPosition(options?: { readonly signal?: AbortSignal }): Promise<Position>
  }
}

export async function* projectionStatuses(
  { documents, readModelsOf, store }: Ports,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<ProjectionStatus> {
  const lastPosition = () => store.lastPosition(options)
  for (const name of await projectionNames(documents, options))
    yield await statusOf({
      name,
      documents,
      readModels: readModelsOf(name),
      lastPosition,
    })
}
