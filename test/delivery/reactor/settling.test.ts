// Settlement of messages: by the handler, by its errors, and as dead letters.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { publish } from '../../../src/actor/effects.js'
import { deferred } from '../../../src/model/wait.js'
import { defineTopic } from '../../../src/model/topic.js'
import {
  defineReactor,
  type ReactorContext,
  type ReactorSpec,
} from '../../../src/delivery/reactor/define-reactor.js'
import type { DeadLetter } from '../../../src/delivery/dead-letters/dead-letters.js'
import type { Message } from '../../../src/delivery/messages/message.js'
import { RetryableError, TerminalError } from '../../../src/model/retry-policy.js'
import type { Node } from '../../../src/runtime/node.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

const patience = { timeout: 60_000 }
const completed = defineTopic('bookings.completed')
const quick = { first: 1, max: 5 }

const booking = defineActor({
  type: 'booking',
  publishes: [completed],
  initialState: 0,
  decide: {
    complete: (_state, n: number) => [event('completed', n), publish(completed, n)],
  },
  evolve: { completed: (state, _n: number) => state + 1 },
})

type Handle = (message: Message, context: ReactorContext) => Promise<void> | void

function reactor(handle: Handle, options: Partial<ReactorSpec<typeof completed>> = {}) {
  return defineReactor({ name: 'mails', on: completed, retry: quick, ...options, handle })
}

async function lettersOf(node: Node): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const letter of node.deadLetters.list()) letters.push(letter)
  return letters
}

const complete = (node: Node, id: string, n: number) =>
  node.spawn(booking, id).ask('complete', n)

await onEachBackend(
  t,
  'A0.7 each settlement takes effect, and a second one is ignored',
  async (t, scene) => {
    const tries = new Map<number, number>()
    const signalled = deferred<void>()
    const ways: Record<number, Handle> = {
      1: () => {},
      2(_message, { ack }) {
        ack()
        throw new Error('after it was settled')
      },
      3(_message, { retry, ack, attempt }) {
        if (attempt > 1) return
        retry(1)
        ack()
      },
      4(_message, { park, ack }) {
        park('a human has to look')
        ack()
      },
      5(_message, { drop, retry }) {
        drop('nobody wants it')
        retry()
      },
      6(_message, { attempt }) {
        if (attempt < 3) throw new Error('twice')
      },
    }
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor((message, context) => {
          const n = message.data as number
          tries.set(n, (tries.get(n) ?? 0) + 1)
          if (n === 7) signalled.resolve()
          return ways[n]?.(message, context)
        }),
      ],
    })
    for (let n = 1; n <= 7; n++) await complete(node, 'one', n)
    await signalled.promise
    t.strictSame(
      [...tries],
      [
        [1, 1],
        [2, 1],
        [3, 2],
        [4, 1],
        [5, 1],
        [6, 3],
        [7, 1],
      ],
      'in order, whatever the outcome of the one before',
    )
    const [letter, ...others] = await lettersOf(node)
    t.strictSame(others, [])
    t.match(letter, {
      reason: 'parked',
      attempts: 1,
      message: { id: 'booking/one/4#0', data: 4 },
      error: { name: 'ParkedMessage', message: 'a human has to look' },
    })
  },
)

await onEachBackend(
  t,
  'A0.8 A2.3 a message that keeps failing becomes a dead letter with all its details, and is not retried',
  async (t, scene) => {
    let calls = 0
    const after: number[] = []
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor(({ data }) => {
          if (data !== 1) return void after.push(data as number)
          calls++
          throw new TypeError('no such guest')
        }),
      ],
    })
    const begun = Date.now()
    await node.spawn(booking, 'b').ask('complete', 1, { correlationId: 'corr-1' })
    await complete(node, 'b', 2)
    const [letter] = await until(async () => {
      const letters = await lettersOf(node)
      return letters.length > 0 && letters
    }, patience)
    await until(() => after.length === 1, patience)
    t.equal(calls, 5)
    t.match(letter, {
      reactor: 'mails',
      source: 'log',
      reason: 'max-attempts-exhausted',
      attempts: 5,
      redrives: 0,
      error: { name: 'TypeError', message: 'no such guest', stack: /no such guest/ },
      message: {
        id: 'booking/b/1#0',
        topic: 'bookings.completed',
        data: 1,
        actor: { type: 'booking', id: 'b' },
        correlationId: 'corr-1',
      },
    })
    const { firstAt, lastAt, markedAt } = letter!
    t.ok(begun <= firstAt && firstAt <= lastAt && lastAt <= markedAt)
    t.equal((await lettersOf(node)).length, 1)
  },
)

