// Watching one actor: its events as they are stored, each with the state it leads to.

import type { ActorAddress } from '../model/address.js'
import type { RecordedEvent } from '../model/event.js'
import { checkCount } from '../model/version.js'
import type { AnyActorDefinition } from './define.js'
import type { RefParts, WatchedStep, WatchOptions } from './ref.js'

/**
 * Follows the log and folds what concerns the actor. The state at the start is that of a
 * version, so no step is missed or repeated, whatever is stored in between.
 */
export async function* watchActor(
  definition: AnyActorDefinition,
  address: ActorAddress,
  { host, store }: RefParts,
  { after, signal }: WatchOptions = {},
): AsyncGenerator<WatchedStep<unknown, RecordedEvent>> {
  if (after !== undefined) checkCount('after', after)
  // Before the state is read: what is stored meanwhile is then seen twice, not never.
  const start = await store.lastPosition(signal === undefined ? {} : { signal })
  const from =
    after === undefined ? await host.state(address) : await host.stateAt(address, after)
  let { state, version } = from
  const fold = (event: RecordedEvent): WatchedStep<unknown, RecordedEvent> => {
    state = definition.behavior.evolve(state, event)
    version = event.version
    return { event, state, version }
  }
  for await (const event of store.read(address, { from: version + 1 }))
    if (event.kind === 'event') yield fold(event)
  const options = {
    after: start,
    types: [address.type],
    ...(signal !== undefined && { signal }),
  }
  for await (const record of store.follow(options)) {
    if (record.kind !== 'commit' || record.actor.id !== address.id) continue
    for (const event of record.events)
      if (event.version === version + 1) yield fold(event)
  }
}
