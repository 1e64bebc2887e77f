// A thousand timers in a namespace; many.long.ts has a hundred times as many.

import t from 'tap'

import { onEachBackend } from '../../support/backends.js'
import { manyTimers, order } from './many.js'

await onEachBackend(t, 'a thousand timers', async (t, scene) => {
  const node = await scene(t).start({ actors: [order] })
  await manyTimers(t, node, { count: 1_000, timeout: 60_000 })
})
