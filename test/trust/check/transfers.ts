// P2 over several actors: a transfer is stored as a whole or not at all, no purse is overdrawn, and no prefix of the log
// that ends with a transaction has more or less money than was brought in.

import type { Indexed } from './history-index.js'
import { evidenceOf, intent } from './operations.js'
import { isObject } from './same.js'
import { type CommitLine, typeOf } from './timeline.js'
import type { Violation } from './violation.js'

interface Move {
  readonly commit: CommitLine
  readonly type: string
  readonly amount: number
  readonly transfer: string
}

export function* wholeTransfers(history: Indexed): Iterable<Violation> {
  for (const [transfer, moves] of movesByTransfer(history)) {
    const problem = problemOf(history, transfer, moves)
    if (problem !== undefined)
      yield {
        check: 'whole-transfers',
        text: `Transfer ${transfer} ${problem}.`,
        evidence: [
          ...evidenceOf(history.attempts.get(intent.transaction(transfer)) ?? []),
          ...moves.map(({ commit }) => commit),
        ],
      }
  }
}

function problemOf(
  { attempts }: Indexed,
  transfer: string,
  moves: readonly Move[],
): string | undefined {
  const taken = moves.filter(({ type }) => type === 'taken')
  const given = moves.filter(({ type }) => type === 'given')
  if (taken.length !== 1 || given.length !== 1)
    return `was taken ${taken.length} times and given ${given.length} times`
  const [from, to] = [taken[0]!, given[0]!]
  if (from.amount !== to.amount) return `took ${from.amount} and gave ${to.amount}`
  if (from.commit.transactionId !== to.commit.transactionId)
    return 'was stored by two transactions'
  const asked = attempts.get(intent.transaction(transfer))?.[0]?.invoked.data
  if (!isObject(asked)) return undefined
  const isAsked =
    from.amount === asked['amount'] &&
    isActor(from.commit.actor, asked['from']) &&
    isActor(to.commit.actor, asked['to'])
  return isAsked ? undefined : 'is not what was asked for'
}

/** Clients name a purse with its type or without. */
function isActor(actor: string, named: unknown): boolean {
  return actor === named || actor === `purse/${String(named)}`
}

function movesByTransfer({ commits }: Indexed): Map<string, Move[]> {
  const moves = new Map<string, Move[]>()
  for (const commit of commits) {
    if (typeOf(commit.actor) !== 'purse') continue
    for (const { type, data } of commit.events) {
      if (type === 'opened' || !isObject(data)) continue
      const transfer = String(data['transfer'])
      const move = { commit, type, transfer, amount: Number(data['amount']) }
      moves.set(transfer, [...(moves.get(transfer) ?? []), move])
    }
  }
  return moves
}

export function* noDebt({ commits }: Indexed): Iterable<Violation> {
  const balances = new Map<string, number>()
  for (const commit of commits) {
    const { actor, position } = commit
    if (typeOf(actor) !== 'purse') continue
    for (const { brought, moved } of changesOf(commit)) {
      const balance = (balances.get(actor) ?? 0) + brought + moved
      balances.set(actor, balance)
      if (balance < 0)
        yield {
          check: 'no-debt',
          text: `${actor} has ${balance} after position ${position}.`,
          evidence: [commit],
        }
    }
  }
}

export function* conservation({ commits }: Indexed): Iterable<Violation> {
  const left = new Map<string, number>()
  for (const { transactionId } of commits)
    if (transactionId !== undefined)
      left.set(transactionId, (left.get(transactionId) ?? 0) + 1)
  const open = new Set<string>()
  let difference = 0
  for (const commit of commits) {
    const { actor, transactionId, position } = commit
    if (typeOf(actor) === 'purse')
      for (const { moved } of changesOf(commit)) difference += moved
    if (transactionId !== undefined) {
      const count = left.get(transactionId)! - 1
      left.set(transactionId, count)
      if (count > 0) open.add(transactionId)
      else open.delete(transactionId)
    }
    if (difference === 0 || open.size > 0) continue
    yield {
      check: 'conservation',
      text:
        `After position ${position} the purses hold ${Math.abs(difference)} ` +
        `${difference > 0 ? 'more' : 'less'} than was brought in.`,
      evidence: [commit],
    }
    difference = 0 // What follows is told by itself.
  }
}

function changesOf({ events }: CommitLine) {
  return events.map(({ type, data }) => {
    const amount = isObject(data) ? Number(data['amount']) : 0
    if (type === 'opened') return { brought: amount, moved: 0 }
    return { brought: 0, moved: type === 'taken' ? -amount : amount }
  })
}
