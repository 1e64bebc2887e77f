// The metrics of a node: one row each, all from `node.stats()`, which reads nothing from the store. No label names an
// actor, so that a scrape stays small whatever the number of actors.
//
// Names and meanings are listed in docs/metrics.md, which a test compares with this table, and stay as they are.

import type { GroupStats } from '../../delivery/group/group.js'
import type { NodeStats } from '../../runtime/node.js'
import { durationBounds } from '../../model/durations.js'
import type { Family, Labels, MetricType, Sample } from './exposition.js'
import { histogramSamples } from './histogram.js'

type Reading = number | undefined | readonly Sample[]

export interface NodeMetric {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  readonly read: (stats: NodeStats) => Reading
}

function gauge(
  name: string,
  help: string,
  read: (stats: NodeStats) => Reading,
): NodeMetric {
  return { name: `cairn_${name}`, type: 'gauge', help, read }
}

function counter(
  name: string,
  help: string,
  read: (stats: NodeStats) => Reading,
): NodeMetric {
  return { name: `cairn_${name}_total`, type: 'counter', help, read }
}

export const nodeMetrics: readonly NodeMetric[] = [
  gauge('actors_resident', 'Actors in memory.', s => s.actors.residents),
  gauge(
    'actors_busy',
    'Actors that have a command waiting or running.',
    s => s.actors.busy,
  ),
  gauge(
    'actors_resident_bytes',
    'Memory that actors take, estimated.',
    s => s.actors.residentBytes,
  ),
  gauge(
    'actors_parked',
    'Actors that fail every command until the cause is corrected.',
    s => s.actors.parked,
  ),
  gauge(
    'actors_restarting',
    'Actors that wait to be read again after a failure.',
    s => s.actors.restarting,
  ),
  counter(
    'actors_evicted',
    'Actors that left memory because of a limit.',
    s => s.actors.evictions,
  ),
  counter(
    'actors_dismissed',
    'Actors that left memory because they were idle or belong to another node.',
    s => s.actors.dismissals,
  ),
  counter(
    'actors_woken',
    'Actors that were read into memory by a command.',
    s => s.actors.wakes,
  ),
  counter(
    'actors_discontinuities',
    'Reads that found versions which do not continue.',
    s => s.actors.discontinuities,
  ),
  counter(
    'actors_long_tails',
    'Wakes that folded more than 5,000 events.',
    s => s.actors.longTails,
  ),
  counter('snapshots', 'Snapshots of large states, by what became of them.', s =>
    Object.entries(s.actors.snapshots).map(([result, value]) => ({
      labels: { result },
      value: value as number,
    })),
  ),
  gauge(
    'commands_open',
    'Commands and readings of states that are open.',
    s => s.actors.open,
  ),
  counter('commands_handled', 'Commands that reached the actors of this node.', s => [
    { labels: { method: 'ask' }, value: s.actors.asks },
    { labels: { method: 'tell' }, value: s.actors.tells },
  ]),
  counter(
    'commands_refused',
    'Commands and readings of states that were refused by load.',
    s => s.actors.refused,
  ),
  counter('commands_failed', 'Commands that ended in an error, by its code.', s =>
    Object.entries(s.dead).map(([code, value]) => ({ labels: { code }, value })),
  ),
  counter(
    'commands_duplicate',
    'Commands that were handled before and got their first answer again.',
    s => s.actors.duplicates,
  ),
  counter('commands_retried', 'Commands that were decided again.', s => s.actors.retries),
  counter(
    'appends_conflicting',
    'Appends that were rejected because another writer was faster.',
    s => s.actors.conflicts,
  ),
  counter('commands_routed', 'Commands by where their actor is.', s => [
    { labels: { to: 'local' }, value: s.router.local },
    { labels: { to: 'remote' }, value: s.router.remote },
  ]),
  counter(
    'commands_redirected',
    'Commands that another node sent on to this one or away from it.',
    s => s.router.redirects,
  ),
  counter(
    'commands_resent',
    'Commands that were sent to another node again.',
    s => s.router.resent,
  ),
  counter(
    'commands_refused_by_owner',
    'Commands that were refused as their owner would be late.',
    s => s.router.refused,
  ),
  gauge(
    'children_running',
    'Children that run beside actors, work of actors among them.',
    s => s.children.running,
  ),
  counter(
    'work_ends_rejected',
    'Ends of work that their actors have rejected.',
    s => s.actors.rejectedEnds,
  ),
  gauge('transactions_open', 'Transactions that are open.', s => s.transactions.open),
  counter(
    'transactions_stored',
    'Transactions that stored commits.',
    s => s.transactions.stored,
  ),
  counter(
    'transactions_retried',
    'Attempts of transactions after the first.',
    s => s.transactions.retries,
  ),
  gauge('cache_entries', 'Actors in the version cache.', s => s.cache.entries),
  gauge('cache_bytes', 'Memory of the version cache, estimated.', s => s.cache.bytes),
  counter('cache_lookups', 'Lookups in the version cache.', s => [
    { labels: { result: 'hit' }, value: s.cache.hits },
    { labels: { result: 'miss' }, value: s.cache.misses },
  ]),
  counter(
    'cache_healed',
    'Entries of the version cache that a read corrected.',
    s => s.cache.heals,
  ),
  counter(
    'notices_received',
    'Commits whose notice has arrived.',
    s => s.notices.commits,
  ),
  counter(
    'notices_interrupted',
    'Times that notices may have been missed.',
    s => s.notices.interruptions,
  ),
  gauge('watchers', 'Loops that watch an actor.', s => s.watches.watchers),
  gauge('watched_actors', 'Actors that are watched.', s => s.watches.actors),
  gauge(
    'watched_events_held',
    'Events that watching loops have not taken yet.',
    s => s.watches.held,
  ),
  gauge('group_partitions', 'Partitions that this node reads, by consumer group.', s =>
    byGroup(s, group => group.partitions),
  ),
  gauge(
    'group_open_records',
    'Records that are handled or wait for one of their key, by consumer group.',
    s => byGroup(s, group => group.open),
  ),
  gauge(
    'group_failing_keys',
    'Keys that wait because one of their records failed, by consumer group.',
    s => byGroup(s, group => group.failing),
  ),
  gauge(
    'group_lag_seconds',
    'Age of the oldest record that was read and is not handled, by consumer group.',
    s => byGroup(s, group => group.lagSeconds),
  ),
  counter('group_records_handled', 'Records that were handled, by consumer group.', s =>
    byGroup(s, group => group.handled),
  ),
  counter('group_attempts_failed', 'Attempts that failed, by consumer group.', s =>
    byGroup(s, group => group.failures),
  ),
  counter(
    'group_sources_restored',
    'Partitions whose source was not the one of their checkpoint, by consumer group.',
    s => byGroup(s, group => group.setBack),
  ),
  counter(
    'group_checkpoints_damaged',
    'Checkpoints that were damaged or removed, by consumer group.',
    s => byGroup(s, group => group.damaged),
  ),
  counter(
    'delivered_commands_rejected',
    'Delivered commands that their actors rejected, by consumer group.',
    s => [
      { labels: { group: 'courier' }, value: s.courier.rejected },
      { labels: { group: 'inbox' }, value: s.inbox.rejected },
      { labels: { group: 'timers' }, value: s.timers.rejected },
    ],
  ),
  counter('timers_skipped', 'Timers that were too late.', s => s.timers.skipped),
  counter(
    'timers_superseded',
    'Due timers that had been replaced or cancelled.',
    s => s.timers.superseded,
  ),
  gauge(
    'projection_lag_positions',
    'Positions of the log that a build of this node does not include yet.',
    s => byBuild(s, build => build.lag),
  ),
  gauge(
    'projection_lag_seconds',
    'Age of the oldest event that was read and that a build of this node does not include yet.',
    s => byBuild(s, build => build.lagSeconds),
  ),
  gauge(
    'projection_position',
    'Position of the log up to which a build of this node includes all events.',
    s => byBuild(s, build => build.position),
  ),
  gauge('projection_stuck', 'Whether an event stops a build of this node.', s =>
    byBuild(s, build => (build.stuck === undefined ? 0 : 1)),
  ),
  gauge(
    'damage_places',
    'Damaged places beside the log that were noticed.',
    s => s.damage.length,
  ),
  counter('dead_letters', 'Dead letters that this node has stored, by reason.', s =>
    Object.entries(s.deadLetters).map(([reason, value]) => ({
      labels: { reason },
      value,
    })),
  ),
  counter(
    'consumers_restored',
    'Consumers whose sources were not those that they had read.',
    s => s.consumers.setBack,
  ),
  counter(
    'consumers_damaged',
    'Consumers whose documents were damaged.',
    s => s.consumers.damaged,
  ),
  counter(
    'group_commit_groups',
    'Groups of commits that were stored as one batch.',
    s => s.groupCommit?.groups,
  ),
  counter(
    'group_commit_commits',
    'Commits that were stored in groups.',
    s => s.groupCommit?.commits,
  ),
  gauge(
    'nats_connected',
    'Whether the connection to NATS is there.',
    s => s.connection && (s.connection.state === 'connected' ? 1 : 0),
  ),
  gauge(
    'nats_unauthorized',
    'Whether the NATS server refuses the login.',
    s => s.connection && (s.connection.state === 'unauthorized' ? 1 : 0),
  ),
  gauge(
    'nats_silent_seconds',
    'Time since the connected NATS server has answered no request; 0 while it answers.',
    s => s.connection && silence(s.connection),
  ),
  counter(
    'nats_reconnects',
    'Times that the connection to NATS was lost and made again.',
    s => s.connection?.reconnects,
  ),
  gauge(
    'nats_failing_streams',
    'Streams that the NATS server fails to write.',
    s => s.connection?.writeFailures.length,
  ),
  gauge(
    'nats_clock_offset_seconds',
    'The clock of the NATS server minus that of this machine, asked for each minute.',
    s => inSeconds(s.connection?.log?.clockOffset),
  ),
  gauge(
    'log_bytes',
    'Size of the log on the NATS server, asked for each minute.',
    s => s.connection?.log?.bytes,
  ),
  gauge(
    'log_bytes_limit',
    'Limit of the size of the log, if it has one.',
    s => s.connection?.log?.bytesMax,
  ),
]

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000
}

