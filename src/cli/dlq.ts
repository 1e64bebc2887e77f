// cairn dlq: the dead letters of reactors, consumers and durable commands: list them, redrive them,
// discard them.

import { exitCode, UsageError } from '../program/exit-codes.js'
import { countFlag, type ParsedFlags, isSet, textFlags } from '../program/flags.js'
import {
  type DeadLetterBulkOptions,
  type DeadLetterQueue,
  deadLetterQueue,
} from '../delivery/dead-letters/dead-letter-queue.js'
import type { DeadLetterFilter } from '../delivery/dead-letters/dead-letters.js'
import { type CliCommand, verbOf, withNamespace } from './command.js'
import { confirm, confirmFlags } from './confirm.js'
import { type DeadLetterView, deadLetterView } from '../runtime/views/dead-letter.js'
import { deadLetterColumns, deadLetterLine } from './dead-letter-line.js'
import { complain, print, printRow } from './output.js'
import { toJson } from '../codec/json.js'
import { Table } from './table.js'
import { defined } from '../model/defined.js'
import { programs } from '../model/programs.js'

const verbs = [
  'list',
  'show',
  'retry',
  'retry-all',
  'discard',
  'discard-all',
  'export',
] as const
const verbsWithPositions: readonly string[] = ['show', 'retry', 'discard']

export const dlq: CliCommand = {
  usage:
    'dlq list|show|retry|retry-all|discard|discard-all|export [POSITION…] [--where F=V]…',
  flags: {
    where: { type: 'string', multiple: true },
    limit: { type: 'string' },
    'dry-run': { type: 'boolean' },
    ...confirmFlags,
  },
  verbs,
  help: `  list               one line each, oldest first
  show POSITION…     in full, with the message's data and the error's stack
  retry POSITION…    send to its reactor again; retry-all: all that --where selects
  discard POSITION…  remove for good; discard-all: all that --where selects, at least one --where
                     must be given
  export             in full, one JSON object a line
  --where F=V        only those whose reactor, topic, reason or error is V, or that are from
                     before=TIME or since=TIME (ISO 8601); with more than one, all must hold
  --limit N          no more than N
  --dry-run          retry, retry-all, discard, discard-all: only count them
  --yes              discard, discard-all: do not ask; a script is not asked
`,
  run(flags, signal, progress) {
    const [given = '', ...rest] = flags.positionals
    const verb = verbOf(given, verbs)
    const positions = positionsOf(verb, rest)
    const filter = filterOf(flags)
    const limit = countFlag(flags, 'limit', 1)
    if (verb === 'discard-all' && Object.keys(filter).length === 0)
      throw new UsageError('discard-all removes what --where selects: give at least one.')
    const all: DeadLetterBulkOptions = {
      ...filter,
      ...defined({ limit }),
      dryRun: isSet(flags, 'dry-run'),
      signal,
    }
    return withNamespace(flags, async open => {
      const box = deadLetterQueue(open)
      switch (verb) {
        case 'list':
        case 'export':
          await list(flags, box, all, verb === 'export')
          break
        case 'show':
          for (const position of positions)
            await print(toJson(deadLetterView(await box.get(position, { signal }))))
          break
        case 'retry':
          for (const position of positions)
            if (all.dryRun === true) await box.get(position, { signal })
            else await box.retry(position, { signal })
          await report(flags, 'sent again', positions.length, all.dryRun)
          break
        case 'discard':
          // Throws for one that is not stored; `discard` does not.
          for (const position of positions) await box.get(position, { signal })
          if (all.dryRun !== true) {
            await confirmDiscard(positions.length)
            for (const position of positions) await box.discard(position)
          }
          await report(flags, 'discarded', positions.length, all.dryRun)
          break
        case 'retry-all':
          await report(flags, 'sent again', await box.retryAll(all), all.dryRun)
          break
        case 'discard-all':
          if (all.dryRun !== true && process.stdin.isTTY && !isSet(flags, 'yes'))
            await confirmDiscard(await box.discardAll({ ...all, dryRun: true }))
          await report(flags, 'discarded', await box.discardAll(all), all.dryRun)
          break
      }
      return exitCode.ok

      function confirmDiscard(count: number): Promise<void> {
        const letters = `${count} ${count === 1 ? 'dead letter' : 'dead letters'}`
        return confirm(flags, `This discards ${letters}`, progress, signal)
      }
    })
  },
}

async function list(
  flags: ParsedFlags,
  box: DeadLetterQueue,
  { limit = Infinity, dryRun: _dryRun, ...options }: DeadLetterBulkOptions,
  isExport: boolean,
): Promise<void> {
  const table = new Table<DeadLetterView>(flags, {
    columns: deadLetterColumns,
    line: deadLetterLine,
  })
  let shown = 0
  for await (const letter of box.list(options)) {
    if (shown++ >= limit) break
    const view = deadLetterView(letter)
    if (isExport) await print(toJson(view))
    else await table.row(view)
  }
  await table.end()
  const isFiltered = Object.keys(filterOf(flags)).length > 0
  if (shown === 0)
    complain(
      isFiltered
        ? 'There is no such dead letter.'
        : 'There are no dead letters in this namespace.',
    )
}

async function report(
  flags: ParsedFlags,
  done: string,
  number: number,
  dryRun = false,
): Promise<void> {
  const letters = `${number} ${number === 1 ? 'dead letter' : 'dead letters'}`
  const line = `${letters} ${dryRun ? 'would be ' : ''}${done}`
  await printRow(flags, { count: number, dryRun }, line)
}

function positionsOf(verb: string, given: readonly string[]): number[] {
  const takesPositions = verbsWithPositions.includes(verb)
  if (takesPositions && given.length === 0)
    throw new UsageError(
      `POSITION is missing: ${programs.cairn} dlq ${verb} POSITION…, as "${programs.cairn} dlq list" prints them.`,
    )
  if (!takesPositions && given.length > 0)
    throw new UsageError(
      `${JSON.stringify(given[0])} is one argument too many for ${programs.cairn} dlq ${verb}.`,
    )
  return given.map(positionOf)
}

function positionOf(given: string): number {
  if (/^[1-9]\d{0,14}$/.test(given)) return Number(given)
  throw new UsageError(
    `${JSON.stringify(given)} is not a position: use a whole number from 1.`,
  )
}

function filterOf(flags: ParsedFlags): DeadLetterFilter {
  const filter: Record<string, string | number> = {}
  for (const where of textFlags(flags, 'where')) {
    const [, name = '', value = ''] = /^(\w+)=(.+)$/s.exec(where) ?? []
    if (['reactor', 'topic', 'reason', 'error'].includes(name)) filter[name] = value
    else if (name === 'before' || name === 'since') filter[name] = timeOf(value)
    else
      throw new UsageError(
        `--where ${JSON.stringify(where)}: use reactor=, topic=, reason=, error=, before= or since=.`,
      )
  }
  return filter
}

function timeOf(value: string): number {
  const at = Date.parse(value)
  if (Number.isFinite(at)) return at
  throw new UsageError(
    `${JSON.stringify(value)} is not a time: write it as 2026-01-31T12:00:00Z.`,
  )
}
