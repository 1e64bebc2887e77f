// The promises, held against the history of a run.

import type { History } from '../history.js'
import { absence, conflictIsAbsent, rejectedIsAbsent } from './absence.js'
import { answers } from './answers.js'
import { conflicts } from './conflicts.js'
import { acknowledged, redelivered } from './consumers.js'
import { contents, invented } from './contents.js'
import { deadLetters } from './dead-letters.js'
import { firstTime } from './first-time.js'
import { handled, phantoms } from './handled.js'
import { handlingOrder } from './handling-order.js'
import { type Indexed, indexHistory } from './history-index.js'
import { machines } from './machines.js'
import { namespaces } from './namespaces.js'
import { storedOnce, toldFirstOnce } from './once.js'
import { processes } from './processes.js'
import { publishes } from './publishes.js'
import { future, realTime } from './real-time.js'
import { malformed, positions } from './records.js'
import { recovery } from './recovery.js'
import { rejections } from './rejections.js'
import { sendsInOrder, sendsTakeEffect } from './sends.js'
import { finalStates, inlineStates, reads } from './states.js'
import { timers } from './timers.js'
import { conservation, noDebt, wholeTransfers } from './transfers.js'
import { versions } from './versions.js'
import type { Violation } from './violation.js'

type Check = (history: Indexed) => Iterable<Violation>

/** By the name that their violations carry. */
export const checks: Readonly<Record<string, Check>> = {
  malformed,
  positions,
  versions,
  namespaces,
  answers,
  'stored-once': storedOnce,
  'told-first-once': toldFirstOnce,
  absence,
  'rejected-is-absent': rejectedIsAbsent,
  'conflict-is-absent': conflictIsAbsent,
  conflicts,
  rejections,
  'real-time': realTime,
  future,
  contents,
  invented,
  'inline-states': inlineStates,
  'final-states': finalStates,
  reads,
  machines,
  'whole-transfers': wholeTransfers,
  'no-debt': noDebt,
  conservation,
  publishes,
  handled,
  phantoms,
  'handling-order': handlingOrder,
  'first-time': firstTime,
  'dead-letters': deadLetters,
  acknowledged,
  redelivered,
  'sends-take-effect': sendsTakeEffect,
  'sends-in-order': sendsInOrder,
  timers,
  recovery,
  processes,
}

export function checkHistory(history: History): Violation[] {
  const indexed = indexHistory(history)
  return Object.values(checks).flatMap(check => [...check(indexed)])
}