await onEachBackend(
  t,
  'a dead letter is sent again to its reactor alone, and its redrives are counted',
  async (t, scene) => {
    let isWell = false
    const seen: { by: string; id: string; redrives: number; attempt: number }[] = []
    const watch =
      (by: string, fail: () => boolean): Handle =>
      ({ id }, { redrives, attempt }) => {
        seen.push({ by, id, redrives, attempt })
        if (fail()) throw new Error('not yet')
      }
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor(
          watch('mails', () => !isWell),
          { retry: { ...quick, attempts: 2 } },
        ),
        defineReactor({
          name: 'audit',
          on: completed,
          handle: watch('audit', () => false),
        }),
      ],
    })
    await complete(node, 'b', 1)
    await node.publish(completed, 2, { id: 'plain' })
    const dead = (count: number, redrives: number) =>
      until(async () => {
        const letters = await lettersOf(node)
        return (
          letters.length === count &&
          letters.every(letter => letter.redrives === redrives) &&
          letters
        )
      }, patience)
    const letters = await dead(2, 0)
    t.strictSame(letters.map(({ source }) => source).toSorted(), ['log', 'topics'])
    for (const { position } of letters) await node.deadLetters.retry(position)
    await dead(2, 1)
    isWell = true
    t.equal(await node.deadLetters.retryAll({ topic: 'another' }), 0)
    t.equal(await node.deadLetters.retryAll({ reactor: 'mails', dryRun: true }), 2)
    t.equal(await node.deadLetters.retryAll({ reactor: 'mails', limit: 1 }), 1)
    t.equal(await node.deadLetters.retryAll(), 1)
    await until(
      () => seen.filter(({ redrives }) => redrives === 2).length === 2,
      patience,
    )
    t.strictSame(await lettersOf(node), [])
    for (const id of ['booking/b/1#0', 'plain']) {
      const mine = seen.filter(one => one.id === id)
      t.strictSame(
        mine
          .filter(({ by }) => by === 'mails')
          .map(({ redrives, attempt }) => [redrives, attempt]),
        [
          [0, 1],
          [0, 2],
          [1, 1],
          [1, 2],
          [2, 1],
        ],
      )
      t.equal(mine.filter(({ by }) => by === 'audit').length, 1, 'another has it once')
    }
    await t.rejects(node.deadLetters.retry(1), { code: 'unknown-dead-letter' })
  },
)

await onEachBackend(
  t,
  'A0.8 errors decide whether they are retried, and otherwise the policy does',
  async (t, scene) => {
    const calls = new Map<number, number>()
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor(
          ({ data }) => {
            const n = data as number
            calls.set(n, (calls.get(n) ?? 0) + 1)
            if (n === 1) throw new TerminalError('never')
            if (n === 2) throw new RetryableError('again', { after: 1 })
            if (n === 3) throw new RangeError('not by the policy')
            if (n === 4) throw new Error('by the policy')
          },
          {
            retry: {
              ...quick,
              attempts: 3,
              when: error => !(error instanceof RangeError),
            },
          },
        ),
      ],
    })
    for (let n = 1; n <= 5; n++) await complete(node, `b${n}`, n)
    await until(async () => (await lettersOf(node)).length === 4, patience)
    await until(() => calls.get(5) === 1, patience)
    const letters = await lettersOf(node)
    const found = letters.map(({ message, reason, attempts }) => [
      message.data,
      reason,
      attempts,
    ])
    t.strictSame(
      found.toSorted(([a], [b]) => Number(a) - Number(b)),
      [
        [1, 'terminal', 1],
        [2, 'max-attempts-exhausted', 3],
        [3, 'terminal', 1],
        [4, 'max-attempts-exhausted', 3],
      ],
    )
    await node.deadLetters.discardAll({ reason: 'terminal' })
    t.equal((await lettersOf(node)).length, 2)
  },
)

await onEachBackend(
  t,
  'A0.9 a stop during an attempt aborts it in time, and the attempt does not count',
  async (t, scene) => {
    const { start } = scene(t)
    const begun = deferred<void>()
    const attempts: number[] = []
    const first = await start({
      actors: [booking],
      reactors: [
        reactor(
          async (_message, { signal, attempt }) => {
            attempts.push(attempt)
            begun.resolve()
            await new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(new Error('aborted'))),
            )
          },
          { retry: { ...quick, attempts: 1 } },
        ),
      ],
    })
    await complete(first, 'b', 1)
    await begun.promise
    await first.close({ timeout: 200 })
    const second = await start({
      actors: [booking],
      reactors: [
        reactor((_message, { attempt, mayBeRepeat }) => {
          t.ok(mayBeRepeat)
          attempts.push(attempt)
        }),
      ],
    })
    await until(() => attempts.length === 2, patience)
    t.strictSame(attempts, [1, 1], 'the interrupted attempt does not count')
    t.strictSame(await lettersOf(second), [])
  },
)

