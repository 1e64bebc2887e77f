// The promises, held against a log, the answers that were given, and the nodes.

import { AssertionError } from 'node:assert'

import type { AnyActorDefinition } from '../actor/definition.js'
import type { LogRecord } from '../model/commit.js'
import { checkAnswers } from './check-answers.js'
import { checkHistories } from './check-histories.js'
import { checkNodes } from './check-nodes.js'
import type { ClusterNode } from './cluster-node.js'
import { Histories } from './histories.js'
import type { Journal } from './journal.js'

/** What a check has looked at. */
export interface CheckSummary {
  readonly actors: number
  readonly commits: number
  readonly events: number
  /** Commands sent through the nodes, repeats included. */
  readonly commands: number
  /** Of those: carried out, of which `duplicates` had been before. */
  readonly carriedOut: number
  readonly duplicates: number
  /** Refused by their actor. */
  readonly refused: number
  /** Ended in an error, or told without waiting for an answer. */
  readonly unanswered: number
}

export interface Checked {
  readonly seed: number
  readonly actors: readonly AnyActorDefinition[]
  readonly records: readonly LogRecord[]
  readonly journal: Journal
  readonly nodes: readonly ClusterNode[]
}

/** Problems shown at most; the first ones usually cause the others. */
const shownMax = 10

export async function checkCluster({
  seed,
  actors,
  records,
  journal,
  nodes,
}: Checked): Promise<CheckSummary> {
  const histories = new Histories(actors, records)
  const problems = [
    ...checkHistories(histories, records),
    ...checkAnswers(histories, journal),
    ...(await checkNodes(histories, nodes)),
  ]
  if (problems.length > 0) throw broken(problems, seed)
  const { sent, answered } = journal
  const outcomes = answered.map(({ ended }) => ended.outcome)
  const carriedOut = outcomes.filter(outcome => outcome.ok)
  const commits = records.filter(record => record.kind === 'commit')
  return {
    actors: [...histories.all()].length,
    commits: commits.length,
    events: commits.reduce((sum, { events }) => sum + events.length, 0),
    commands: sent.length,
    carriedOut: carriedOut.length,
    duplicates: carriedOut.filter(({ duplicate }) => duplicate).length,
    refused: outcomes.length - carriedOut.length,
    unanswered: sent.length - outcomes.length,
  }
}

function broken(problems: readonly string[], seed: number): AssertionError {
  const more = problems.length - shownMax
  const lines = problems.slice(0, shownMax)
  if (more > 0) lines.push(`… and ${more} more.`)
  const message = `Promises are broken:\n\n${lines.join('\n')}\n\nRepeat with seed ${seed}.`
  return new AssertionError({
    message,
    operator: 'check',
    actual: problems,
    expected: [],
  })
}
