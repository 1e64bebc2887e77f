// What was told to be absent is absent: after an error that claims that nothing was stored, after a rejection and after
// a conflict. Another attempt at the same thing may have stored it, if it was made before the thing was stored.

import { claimOf } from './claims.js'
import type { Indexed, Stored } from './history-index.js'
import {
  claimsAbsence,
  evidenceOf,
  isRejected,
  mayHaveStored,
  nameOf,
  type Operation,
} from './operations.js'
import type { Violation } from './violation.js'

export function* absence(history: Indexed): Iterable<Violation> {
  for (const wrong of wronglyTold(history)) {
    const { told, stored } = wrong
    if (isRejected(told) || told.completed?.outcome === 'conflict') continue
    const { code } = told.completed!
    yield {
      check: 'absence',
      text:
        `${nameOf(told)} ended with ${code}, and it is stored at position ${stored.line.position}. The documentation ` +
        `says: "${claimOf(told.invoked.call, code)}"`,
      evidence: evidenceOfWrong(wrong),
    }
  }
}

export function* rejectedIsAbsent(history: Indexed): Iterable<Violation> {
  for (const wrong of wronglyTold(history)) {
    const { told, stored } = wrong
    if (isRejected(told))
      yield {
        check: 'rejected-is-absent',
        text: `${nameOf(told)} was rejected, and it is stored at position ${stored.line.position}.`,
        evidence: evidenceOfWrong(wrong),
      }
  }
}

export function* conflictIsAbsent(history: Indexed): Iterable<Violation> {
  for (const wrong of wronglyTold(history)) {
    const { told, stored } = wrong
    if (told.completed?.outcome === 'conflict')
      yield {
        check: 'conflict-is-absent',
        text: `${nameOf(told)} was told of a conflict, and it is stored at position ${stored.line.position}.`,
        evidence: evidenceOfWrong(wrong),
      }
  }
}

interface WronglyTold {
  readonly told: Operation
  readonly stored: Stored
  readonly attempts: readonly Operation[]
}

function* wronglyTold(history: Indexed): Iterable<WronglyTold> {
  for (const [key, stored] of history.stored) {
    const attempts = history.attempts.get(key)
    if (attempts === undefined) continue
    for (const one of stored) {
      const before = attempts.filter(
        ({ invoked }) => invoked.at <= history.storedBy(one.line),
      )
      if (before.some(mayHaveStored)) continue
      const told =
        before.find(isRejected) ??
        before.find(({ completed }) => completed?.outcome === 'conflict') ??
        before.find(claimsAbsence)
      if (told === undefined) continue
      yield { told, stored: one, attempts }
      break // A transaction has several commits.
    }
  }
}

function evidenceOfWrong({ attempts, stored }: WronglyTold) {
  return [...evidenceOf(attempts), stored.line]
}
