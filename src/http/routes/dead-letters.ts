// Dead letters: listed, also as CSV, sent again and discarded.
//
// What a dead letter carries may be of anybody: the data of its message and the text of its error are shown to operators
// alone. Readers see that it is there, and why.

import { defined } from '../../model/defined.js'
import type { DeadLetter } from '../../delivery/dead-letters/dead-letters.js'
import { deadLetterView } from '../../runtime/views/dead-letter.js'
import { toJson } from '../../codec/json.js'
import { flag, oneOf, optional, text, time, withDefault } from '../fields.js'
import { hasRole, type Principal } from '../principal.js'
import { Problem } from '../problem.js'
import { type Route, route, TextStream } from '../route.js'
import { countSchema, flagSchema, listOf, objectOf } from '../schema.js'
import { csvLine } from './csv.js'
import { schemaOf } from './schemas.js'
import { afterPosition, firstOf, limitField, positionParams } from './shared.js'

const filter = {
  reactor: optional(text('Only of this reactor; consumers are `consumer:NAME`.')),
  topic: optional(text('Only of this topic.')),
  reason: optional(text('Only those with this reason.')),
  error: optional(text('Only those whose error has this name.')),
  before: optional(time('Only those given up before this time.')),
  since: optional(time('Only those given up at this time or later.')),
}

const list = route({
  method: 'get',
  path: '/v1/dead-letters',
  id: 'listDeadLetters',
  tag: 'dead letters',
  summary:
    'Lists dead letters, oldest first; as CSV with `accept: text/csv` or `format=csv`.',
  role: 'reader',
  query: {
    ...filter,
    ...afterPosition,
    ...limitField,
    format: optional(oneOf('In place of the header accept.', ['json', 'csv'])),
  },
  answer: {
    description:
      'Dead letters; to an operator with the data of their messages and the texts of their errors. As CSV: all that ' +
      'match, whatever the limit.',
    schema: objectOf({
      deadLetters: listOf(schemaOf('DeadLetter')),
      next: {
        type: ['integer', 'null'],
        description: 'Where the next answer continues, as `after`; null: none is left.',
      },
    }),
    types: ['application/json', 'text/csv'],
  },
  async handle({ query }, { node, signal, principal, wantsCsv }) {
    const { format, limit, ...wanted } = query
    const options = defined(wanted)
    if ((format ?? (wantsCsv ? 'csv' : 'json')) === 'csv')
      return new TextStream(
        'text/csv; charset=utf-8; header=present',
        csvOf(node.deadLetters.list({ ...options, signal }), principal),
      )
    const all = node.deadLetters.list({ ...options, signal })
    const { entries, hasMore } = await firstOf(all, limit)
    return {
      deadLetters: entries.map(letter => viewFor(letter, principal)),
      next: hasMore ? entries.at(-1)!.position : null,
    }
  },
})

const get = route({
  method: 'get',
  path: '/v1/dead-letters/{position}',
  id: 'readDeadLetter',
  tag: 'dead letters',
  summary: 'Reads a dead letter.',
  role: 'reader',
  params: positionParams,
  answer: { description: 'The dead letter.', schema: schemaOf('DeadLetter') },
  problems: { 404: 'There is no such dead letter.' },
  handle: async ({ params }, { node, signal, principal }) =>
    viewFor(await node.deadLetters.get(params.position, { signal }), principal),
})

const retry = route({
  method: 'post',
  path: '/v1/dead-letters/{position}/retry',
  id: 'retryDeadLetter',
  tag: 'dead letters',
  summary: 'Sends the message of a dead letter to its reactor again.',
  role: 'operator',
  params: positionParams,
  body: {},
  answer: { description: 'It was sent again.', schema: objectOf({ count: countSchema }) },
  problems: { 404: 'There is no such dead letter.' },
  async handle({ params }, { node, signal }) {
    await node.deadLetters.retry(params.position, { signal })
    return { count: 1 }
  },
})

const discard = route({
  method: 'delete',
  path: '/v1/dead-letters/{position}',
  id: 'discardDeadLetter',
  tag: 'dead letters',
  summary: 'Removes a dead letter for good.',
  role: 'operator',
  params: positionParams,
  answer: { description: 'It is removed.', schema: objectOf({ count: countSchema }) },
  problems: { 404: 'There is no such dead letter.' },
  async handle({ params }, { node, signal }) {
    // Throws for one that is not stored; `discard` does not.
    await node.deadLetters.get(params.position, { signal })
    await node.deadLetters.discard(params.position)
    return { count: 1 }
  },
})

const bulk = {
  ...filter,
  dryRun: withDefault(flag('Only counts them.'), false),
}
const bulkAnswer = {
  description: 'How many there were.',
  schema: objectOf({ count: countSchema, dryRun: flagSchema }),
}

const retryAll = route({
  method: 'post',
  path: '/v1/dead-letters/retry',
  id: 'retryDeadLetters',
  tag: 'dead letters',
  summary: 'Sends the messages of all dead letters that match again.',
  role: 'operator',
  body: bulk,
  answer: bulkAnswer,
  async handle({ body }, { node, signal }) {
    const count = await node.deadLetters.retryAll({ ...defined(body), signal })
    return { count, dryRun: body.dryRun }
  },
})

const discardAll = route({
  method: 'post',
  path: '/v1/dead-letters/discard',
  id: 'discardDeadLetters',
  tag: 'dead letters',
  summary: 'Removes all dead letters that match for good; the filter must not be empty.',
  role: 'operator',
  body: bulk,
  answer: bulkAnswer,
  async handle({ body }, { node, signal }) {
    const { dryRun, ...wanted } = defined(body)
    refuseEmpty(wanted)
    const count = await node.deadLetters.discardAll({ ...wanted, dryRun, signal })
    return { count, dryRun: body.dryRun }
  },
})

function refuseEmpty(wanted: object): void {
  if (Object.keys(wanted).length > 0) return
  throw new Problem(
    'invalid-request',
    'The body selects nothing: give at least one of reactor, topic, reason, error, before and since.',
  )
}

function viewFor(letter: DeadLetter, principal: Principal) {
  const view = deadLetterView(letter)
  if (hasRole(principal, 'operator')) return view
  const { position, reactor, reason, attempts, firstAt, lastAt, markedAt } = view
  const { id, topic, at } = view.message
  const { name } = view.error
  return {
    position,
    reactor,
    reason,
    attempts,
    firstAt,
    lastAt,
    markedAt,
    error: { name },
    message: { id, topic, at },
  }
}

const columns = [
  'position',
  'reactor',
  'topic',
  'message',
  'reason',
  'attempts',
  'firstAt',
  'lastAt',
  'markedAt',
  'errorName',
  'errorMessage',
  'data',
] as const

async function* csvOf(
  letters: AsyncIterable<DeadLetter>,
  principal: Principal,
): AsyncGenerator<string> {
  yield csvLine(columns)
  const isShown = hasRole(principal, 'operator')
  for await (const letter of letters) {
    const { position, reactor, reason, attempts, message, error } = letter
    const { firstAt, lastAt, markedAt } = deadLetterView(letter)
    yield csvLine([
      position,
      reactor,
      message.topic,
      message.id,
      reason,
      attempts,
      firstAt,
      lastAt,
      markedAt,
      error.name,
      isShown ? error.message : '',
      isShown ? toJson(message.data ?? null) : '',
    ])
  }
}

export const deadLetterRoutes: readonly Route[] = [
  list,
  retryAll,
  discardAll,
  get,
  discard,
  retry,
]