/** Upper bounds in seconds. */
const latencyBounds = durationBounds.map(ms => ms / 1_000)

/** The latency of commands, a histogram. */
export function latencyFamily({ actors }: Pick<NodeStats, 'actors'>): Family {
  return {
    name: 'cairn_command_duration_seconds',
    type: 'histogram',
    help: 'Time from the arrival of a command at its actor on this node until its answer, by outcome.',
    samples: Object.entries(actors.latency).flatMap(([outcome, { counts, sum }]) =>
      histogramSamples({ outcome }, latencyBounds, counts, sum / 1_000),
    ),
  }
}

/** The families of a node. */
export function nodeFamilies(stats: NodeStats): readonly Family[] {
  return nodeMetrics.map(({ name, type, help, read }) => ({
    name,
    type,
    help,
    samples: samplesOf(read(stats)),
  }))
}

function samplesOf(reading: Reading): readonly Sample[] {
  if (reading === undefined) return []
  return typeof reading === 'number' ? [{ value: reading }] : reading
}

function silence({ silentSince }: NonNullable<NodeStats['connection']>): number {
  return silentSince === undefined ? 0 : Math.max(0, Date.now() - silentSince) / 1_000
}

function byGroup(stats: NodeStats, value: (group: GroupStats) => number): Sample[] {
  const sample = (labels: Labels, group: GroupStats) => ({ labels, value: value(group) })
  return [
    ...(['courier', 'inbox', 'timers'] as const).map(group =>
      sample({ group, reactor: '' }, stats[group]),
    ),
    ...Object.entries(stats.reactors).map(([reactor, group]) =>
      sample({ group: 'reactor', reactor }, group),
    ),
  ]
}

type Build = NodeStats['projections'][string]['builds'][number]

function byBuild(stats: NodeStats, value: (build: Build) => number): Sample[] {
  return Object.entries(stats.projections).flatMap(([projection, { builds }]) =>
    builds.map(build => ({
      labels: { projection, build: String(build.number), state: build.state },
      value: value(build),
    })),
  )
}
