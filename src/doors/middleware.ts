// The door `cairn-es/middleware`: middleware around commands, guards, and limits.

export {
  type CommandGuard,
  type CommandMiddleware,
  type CommandSource,
  type Enrichment,
  type GuardedCommand,
  type GuardedCommandOf,
  type GuardedOutcome,
  type Next,
  only,
} from '../actor/middleware.js'
export { limit, type LimitOptions } from '../actor/limit.js'
