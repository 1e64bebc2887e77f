// Durable commands: each that was acknowledged takes effect, or is a dead letter, and those to one actor do so in the
// order in which they were acknowledged.

import type { Moment } from '../history.js'
import { decide } from './decisions.js'
import type { Indexed } from './history-index.js'
import { type Answered, evidenceOf, intentOf, isOk, nameOf } from './operations.js'
import { typeOf } from './timeline.js'
import type { Violation } from './violation.js'

export function* sendsTakeEffect(history: Indexed): Iterable<Violation> {
  const { stored, dead, isHealed } = history
  const given = new Set(dead.map(({ message }) => message))
  for (const operation of acknowledgedSends(history)) {
    const { id = '', actor = '' } = operation.invoked
    if (stored.has(intentOf(operation.invoked)!) || given.has(id)) continue
    if (!alwaysStores(operation)) continue
    const waiting = history.history.waiting.filter(
      line => line.kind === 'inbox' && isOf(line, id, actor),
    )
    if (waiting.length > 0 && !isHealed) continue
    yield {
      check: 'sends-take-effect',
      text:
        waiting.length > 0
          ? `${nameOf(operation)} is still waiting.`
          : `${nameOf(operation)} was acknowledged; it has not taken effect and is not waiting.`,
      evidence: [...evidenceOf([operation]), ...waiting],
    }
  }
}

function isOf(
  waiting: { readonly actor: string; readonly id: string },
  id: string,
  actor: string,
): boolean {
  return waiting.id === id && (waiting.actor === actor || waiting.actor.endsWith(actor))
}

/** A command that may be rejected leaves no trace. */
function alwaysStores({ invoked }: Answered): boolean {
  const { actor = '', command, data } = invoked
  if (typeOf(actor) !== 'list') return false
  const decided = decide('list', command, data, () => [])
  return decided !== undefined && decided !== 'rejected' && decided.length > 0
}

interface Effective {
  readonly send: Answered
  readonly begunAt: Moment
  readonly endedAt: Moment
  readonly version: number
}

export function* sendsInOrder(history: Indexed): Iterable<Violation> {
  const byActor = new Map<string, Effective[]>()
  for (const send of acknowledgedSends(history)) {
    const key = intentOf(send.invoked)!
    const [stored, another] = history.stored.get(key) ?? []
    const attempts = history.attempts.get(key) ?? []
    const areSends = attempts.every(({ invoked }) => invoked.call === 'send')
    if (stored?.slice === undefined || another !== undefined || !areSends) continue
    const { actor = '' } = send.invoked
    const ofActor = byActor.get(actor) ?? []
    byActor.set(actor, ofActor)
    ofActor.push({
      send,
      // An attempt before this one may have put it into the inbox.
      begunAt: attempts[0]!.invoked.at,
      endedAt: send.completed.at,
      version: stored.slice.firstVersion,
    })
  }
  for (const ofActor of byActor.values()) yield* checkOrder(ofActor)
}

/** For each send in the order of effect: none with an earlier end may come after it. */
function* checkOrder(sends: readonly Effective[]): Iterable<Violation> {
  const ordered = sends.toSorted((a, b) => b.version - a.version)
  let first: Effective | undefined
  for (const send of ordered) {
    if (
      first !== undefined &&
      first.version !== send.version &&
      first.endedAt < send.begunAt
    )
      yield {
        check: 'sends-in-order',
        text: `${nameOf(send.send)} took effect before one that had been acknowledged when it began.`,
        evidence: evidenceOf([first.send, send.send]),
      }
    if (first === undefined || send.endedAt < first.endedAt) first = send
  }
}

function acknowledgedSends({ operations }: Indexed): Answered[] {
  return operations
    .filter(isOk)
    .filter(({ invoked }) => invoked.call === 'send' && invoked.id !== undefined)
}
