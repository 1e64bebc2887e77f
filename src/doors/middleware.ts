// The door `cairn-es/middleware`: middleware around commands, guards, and limits.

export type {
  CommandGuard,
  CommandMiddleware,
  CommandSource,
  Enrichment,
  GuardedCommand,
  GuardedOutcome,
  Next,
} from '../actor/guarded-command.js'
export { type GuardedCommandOf, only } from '../actor/only.js'
export { limit, type LimitOptions } from '../actor/limit.js'
