// The door `cairn-es/ops`: types for operating nodes: statistics, supervision, dead letters,
// members, timers, projections' builds, and config files.

// Statistics
export type { NodeActivity, SettledOptions } from '../runtime/activity.js'
export type {
  ConsumersStats,
  GroupsStats,
  NodeDefinitions,
  NodeStats,
} from '../runtime/node.js'
export type { HealthCheck, HealthOptions, NodeHealth } from '../runtime/health.js'
export type { ActorHostStats } from '../actor/actor-host.js'
export type { CommandLatency } from '../actor/admission.js'
export type { DurationsStats } from '../model/durations.js'
export type { SnapshotStats } from '../actor/snapshots.js'
export type { ChildrenStats } from '../actor/children.js'
export type { TransactionStats } from '../actor/transactor.js'
export type { WatchesStats } from '../actor/watches.js'
export type { RouterStats } from '../cluster/router.js'
export type { SubscriptionStats } from '../bus/bus.js'
export type { CourierStats } from '../delivery/commands/courier.js'
export type { DueTimersStats } from '../delivery/commands/due-timers.js'
export type { InboxStats } from '../delivery/commands/inbox.js'
export type { GroupStats } from '../delivery/group/group.js'
export type { Damage, DamageProblem } from '../model/damage.js'
export type {
  TriggerHandler,
  TriggerOptions,
  TriggerStats,
} from '../delivery/consumer/trigger.js'
export type { BuildStats, ProjectionStats } from '../projection/runner.js'
export type { GroupCommitMode, GroupCommitStats } from '../nats/group-commit.js'
export type { ConnectionStats, Outage } from '../nats/connection-state.js'
export type { LogReport } from '../nats/log-report.js'
export type { TlsOptions } from '../nats/options.js'
export type { WriteFailure } from '../nats/write-failures.js'
export type { VersionCacheStats } from '../store/version-cache.js'

export type { Health, LagLimits } from '../delivery/health.js'

// Tracing channels
export type {
  AskTrace,
  CommandTrace,
  CommitTrace,
  DecideTrace,
  DeliverTrace,
  HandleTrace,
  PublishTrace,
  SendTrace,
  TimerTrace,
  TraceContext,
  TraceContexts,
  TraceName,
  TransactionTrace,
} from '../model/trace.js'

// Supervision
export type { Escalation } from '../actor/actor-host.js'
export type {
  DirectiveOptions,
  DirectiveOutcome,
  Supervision,
} from '../actor/supervise.js'
export type { ActorPause, SupervisionState } from '../actor/supervisor.js'
export type { VersionRange } from '../actor/skips.js'

// Dead letters
export type { DeadLetterError } from '../model/stored-dead-letter.js'
export type {
  DeadLetterBulkOptions,
  DeadLetterQueue,
} from '../delivery/dead-letters/dead-letter-queue.js'
export type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterListOptions,
  DeadLetterReason,
} from '../delivery/dead-letters/dead-letters.js'
export type { RedriveOptions } from '../delivery/dead-letters/redrive.js'
export type { FencingToken } from '../delivery/reactor/define-reactor.js'
export type { AttemptRecord, DeadLetterMark } from '../delivery/reactor/attempt-log.js'
export type { SettlementActions } from '../delivery/reactor/settlement.js'
export type { RetryPolicy, RetryPreset } from '../model/retry-policy.js'

// Backlogs
export type { Backlog, BacklogOptions, BacklogSource } from '../delivery/backlog.js'
export type { DeferredKey } from '../delivery/group/partition-state.js'

// Members
export type { Member } from '../cluster/membership.js'
export type { Candidate } from '../cluster/placement.js'

// Consumers and timers
export type { ConsumeOptions, ConsumerStatus } from '../delivery/consumer/consumer.js'
export type { KeptHeaders } from '../model/kept-headers.js'
export type { Timer, TimerFiring } from '../model/timer.js'
export type { ListTimersOptions } from '../store/timers/timers.js'
export type { TimersOption } from '../runtime/options.js'

// Logging
export type { LogMethod } from '../model/log.js'

// Builds of projections
export type { StuckAt } from '../projection/builder.js'
export type { BuildStatus, ProjectionStatus } from '../projection/reader.js'

// Config files
export type {
  BrokerSpec,
  Config,
  ConfigSpec,
  ConsumerEntry,
  StreamSpec,
} from '../program/config/config.js'

// Events of a node
export type {
  NodeEventListener,
  NodeEventName,
  NodeEvents,
} from '../runtime/node-events.js'
