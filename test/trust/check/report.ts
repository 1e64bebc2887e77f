// What a run was like, as lines of text: how much was asked and what came of it, what the faults did, and what is wrong.

import type { Fault, History, Sample } from '../history.js'
import { isOf, recoveriesOf } from './faults.js'
import { countBy, longestGap, median, percent, seconds } from './figures.js'
import { type Indexed, indexHistory } from './history-index.js'
import { isEventTopic, put } from './messages.js'
import { intentOf, isOk, isUnknown, type Operation } from './operations.js'
import type { Violation } from './violation.js'

const shownMax = 10

export function report(history: History, violations: readonly Violation[]): string[] {
  const indexed = indexHistory(history)
  const { seed, place, minutes } = history.run
  return [
    `namespace ${indexed.namespace}, place ${place}, seed ${seed}, ${minutes} minutes`,
    ...section('operations', operationLines(indexed)),
    ...section('unknown outcomes', unknownLines(indexed)),
    ...section('log', logLines(indexed)),
    ...section('faults', faultLines(indexed)),
    ...section('processes', processLines(history)),
    ...section('violations', violationLines(violations)),
  ]
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map(line => `  ${line}`)]
}

function operationLines({ operations }: Indexed): string[] {
  return countBy(operations, ({ invoked, completed }) => {
    const { workload, call } = invoked
    const outcome = completed?.outcome ?? 'no end'
    const code = completed?.code === undefined ? '' : ` ${completed.code}`
    const again = completed?.duplicate === true ? ' duplicate' : ''
    return `${workload} ${call}: ${outcome}${code}${again}`
  }).map(([key, count]) => `${key} ${count}`)
}

function unknownLines(indexed: Indexed): string[] {
  const { operations } = indexed
  const writes = operations.filter(({ invoked }) => intentOf(invoked) !== undefined)
  const unknown = writes.filter(isUnknown)
  return [
    `${unknown.length} of ${writes.length} writes (${percent(unknown.length, writes.length)})`,
    ...countBy(unknown, operation => resolutionOf(indexed, operation)).map(
      ([resolution, count]) => `${resolution} ${count}`,
    ),
  ]
}

function resolutionOf({ attempts, stored }: Indexed, operation: Operation): string {
  const key = intentOf(operation.invoked)!
  const { at } = operation.invoked
  const isAnswered = (attempts.get(key) ?? []).some(
    other => isOk(other) && other.invoked.at > at,
  )
  if (isAnswered) return 'answered by a later attempt:'
  if (stored.has(key)) return 'stored:'
  // What a durable command leads to is not stored under its own name until it is handled.
  return 'absent:'
}

function logLines({ commits, timelines, messages, dead }: Indexed): string[] {
  const events = commits.reduce((sum, commit) => sum + commit.events.length, 0)
  const topics = [...messages.topics]
    .filter(topic => !isEventTopic(topic))
    .map(topic => `${topic} ${messages.on(topic).length}`)
  return [
    `${commits.length} commits, ${events} events, ${timelines.size} actors, ${dead.length} dead letters`,
    `messages: ${topics.join(', ') || 'none'}`,
  ]
}

function faultLines({ faults, operations }: Indexed): string[] {
  const answered = operations
    .filter(isOk)
    .map(({ completed }) => completed.at)
    .toSorted((a, b) => a - b)
  const recoveries = recoveriesOf(faults)
  return countBy(
    faults.filter(({ phase }) => phase === 'begun'),
    ({ fault }) => fault,
  ).map(([fault, count]) => {
    const intervals = intervalsOf(faults, fault)
    const gaps = intervals.map(([from, to]) => longestGap(answered, from, to))
    const after = recoveries
      .filter(({ healed }) => healed.fault === fault)
      .flatMap(({ recovered }) => recovered?.after ?? [])
    return (
      `${fault} ${count}: longest time without an answer ${seconds(Math.max(0, ...gaps))}; recovered after ` +
      `${seconds(median(after))} (median), ${seconds(Math.max(0, ...after))} (max), ${after.length} times`
    )
  })
}

/** From the begin of each fault to its recovery, or to its heal where none is told. */
function intervalsOf(
  faults: readonly Fault[],
  name: string,
): [from: number, to: number][] {
  return faults.flatMap((begun): [number, number][] => {
    if (begun.phase !== 'begun' || begun.fault !== name) return []
    const ends = faults.filter(end => end.at >= begun.at && isOf(end, begun))
    const end =
      ends.find(({ phase }) => phase === 'recovered') ??
      ends.find(({ phase }) => phase === 'healed')
    return end === undefined ? [] : [[begun.at, end.at]]
  })
}

function processLines({ entries }: History): string[] {
  const samples = new Map<string, Sample[]>()
  for (const entry of entries) if (entry.kind === 'sample') put(samples, entry.of, entry)
  return [...samples].map(([name, ofProcess]) => {
    const rss = ofProcess.map(sample => sample.rss / 2 ** 20)
    const files = ofProcess.map(sample => sample.files)
    return `${name}: rss ${course(rss)} MiB, open files ${course(files)}`
  })
}

/** Loops, because a long run has more samples than a call may have arguments. */
function course(numbers: readonly number[]): string {
  const max = numbers.reduce((most, one) => Math.max(most, one), 0)
  const shown = [numbers[0] ?? 0, max, numbers.at(-1) ?? 0].map(Math.round)
  return `${shown[0]} first, ${shown[1]} max, ${shown[2]} last`
}

function violationLines(violations: readonly Violation[]): string[] {
  const byCheck = new Map<string, Violation[]>()
  for (const violation of violations) put(byCheck, violation.check, violation)
  return [...byCheck].flatMap(([check, ofCheck]) => [
    `${check}: ${ofCheck.length}`,
    ...ofCheck
      .slice(0, shownMax)
      .flatMap(({ text, evidence }) => [
        `  ${text}`,
        ...evidence
          .slice(0, shownMax)
          .map(line => `    ${shortened(JSON.stringify(line))}`),
      ]),
    ...(ofCheck.length > shownMax ? [`  … and ${ofCheck.length - shownMax} more.`] : []),
  ])
}

/** A commit may carry a large state. */
function shortened(text: string): string {
  const max = 1_000
  return text.length > max ? `${text.slice(0, max)}…` : text
}
