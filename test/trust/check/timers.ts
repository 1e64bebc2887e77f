// Each armed name of an alarm rings exactly once, when it is due or later.

import { mayBeSkewed } from './clock-faults.js'
import type { Indexed } from './history-index.js'
import { isObject } from './same.js'
import type { CommitLine } from './timeline.js'
import type { Evidence, Violation } from './violation.js'

interface Setting {
  readonly armed: CommitLine
  readonly due: number
  readonly rings: Ring[]
}

interface Ring {
  readonly commit: CommitLine
  readonly at: number
}

export function* timers(history: Indexed): Iterable<Violation> {
  for (const { actor, type, commits } of history.timelines.values()) {
    if (type !== 'alarm') continue
    const settings = new Map<string, Setting[]>()
    for (const commit of commits)
      for (const { type: event, data } of commit.events) {
        if (!isObject(data)) continue
        const name = String(data['name'])
        const due = Number(data['due'])
        const ofName = settings.get(name) ?? []
        settings.set(name, ofName)
        if (event === 'armed') ofName.push({ armed: commit, due, rings: [] })
        if (event !== 'rang') continue
        const setting = ofName.findLast(one => one.due === due)
        if (setting === undefined)
          yield violation(`${actor} rang ${name}, which was not armed for then.`, [
            commit,
          ])
        else setting.rings.push({ commit, at: Number(data['at']) })
      }
    for (const [name, ofName] of settings)
      for (const [i, setting] of ofName.entries())
        yield* checkSetting(history, actor, name, setting, i < ofName.length - 1)
  }
}

function* checkSetting(
  history: Indexed,
  actor: string,
  name: string,
  { armed, due, rings }: Setting,
  isReplaced: boolean,
): Iterable<Violation> {
  if (rings.length > 1)
    yield violation(`${actor} rang ${name} ${rings.length} times.`, [
      armed,
      ...rings.map(({ commit }) => commit),
    ])
  const armedAt = history.askedAt(actor, armed.lastVersion)
  const storedBy = history.storedBy(armed)
  for (const { commit, at } of rings)
    if (at < due && !mayBeSkewed(history, armedAt, history.storedBy(commit)))
      yield violation(`${actor} rang ${name} ${due - at} ms before it was due.`, [
        armed,
        commit,
      ])
  if (rings.length > 0 || isReplaced || !history.isHealed) return
  const waiting = history.history.waiting.filter(
    line => line.kind === 'timer' && line.actor === actor && line.id.includes(name),
  )
  const isDue = due <= endOf(history) && !mayBeSkewed(history, armedAt, storedBy)
  if (waiting.length > 0 && !isDue) return
  const end = waiting.length > 0 ? 'is still waiting' : 'is not waiting'
  yield violation(`${actor} never rang ${name}, and it ${end}.`, [armed, ...waiting])
}

function violation(text: string, evidence: readonly Evidence[]): Violation {
  return { check: 'timers', text, evidence }
}

/** The time of the last commit. */
function endOf({ commits }: Indexed): number {
  let end = 0
  for (const { writtenAt } of commits) end = Math.max(end, writtenAt)
  return end
}
