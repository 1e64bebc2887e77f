// Projections: those that this node helps to build, and readers of any.

import { groupPlacement } from '../../cluster/group-placement.js'
import type { Membership } from '../../cluster/membership.js'
import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { isProjection, type Projection } from '../../projection/define-projection.js'
import type { StatePorts } from '../../projection/fold-states.js'
import {
  type ProjectionReader,
  type ProjectionStatus,
  readerOf,
  logEndOf,
} from '../../projection/reader.js'
import { projectionGroup, ProjectionRunner } from '../../projection/runner.js'
import { projectionStatuses } from '../../projection/statuses.js'
import type { ReadModels } from '../../store/read-models/read-models.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'

export interface ProjectionsCapability extends Capability {
  /** Reads a projection, whether this node helps to build it or not. */
  reader<Row>(projection: Projection<Row>): ProjectionReader<Row>
  /** The builds of all projections of the namespace. */
  statuses(options?: { readonly signal?: AbortSignal }): AsyncIterable<ProjectionStatus>
}

export function projectionsCapability(
  { settings, open, notices, log, isMember }: NodeContext,
  parts: {
    readonly membership: () => Membership
    readonly skipsOf: StatePorts['skipsOf']
  },
): ProjectionsCapability {
  const { store, documents, partitions } = open
  const readModelsOf = ({ target }: Projection): ReadModels => target ?? open.readModels
  let runners: readonly ProjectionRunner[] = []
  const runnerOf = (projection: Projection) => {
    const { name, version } = projection
    const membership = parts.membership()
    return new ProjectionRunner({
      now: () => settings.clock.now(),
      projection,
      store,
      skipsOf: parts.skipsOf,
      bus: notices,
      documents,
      readModels: readModelsOf(projection),
      partitions,
      assignment: groupPlacement(membership, settings.id, projectionGroup(name, version)),
      isRun: other =>
        membership
          .members()
          .some(({ groups = [] }) => groups.includes(projectionGroup(name, other))),
      log: partLog(log, `projection.${name}`),
    })
  }
  const closing = new AbortController()
  const now = () => settings.clock.now()
  const readers = new WeakMap<Projection, ProjectionReader<unknown>>()
  return {
    groups: settings.projections.map(({ name, version }) =>
      projectionGroup(name, version),
    ),
    start() {
      if (!isMember) return
      runners = settings.projections.map(runnerOf)
      for (const runner of runners) runner.start()
    },
    reader<Row>(projection: Projection<Row>) {
      if (!isProjection(projection))
        throw new CairnError(
          'invalid-definition',
          `projection has ${show(projection)}: pass what defineProjection returns.`,
        )
      const known = readers.get(projection) as ProjectionReader<Row> | undefined
      if (known !== undefined) return known
      const reader = readerOf<Row>({
        projection,
        documents,
        readModels: readModelsOf(projection),
        ...logEndOf(store, undefined, now),
        runner: runners.find(runner => runner.projection === projection),
        closing: closing.signal,
      })
      readers.set(projection, reader)
      return reader
    },
    statuses: options =>
      projectionStatuses(
        {
          store,
          documents,
          now,
          // Of a projection that this node does not know, the target is not known either.
          readModelsOf: name =>
            settings.projections.find(one => one.name === name)?.target ??
            open.readModels,
        },
        options,
      ),
    async stop({ timeout }) {
      closing.abort()
      await Promise.all(runners.map(runner => runner.stop(timeout / 2)))
    },
    async unsettled(signal) {
      if (runners.length === 0) return []
      const end = await store.lastPosition({ signal })
      return runners.map(runner => runner.unsettled(end))
    },
    stats: () => ({
      projections: Object.fromEntries(
        runners.map(runner => [runner.projection.name, runner.stats()] as const),
      ),
    }),
  }
}
