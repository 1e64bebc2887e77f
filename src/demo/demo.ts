// What `--demo` serves.

import type { AnyActorDefinition } from '../actor/define.js'
import { account } from './account.js'

export const demoActors: readonly AnyActorDefinition[] = [account]
