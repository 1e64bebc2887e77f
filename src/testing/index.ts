// The test kit's public door, listed by hand.

// Specifications
export { given, type Given, type GivenOptions } from './given.js'
export {
  givenHistories,
  type GivenRows,
  type History,
  history,
  type HistoryOptions,
} from './given-histories.js'
export type {
  EmittedEventOf,
  GivenEvent,
  InputOf,
  RejectionOf,
  ReplyOf,
} from './given-types.js'
export type { StateMatch } from './matches-state.js'
export { type CommandOutcome, type Then } from './then.js'

// Work
export { withWork } from './with-work.js'

// Time
export { ManualClock } from './manual-clock.js'

export { type Active, settled } from '../runtime/activity.js'

// Servers
export { testNats, type TestNats, type TestNatsOptions } from './nats.js'

// Clusters
export {
  type TestCluster,
  testCluster,
  type TestClusterOptions,
  type TestNodeOptions,
} from './cluster.js'
export type { Step } from './scheduler.js'
export type { ClusterNode } from './cluster-node.js'
export type { CheckSummary } from './check.js'

// Faults
export { type FaultCounts, Faults, type FaultsOptions } from './faults.js'
export { faulty } from './faulty.js'
