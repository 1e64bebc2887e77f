// The test kit's public door, listed by hand.

export { given, type Given, type GivenOptions } from './given.js'
export type { EmittedEventOf, RejectionOf, ReplyOf } from './given-types.js'
export { type Outcome, type Then } from './then.js'
export { ManualClock } from './manual-clock.js'
