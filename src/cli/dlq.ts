// cairn dlq: the messages that reactors have given up, and commands that could not be carried out: look at
// them, send them again, throw them away.

import { CairnError } from '../model/errors.js'
import { formatAddress } from '../model/address.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { count, type Flags, isSet, texts } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { deadLetterMark } from '../delivery/reactor/attempt-log.js'
import {
  type DeadLetterAllOptions,
  deadLetterBox,
} from '../delivery/dead-letters/dead-letter-box.js'
import type {
  DeadLetter,
  DeadLetterFilter,
} from '../delivery/dead-letters/dead-letters.js'
import { type CliCommand, wantsJson, withNamespace } from './command.js'
import { complain, print, toJson } from './output.js'

const orders = ['list', 'show', 'retry', 'retry-all', 'discard', 'discard-all', 'export']

export const dlq: CliCommand = {
  usage:
    'dlq list|show|retry|retry-all|discard|discard-all|export [POSITION…] [--where F=V]…',
  summary: 'list dead letters, send them again, or throw them away',
  flags: {
    where: { type: 'string', multiple: true },
    limit: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  help: `  list               one line each, oldest first
  show POSITION…     whole, with the message's data and the error's stack
  retry POSITION…    send to its reactor again; retry-all: all that --where lets through
  discard POSITION…  throw away for good; discard-all: all that --where lets through, of which
                     there must be one
  export             whole, one JSON object a line
  --where F=V        only those whose reactor, topic, reason or error is V; or that were given up
                     before=TIME or since=TIME (ISO 8601); more than one: all must hold
  --limit N          no more than N
  --dry-run          retry-all, discard-all: only say how many
`,
  run(flags, signal) {
    const [order = '', ...rest] = flags.positionals
    if (!orders.includes(order))
      throw new UsageError(
        `${JSON.stringify(order)} is no order: use ${orders.join(', ')}.`,
      )
    const takesPositions = ['show', 'retry', 'discard'].includes(order)
    if (takesPositions === (rest.length === 0))
      throw new UsageError(
        takesPositions
          ? `POSITION is missing: cairn dlq ${order} POSITION…, as "cairn dlq list" tells them.`
          : `${JSON.stringify(rest[0])} is one argument too many for cairn dlq ${order}.`,
      )
    const positions = rest.map(positionOf)
    const filter = filterOf(flags)
    const limit = count(flags, 'limit')
    if (order === 'discard-all' && Object.keys(filter).length === 0)
      throw new UsageError('discard-all throws away what --where lets through: name one.')
    const all: DeadLetterAllOptions = {
      ...filter,
      ...(limit !== undefined && { limit }),
      dryRun: isSet(flags, 'dry-run'),
      signal,
    }
    return withNamespace(flags, async open => {
      const box = deadLetterBox(open)
      const printLetter = (letter: DeadLetter, isWhole: boolean) =>
        print(wantsJson(flags) || isWhole ? toJson(view(letter)) : plain(line(letter)))
      if (takesPositions) {
        for (const position of positions)
          if (order === 'show')
            await printLetter(await box.get(position, { signal }), true)
          else if (order === 'retry') await box.retry(position, { signal })
          else {
            await box.get(position, { signal })
            await box.discard(position)
          }
        if (order !== 'show') await tell(flags, order, positions.length, false)
        return exitCode.ok
      }
      if (order === 'retry-all' || order === 'discard-all') {
        const work = order === 'retry-all' ? box.retryAll(all) : box.discardAll(all)
        await tell(flags, order, await work, all.dryRun === true)
        return exitCode.ok
      }
      let shown = 0
      for await (const letter of box.list({ ...filter, signal })) {
        if (shown++ >= (limit ?? Infinity)) break
        await printLetter(letter, order === 'export')
      }
      if (shown === 0 && order === 'list') complain('There is no such dead letter.')
      return exitCode.ok
    })
  },
}

async function tell(flags: Flags, order: string, number: number, isDry: boolean) {
  const what = order.startsWith('retry') ? 'sent again' : 'thrown away'
  await print(
    wantsJson(flags)
      ? toJson({ count: number, dryRun: isDry })
      : `${number} ${number === 1 ? 'dead letter' : 'dead letters'} ${isDry ? 'would be ' : ''}${what}`,
  )
}

function positionOf(given: string): number {
  if (/^[1-9]\d{0,14}$/.test(given)) return Number(given)
  throw new UsageError(
    `${JSON.stringify(given)} is no position: use a whole number from 1.`,
  )
}

function filterOf(flags: Flags): DeadLetterFilter {
  const filter: Record<string, string | number> = {}
  for (const where of texts(flags, 'where')) {
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
    `${JSON.stringify(value)} is no time: use one as 2026-01-31T12:00:00Z.`,
  )
}

/** Everything, in the words of this project and in those that other systems mark dead letters with. */
function view(letter: DeadLetter) {
  const { message, command, error, reactor, reason, attempts } = letter
  const { markedAt, firstAt, lastAt } = letter
  const { actor, ...rest } = message
  return {
    ...letter,
    ...(command && { command: { ...command, actor: formatAddress(command.actor) } }),
    message: {
      ...rest,
      ...(actor !== undefined && { actor: formatAddress(actor) }),
      at: iso(message.at),
    },
    firstAt: iso(firstAt),
    lastAt: iso(lastAt),
    markedAt: iso(markedAt),
    dlq: {
      ...deadLetterMark(reactor, reason, markedAt),
      'original-topic': message.topic,
      'original-id': message.id,
      error: error.name,
      attempt: attempts,
    },
  }
}

function line({
  position,
  reactor,
  message,
  command,
  reason,
  attempts,
  error,
  markedAt,
}: DeadLetter) {
  const what =
    command === undefined
      ? message.topic
      : `${command.type} to ${formatAddress(command.actor)}`
  const from = message.actor === undefined ? '' : `  ${formatAddress(message.actor)}`
  return (
    `${position}  ${iso(markedAt)}  ${reactor}  ${what}  ${message.id}${from}  ` +
    `${reason} after ${attempts}  ${error.name}: ${error.message.split('\n')[0]}`
  )
}

function iso(at: number): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime()))
    throw new CairnError('storage-failed', `${at} is no time: the record is damaged.`)
  return date.toISOString()
}
