// The actors of `--demo`.

import type { AnyActorDefinition } from '../../actor/definition.js'
import { account } from './account.js'
import { trip } from './trip.js'

export const demoActors: readonly AnyActorDefinition[] = [account, trip]
