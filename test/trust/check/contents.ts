// P2: what is stored under a command's id is what the command leads to, and nothing is stored that nobody asked for.

import { decide, type ExpectedEvent, valueOf } from './decisions.js'
import type { StoredEvent } from './folds.js'
import type { Indexed } from './history-index.js'
import { evidenceOf, intent, type Operation } from './operations.js'
import { includes, isSame, textOf } from './same.js'
import { type CommandSlice, eventsOf, type Timeline } from './timeline.js'
import type { Violation } from './violation.js'

export function* contents(history: Indexed): Iterable<Violation> {
  for (const timeline of history.timelines.values()) {
    if (!timeline.isWhole) continue
    for (const stored of timeline.slices) {
      const { id } = stored.slice
      if (id === undefined) continue
      const attempts = history.attempts.get(intent.command(timeline.actor, id)) ?? []
      if (attempts.length === 0) continue
      if (!attempts.some(attempt => leadsTo(attempt, timeline, stored)))
        yield {
          check: 'contents',
          text:
            `What ${timeline.actor} has stored for ${id} at position ${stored.commit.position} is not what the ` +
            'command leads to.',
          evidence: [...evidenceOf(attempts), stored.commit],
        }
    }
  }
}

function leadsTo(
  { invoked }: Operation,
  timeline: Timeline,
  stored: CommandSlice,
): boolean {
  const { slice } = stored
  const before = () => timeline.stateAt(slice.firstVersion - 1)
  const decided = decide(timeline.type, invoked.command, invoked.data, before)
  if (decided === undefined) return true
  if (decided === 'rejected' || !areEvents(eventsOf(stored), decided)) return false
  if (timeline.type !== 'list' || slice.reply === undefined) return true
  // A list replies with the number of its elements, each of which is an event.
  return isSame(slice.reply, slice.lastVersion)
}

function areEvents(
  events: readonly StoredEvent[],
  expected: readonly ExpectedEvent[],
): boolean {
  return (
    events.length === expected.length &&
    expected.every(({ type, data }, i) => {
      const event = events[i]!
      return event.type === type && (data === undefined || includes(event.data, data))
    })
  )
}

/** The types whose events hold a unique value that a client has made. */
const valued = ['list', 'tape', 'register']

/** Every value of a list, a tape and a register was asked for, by a client that the history has. */
export function* invented({ timelines, operations }: Indexed): Iterable<Violation> {
  const asked = new Map<string, Set<string>>()
  for (const { invoked } of operations) {
    const { call, actor, data } = invoked
    if (actor === undefined || !['ask', 'send', 'append'].includes(call)) continue
    let values = asked.get(actor)
    if (values === undefined) asked.set(actor, (values = new Set()))
    values.add(textOf(valueOf(data)))
  }
  for (const timeline of timelines.values()) {
    const values = asked.get(timeline.actor)
    if (!valued.includes(timeline.type) || values === undefined) continue
    for (const { commit, slice } of timeline.slices) {
      // A handler, a timer or another actor has caused it: the ids of these name an actor.
      if (slice.id?.includes('/') === true) continue
      for (const event of eventsOf({ commit, slice }))
        if (!values.has(textOf(event.data)))
          yield {
            check: 'invented',
            text: `Version ${event.version} of ${timeline.actor} holds a value that nobody has asked for.`,
            evidence: [commit],
          }
    }
  }
}
