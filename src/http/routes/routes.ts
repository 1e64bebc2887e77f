// All routes of the API, in the order in which they are matched: a path without parameters comes before one with.

import type { Route } from '../route.js'
import { actorRoutes } from './actors.js'
import { commandRoutes } from './commands.js'
import { deadLetterRoutes } from './dead-letters.js'
import { logRoutes } from './log.js'
import { messageRoutes } from './messages.js'
import { nodeRoutes } from './nodes.js'
import { projectionRoutes } from './projections.js'
import { reactorRoutes } from './reactors.js'
import { supervisionRoutes } from './supervision.js'

export const routes: readonly Route[] = [
  ...commandRoutes,
  ...actorRoutes,
  ...supervisionRoutes,
  ...logRoutes,
  ...messageRoutes,
  ...nodeRoutes,
  ...reactorRoutes,
  ...deadLetterRoutes,
  ...projectionRoutes,
]
