// Whatever is thrown is described by short, well-formed text, and describing it never throws.

import pino from 'pino'
import t from 'tap'

import {
  decodeDeadLetter,
  encodeDeadLetter,
  toDeadLetterError,
} from '../../src/codec/dead-letter.js'
import { isCairnError, messageOf } from '../../src/model/errors.js'
import { describeThrown, loggableError } from '../../src/model/thrown.js'
import { afterFailure, retryPolicy } from '../../src/model/retry-policy.js'
import { plainError } from '../../src/machine/child-events.js'
import { guardedLog } from '../../src/runtime/guarded-log.js'
import { oddValues, randomOddValues } from '../support/odd-values.js'

// Only those that are described are dealt with; others are made to be looked at.
process.on('unhandledRejection', () => {})

const all = [...oddValues, ...randomOddValues(1_000, 7)]

function isText(value: unknown, max: number): boolean {
  return typeof value === 'string' && value.length <= max && value.isWellFormed()
}

await t.test('a thrown value is described by short, well-formed text', async t => {
  for (const { name: title, make } of all) {
    const thrown = make()
    const { name, message, stack = '' } = describeThrown(thrown)
    t.ok(
      isText(name, 256) && name !== '' && isText(message, 2_048) && isText(stack, 8_192),
      title,
    )
    t.equal(messageOf(thrown), message, title)
  }
})

await t.test('a dead letter keeps what is known of it', async t => {
  const about = {
    source: 'topics',
    reason: 'terminal',
    attempts: 1,
    redrives: 0,
  } as const
  const times = { firstAt: 1, lastAt: 1, markedAt: 1 }
  for (const { name, make } of all) {
    const error = toDeadLetterError(make())
    const message = { id: 'm', topic: 't' }
    const { headers, body } = encodeDeadLetter({ message, error, ...about, ...times })
    const read = decodeDeadLetter(Object.fromEntries(headers), body)
    t.ok(typeof read === 'object' && read.error.message === error.message, name)
  }
})

await t.test('the description tells the reason', async t => {
  const described = (thrown: unknown) => messageOf(thrown)
  t.equal(
    described(Object.assign(Object.create(null), { status: 503 })),
    '[Object: null prototype] { status: 503 }',
  )
  t.equal(
    described(Object.assign(new Error('x'), { message: { status: 503 } })),
    '{ status: 503 }',
  )
  t.equal(described({ message: 'of another realm' }), 'of another realm')
  t.equal(described(new AggregateError([new Error('one'), new Error('two')])), 'one; two')
  t.equal(
    described(Object.assign(new Error(''), { code: 'ECONNREFUSED' })),
    'ECONNREFUSED',
  )
  t.equal(described(undefined), 'undefined')
  t.equal(described(Symbol('s')), 'Symbol(s)')
  const { stack } = describeThrown(new Error('outer', { cause: new Error('inner') }))
  t.match(stack, /Error: outer[\s\S]*\[cause\]: Error: inner/)
})

await t.test(
  'no thrown value is taken for an error of Cairn, nor upsets what reads it',
  async t => {
    const policy = retryPolicy({ attempts: 3 })
    for (const { name, make } of all) {
      t.notOk(isCairnError(make()), name)
      const next = afterFailure(policy, 1, make())
      t.ok(typeof next === 'number' && next >= 0, name)
      t.doesNotThrow(
        () =>
          JSON.stringify(plainError(make()), (_, value: unknown) =>
            typeof value === 'bigint' ? String(value) : value,
          ),
        name,
      )
    }
  },
)

await t.test('every logger can write it', async t => {
  const lines: string[] = []
  const log = guardedLog(pino({ level: 'debug' }, { write: line => lines.push(line) }))
  for (const { name, make } of all)
    log.child({ part: 'x' }).error({ err: make(), name }, 'failed')
  t.equal(lines.length, all.length)
  for (const line of lines) {
    const { err, msg } = JSON.parse(line) as { err: { message: unknown }; msg: string }
    t.ok(
      msg === 'failed' && typeof err.message === 'string' && line.length < 20_000,
      line.slice(0, 200),
    )
  }
  for (const { name, make } of all) t.ok(loggableError(make()) instanceof Error, name)
})

await t.test('a policy whose function throws or returns a promise retries', async t => {
  for (const { name, make } of oddValues) {
    const faults: unknown[] = []
    const when = () => {
      throw make()
    }
    const policy = retryPolicy({ attempts: 2, first: 5, when })
    t.equal(
      afterFailure(policy, 1, new Error('x'), fault => faults.push(fault)),
      5,
      name,
    )
    t.equal(afterFailure(policy, 2, new Error('x')), 'max-attempts-exhausted', name)
    t.equal(faults.length, 1)
  }
  const asynchronous = retryPolicy({
    first: 5,
    when: (async () => Promise.reject(new Error('x'))) as never,
  })
  t.equal(afterFailure(asynchronous, 1, new Error('x')), 5)
})
