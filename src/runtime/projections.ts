// A node's projections: those it has a part in building, and how they are read. The part of the
// composition root that is about them.

import type { OpenNamespace } from '../backend/backend.js'
import type { NoticeFanout } from '../bus/notice-fanout.js'
import { partitionClaims } from '../cluster/partition-claims.js'
import type { Membership } from '../cluster/membership.js'
import { CairnError } from '../model/errors.js'
import { type Logger, writeTo } from '../model/log.js'
import type { Projection } from '../projection/define-projection.js'
import { type ProjectionReader, readerOf } from '../projection/reader.js'
import {
  projectionGroup,
  ProjectionRunner,
  type ProjectionStats,
} from '../projection/runner.js'

export interface RunningProjections {
  /** Reads a projection, whether this node has a part in it or not. */
  reader<Row>(projection: Projection<Row>): ProjectionReader<Row>
  stats(): Readonly<Record<string, ProjectionStats>>
  stop(timeout: number): Promise<void>
}

/** The groups that a node with these projections takes part in. */
export function projectionGroups(projections: readonly Projection[]): string[] {
  return projections.map(({ name, version }) => projectionGroup(name, version))
}

/** Throws `invalid-definition` for two projections of one name, which would be one. */
export function checkProjections(projections: readonly Projection[]): void {
  const names = new Set<string>()
  for (const { name } of projections) {
    if (names.has(name))
      throw new CairnError(
        'invalid-definition',
        `Two projections are named ${name}: their rows would be the same ones. Give one of them another name.`,
        { details: { name } },
      )
    names.add(name)
  }
}

export function startProjections(
  open: OpenNamespace,
  parts: {
    readonly nodeId: string
    readonly projections: readonly Projection[]
    readonly membership: Membership
    readonly notices: NoticeFanout
    readonly log: Logger
    /** Whether this node takes part. */
    readonly serves: boolean
  },
): RunningProjections {
  const { store, documents, partitions } = open
  const { nodeId, membership, notices, serves } = parts
  const placeOf = ({ target }: Projection) => target ?? open.readModels
  const runners = (serves ? parts.projections : []).map(projection => {
    const { name, version } = projection
    const log = parts.log.child({ part: `projection.${name}` })
    return new ProjectionRunner({
      projection,
      store,
      bus: notices,
      documents,
      readModels: placeOf(projection),
      partitions,
      claims: partitionClaims(membership, nodeId, projectionGroup(name, version)),
      isRun: other =>
        membership
          .members()
          .some(({ groups = [] }) => groups.includes(projectionGroup(name, other))),
      log: writeTo(log),
    })
  })
  for (const runner of runners) runner.start()
  const readers = new WeakMap<Projection, ProjectionReader<unknown>>()
  return {
    reader<Row>(projection: Projection<Row>) {
      const known = readers.get(projection) as ProjectionReader<Row> | undefined
      if (known !== undefined) return known
      const reader = readerOf<Row>({
        projection,
        documents,
        readModels: placeOf(projection),
        lastPosition: () => store.lastPosition(),
        runner: runners.find(runner => runner.projection === projection),
      })
      readers.set(projection, reader)
      return reader
    },
    stats: () =>
      Object.fromEntries(
        runners.map(runner => [runner.projection.name, runner.stats()] as const),
      ),
    async stop(timeout) {
      await Promise.all(runners.map(runner => runner.stop(timeout)))
    },
  }
}