await onEachBackend(
  t,
  'A0.9 a stop lets a healthy handler finish and starts no other, and nothing is handled twice',
  async (t, scene) => {
    const { start } = scene(t)
    const begun = deferred<void>()
    const finish = deferred<void>()
    const steps: string[] = []
    const slow = reactor(async ({ data }, { signal }) => {
      steps.push(`${String(data)} begun`)
      begun.resolve()
      await finish.promise
      steps.push(`${String(data)} ${signal.aborted ? 'aborted' : 'ended'}`)
    })
    const writer = await start({ actors: [booking] })
    const first = await start({ reactors: [slow] })
    await complete(writer, 'a', 1)
    await begun.promise
    const closing = first.close({ timeout: 120_000 }).then(() => steps.push('closed'))
    // Newcomers, one of the same actor and one of another.
    await complete(writer, 'a', 2)
    await complete(writer, 'b', 3)
    finish.resolve()
    await closing
    t.strictSame(steps, ['1 begun', '1 ended', 'closed'])

    const later: [unknown, number][] = []
    await start({
      reactors: [reactor(({ data }, { attempt }) => void later.push([data, attempt]))],
    })
    await until(() => later.length >= 2, patience)
    // Of the first actor, 2 comes after 1 would come.
    t.strictSame(
      later.toSorted(([a], [b]) => Number(a) - Number(b)),
      [
        [2, 1],
        [3, 1],
      ],
      'what was handled is acknowledged, and the newcomers are handled now',
    )
    t.strictSame(await lettersOf(writer), [])
  },
)

await onEachBackend(
  t,
  'an attempt that exceeds its timeout is aborted and counts; extend() gives it more time',
  async (t, scene) => {
    const handled: unknown[] = []
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor(
          async ({ data }, { signal, extend }) => {
            if (data === 1)
              await new Promise((_, reject) =>
                signal.addEventListener('abort', () => reject(signal.reason as Error)),
              )
            for (let i = 0; i < 4; i++) {
              extend()
              await new Promise(resolve => setTimeout(resolve, 30))
              if (signal.aborted) throw signal.reason
            }
            handled.push(data)
          },
          { timeout: 100, retry: { ...quick, attempts: 2 } },
        ),
      ],
    })
    await complete(node, 'slow', 1)
    await complete(node, 'long', 2)
    const [letter] = await until(async () => {
      const letters = await lettersOf(node)
      return letters.length > 0 && handled.length > 0 && letters
    }, patience)
    t.match(letter, {
      attempts: 2,
      error: { message: /within 100 ms/ },
      message: { data: 1 },
    })
    t.strictSame(handled, [2])
  },
)

await onEachBackend(
  t,
  'without ordering, a failing message delays no other',
  async (t, scene) => {
    const handled: unknown[] = []
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor(
          ({ data }) => {
            if (data === 1) throw new Error('for ever')
            handled.push(data)
          },
          { ordered: false, retry: { ...quick, attempts: Infinity } },
        ),
      ],
    })
    for (let n = 1; n <= 20; n++) await complete(node, 'one', n)
    await until(() => handled.length === 19, patience)
    t.strictSame(await lettersOf(node), [])
  },
)

await onEachBackend(
  t,
  'middleware wraps a handler, and may throw in its place',
  async (t, scene) => {
    const steps: string[] = []
    const step =
      (name: string) =>
      async (
        _message: Message,
        { attempt }: ReactorContext,
        next: () => Promise<void>,
      ) => {
        steps.push(`${name} ${attempt}`)
        if (name === 'inner' && attempt === 1) throw new Error('injected')
        await next()
        steps.push(`${name} after`)
      }
    const node = await scene(t).start({
      actors: [booking],
      reactors: [
        reactor(() => void steps.push('handler'), {
          use: [step('outer'), step('inner')],
        }),
      ],
    })
    await complete(node, 'b', 1)
    await until(() => steps.includes('outer after'), patience)
    t.strictSame(steps, [
      'outer 1',
      'inner 1',
      'outer 2',
      'inner 2',
      'handler',
      'inner after',
      'outer after',
    ])
  },
)

await onEachBackend(t, 'a context may be copied and destructured', async (t, scene) => {
  const signals: unknown[] = []
  const node = await scene(t).start({
    actors: [booking],
    reactors: [
      reactor((_data, context) => {
        const copy = { ...context }
        signals.push(copy.signal)
        const { drop } = copy
        drop('seen')
      }),
    ],
  })
  await complete(node, 'b', 1)
  await until(() => signals.length === 1, patience)
  t.ok(signals[0] instanceof AbortSignal)
  t.strictSame(await lettersOf(node), [])
})
