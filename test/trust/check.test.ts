// The checker, held against a correct history and against histories with one violation each.

import t from 'tap'

import {
  add,
  added,
  alarm,
  append,
  appendOf,
  arm,
  askOf,
  consume,
  correctHistory,
  lists,
  move,
  moved,
  noted,
  publishOf,
  read,
  register,
  ring,
  sendOf,
  settle,
  train,
  transferOf,
} from './check/correct.js'
import { checkHistory, checks } from './check/check.js'
import { foldOf } from './check/folds.js'
import { report } from './check/report.js'
import { type HistoryBuilder, namespace } from './check/synthetic.js'
import type { CommitLine } from './check/timeline.js'

const namesIn = (builder: HistoryBuilder) => {
  const found = checkHistory(builder.build())
  return { names: [...new Set(found.map(({ check }) => check))].toSorted(), found }
}

interface Planted {
  readonly title: string
  /** The checks that name it, and no others do. */
  readonly expected: readonly string[]
  plant(builder: HistoryBuilder): void
}

const absent = { outcome: 'error', code: 'no-node' } as const
const unknown = { outcome: 'error', code: 'outcome-unknown' } as const

const planted: readonly Planted[] = [
  {
    title: 'an acknowledged write that is lost',
    expected: ['answers'],
    plant: builder =>
      builder.call(askOf('list', lists.one, 'add', 'lost', 'lost'), {
        outcome: 'ok',
        version: builder.versionOf(lists.one) + 1,
        position: builder.position + 1,
        reply: builder.versionOf(lists.one) + 1,
        duplicate: false,
      }),
  },
  {
    title: 'an acknowledged write that is told the place of another one',
    expected: ['answers'],
    plant(builder) {
      const op = builder.invoke(appendOf('note-forked', 3))
      const { position } = builder.commit(noted('note-other'))
      builder.complete(op, { outcome: 'ok', version: 4, position })
      builder.invoke(appendOf('note-other', 3))
      builder.changeEntry('invoked', ({ data }) => data === 'note-other', { at: 1 })
    },
  },
  {
    title: 'a forked version',
    expected: ['versions'],
    plant: builder => {
      builder.commit(added(lists.one, 'fork', 11))
      builder.invoke(askOf('list', lists.one, 'add', 'fork', 'fork'))
      builder.changeCommit('fork', commit => shifted(commit, -1))
    },
  },
  {
    title: 'a gap in the versions',
    expected: ['versions'],
    plant: builder => {
      builder.commit(added(lists.one, 'gap', 11))
      builder.invoke(askOf('list', lists.one, 'add', 'gap', 'gap'))
      builder.changeCommit('gap', commit => shifted(commit, 1))
    },
  },
  {
    title: 'a commit that holds fewer events than it names',
    expected: ['versions'],
    plant: builder =>
      builder.changeCommit('process-died', commit => ({ ...commit, events: [] })),
  },
  {
    title: 'a position that is skipped',
    expected: ['positions'],
    plant(builder) {
      builder.commit({ actor: 'train/a:other', commands: [{ events: [{ type: 'x' }] }] })
      const last = builder.log.at(-1) as CommitLine
      builder.log[builder.log.length - 1] = { ...last, position: last.position + 1 }
    },
  },
  {
    title: 'a malformed record',
    expected: ['malformed'],
    plant: builder =>
      builder.log.push({
        kind: 'malformed',
        position: builder.position + 1,
        reason: 'no envelope',
      }),
  },
  {
    title: 'a command that is stored at two versions',
    expected: ['stored-once'],
    plant: builder =>
      builder.commit({
        actor: register,
        commands: [{ id: 'value-2', events: [{ type: 'set', data: 'value-2' }] }],
      }),
  },
  {
    title: 'a rejected command that is stored',
    expected: ['rejected-is-absent'],
    plant(builder) {
      builder.commit({
        actor: 'door/a:other',
        commands: [
          { id: 'open-other', events: [{ type: 'opened' }] },
          { id: 'enter-other', events: [{ type: 'entered' }] },
        ],
      })
      const asked = askOf('door', 'door/a:other', 'enter', undefined, 'enter-other')
      builder.call(asked, { outcome: 'rejected', code: 'shut', version: 0 })
    },
  },
  {
    title: 'an aborted transaction that is stored',
    expected: ['rejected-is-absent'],
    plant(builder) {
      const rejected = { outcome: 'rejected', code: 'empty' } as const
      builder.call(transferOf('move-aborted', 5), rejected)
      move(builder, 'move-aborted', 5)
    },
  },
  {
    title: 'a rejection in a state that does not reject',
    expected: ['rejections'],
    plant(builder) {
      const actor = 'door/a:other'
      builder.commit({ actor, commands: [{ events: [{ type: 'opened' }] }] })
      const asked = askOf('door', actor, 'enter', undefined, 'enter-wrongly')
      builder.call(asked, { outcome: 'rejected', code: 'shut', version: 1 })
    },
  },
  {
    title: 'a rejection in a state that had ended before it began',
    expected: ['real-time'],
    plant: builder =>
      builder.call(askOf('door', 'door/a:door', 'enter', undefined, 'enter-late'), {
        outcome: 'rejected',
        code: 'shut',
        version: 0,
      }),
  },
  {
    title: 'a command of which "no-node" was told, and that is stored',
    expected: ['absence'],
    plant(builder) {
      builder.call(askOf('list', lists.one, 'add', 'no-node', 'no-node'), absent)
      builder.commit(added(lists.one, 'no-node', 11))
    },
  },
  {
    title: 'an append of which "store-unreachable" was told, and that is stored',
    expected: ['absence'],
    plant(builder) {
      builder.call(appendOf('note-wrong', 3), { ...absent, code: 'store-unreachable' })
      builder.commit(noted('note-wrong'))
    },
  },
  {
    title: 'a transaction of which "contention" was told, and that is stored',
    expected: ['absence'],
    plant: builder => move(builder, 'move-4', 5),
  },
  {
    title: 'a message of which "store-unreachable" was told, and that is stored',
    expected: ['absence'],
    plant(builder) {
      const code = 'store-unreachable'
      builder.call(publishOf('topic', 'notes', 'n9', { value: 'n9' }), {
        ...absent,
        code,
      })
      builder.publish('notes', 'n9', { value: 'n9' })
    },
  },
  {
    title: 'a command that only an attempt after its storing could explain',
    expected: ['absence'],
    plant(builder) {
      builder.call(askOf('list', lists.one, 'add', 'late', 'late'), absent)
      builder.commit(added(lists.one, 'late', 11))
      add(builder, 'after-late')
      builder.call(askOf('list', lists.one, 'add', 'late', 'late'), unknown)
    },
  },
  {
    title: 'a duplicate that is told another version',
    expected: ['answers'],
    plant: builder => builder.changeEnd('unknown-stored', { version: 6 }, 1),
  },
  {
    title: 'a duplicate that is told another reply',
    expected: ['answers'],
    plant: builder => builder.changeEnd('batched-1', { reply: 3 }, 1),
  },
  {
    title: 'a repeated transaction that is told another value',
    expected: ['answers'],
    plant: builder => builder.changeEnd('move-3', { reply: 'lost' }, 1),
  },
  {
    title: 'two attempts that are told that they are the first',
    expected: ['told-first-once'],
    plant(builder) {
      const actor = 'list/a:twice'
      const asked = askOf('list', actor, 'add', 'twice', 'twice')
      const ops = [builder.invoke(asked), builder.invoke(asked)]
      const { position } = builder.commit(added(actor, 'twice', 1))
      for (const op of ops)
        builder.complete(op, {
          outcome: 'ok',
          version: 1,
          position,
          reply: 1,
          duplicate: false,
        })
    },
  },
  {
    title: 'a conflict of an append that is stored',
    expected: ['conflict-is-absent'],
    plant(builder) {
      const op = builder.invoke(appendOf('note-conflict', 3))
      builder.commit(noted('note-conflict'))
      append(builder, 'note-after')
      builder.complete(op, { outcome: 'conflict', value: { actual: 5 } })
    },
  },
  {
    title: 'a conflict with the expected version',
    expected: ['conflicts'],
    plant: builder =>
      builder.call(appendOf('note-odd', 3), {
        outcome: 'conflict',
        value: { actual: 3 },
      }),
  },
  {
    title: 'a conflict that names an old version',
    expected: ['real-time'],
    plant: builder =>
      builder.call(appendOf('note-odd', 3), {
        outcome: 'conflict',
        value: { actual: 1 },
      }),
  },
  {
    title: 'a latest read that is stale',
    expected: ['real-time'],
    plant: builder =>
      builder.call(read('latest'), { outcome: 'ok', version: 1, value: 'value-1' }),
  },
  {
    title: 'a read of a version that nobody had asked for',
    expected: ['future'],
    plant(builder) {
      builder.call(read('latest'), { outcome: 'ok', version: 3, value: 'value-3' })
      const op = builder.invoke(askOf('register', register, 'set', 'value-3', 'value-3'))
      const events = [{ type: 'set', data: 'value-3' }]
      builder.commit({ actor: register, commands: [{ id: 'value-3', events }] })
      builder.complete(op, unknown)
    },
  },
  {
    title: 'a write that is stored before one that had been acknowledged when it began',
    expected: ['real-time'],
    plant(builder) {
      const { position } = builder.commit(added('list/a:early', 'early', 1))
      add(builder, 'acknowledged')
      const asked = askOf('list', 'list/a:early', 'add', 'early', 'early')
      const told = { version: 1, position, reply: 1, duplicate: false }
      builder.call(asked, { outcome: 'ok', ...told })
    },
  },
  {
    title: 'a read of a version that the log does not have',
    expected: ['reads'],
    plant: builder =>
      builder.call(read('local'), { outcome: 'ok', version: 9, value: 'value-9' }),
  },
  {
    title: 'a read of a state that is not the fold',
    expected: ['reads'],
    plant: builder =>
      builder.call(read('latest'), { outcome: 'ok', version: 2, value: 'value-1' }),
  },
  {
    title: 'a read that is older than the version that it asked for',
    expected: ['reads'],
    plant: builder =>
      builder.call(read({ after: 2 }), { outcome: 'ok', version: 1, value: 'value-1' }),
  },
  {
    title: 'a last state that is not the fold',
    expected: ['final-states'],
    plant: builder => builder.states.set(lists.one, { state: ['first'] }),
  },
  {
    title: 'a last state of an older version',
    expected: ['final-states'],
    plant: builder => builder.states.set(train, { version: 0 }),
  },
  {
    title: 'a state in a commit that is not the fold',
    expected: ['inline-states'],
    plant: builder => builder.inlineStates.set(2, ['first']),
  },
  {
    title: 'an event that is not what the command leads to',
    expected: ['contents'],
    plant(builder) {
      const actor = 'door/a:other'
      builder.invoke(askOf('door', actor, 'enter', undefined, 'enter-other'))
      builder.commit({
        actor,
        commands: [{ id: 'enter-other', events: [{ type: 'entered' }] }],
      })
    },
  },
  {
    title: 'a value that nobody has asked for',
    expected: ['invented'],
    plant: builder => builder.commit(noted('note-invented')),
  },
  {
    title: 'an actor of another namespace',
    expected: ['namespaces'],
    plant: builder =>
      builder.commit({
        actor: 'door/b:door',
        commands: [{ events: [{ type: 'opened' }] }],
      }),
  },
  {
    title: 'money that is created',
    expected: ['conservation', 'whole-transfers'],
    plant(builder) {
      builder.invoke(transferOf('move-more', 5))
      builder.commit(moved('move-more', 0, taken('move-more', 5)))
      builder.commit(moved('move-more', 1, given('move-more', 6)))
    },
  },
  {
    title: 'half a transaction',
    expected: ['conservation', 'whole-transfers'],
    plant(builder) {
      builder.invoke(transferOf('move-half', 5))
      builder.commit(moved('move-half', 0, taken('move-half', 5)))
    },
  },
  {
    title: 'a transfer of another amount than was asked for',
    expected: ['whole-transfers'],
    plant(builder) {
      builder.invoke(transferOf('move-other', 5))
      move(builder, 'move-other', 6)
    },
  },
  {
    title: 'a purse that is overdrawn',
    expected: ['no-debt'],
    plant(builder) {
      builder.invoke(transferOf('move-all', 90))
      move(builder, 'move-all', 90)
    },
  },
  {
    title: 'an acknowledged message that is lost',
    expected: ['publishes'],
    plant: builder =>
      builder.call(publishOf('topic', 'notes', 'n9', { value: 'n9' }), {
        outcome: 'ok',
        position: 99,
        duplicate: false,
      }),
  },
  {
    title: 'a message that is never handled',
    expected: ['handled'],
    plant: builder => builder.plans.set('readers n4', () => {}),
  },
  {
    title: 'an event that is never handled',
    expected: ['handled'],
    plant: builder => builder.plans.set(`followers ${lists.one}/3`, () => {}),
  },
  {
    title: 'a message that is handled and is in no log',
    expected: ['phantoms'],
    plant: builder =>
      builder.plans.set('readers n4', (_, by, message) => {
        builder.handle(by, message, 'done')
        builder.handle(by, { ...message, id: 'ghost' }, 'done')
      }),
  },
  {
    title: 'a message that is handled before an earlier one of its key',
    expected: ['handling-order'],
    plant(builder) {
      builder.plans.set('readers n4', () => {})
      const { plans } = builder
      const after = plans.get('readers n5')!
      plans.set('readers n5', (_, by, message) => {
        after(builder, by, message)
        const data = { value: 'n4', key: 'k' }
        builder.handle(by, { ...message, id: 'n4', position: 4, data }, 'done')
      })
    },
  },
  {
    title:
      'a message that is handled while an earlier one of its key waits for another attempt',
    expected: ['handling-order'],
    plant(builder) {
      const event = `${lists.one}/3`
      builder.plans.set(`followers ${event}`, (_, by, message) =>
        builder.handle(by, message, 'failed'),
      )
      builder.plans.set(`followers ${lists.one}/4`, (_, by, message) => {
        builder.handle(by, message, 'done')
        const { line } = message
        const earlier = { ...message, id: event, position: 2, line }
        builder.handle(by, earlier, 'done', { attempt: 2, mayBeRepeat: true })
      })
    },
  },
  {
    title: 'a second handling that is told that it is no repetition',
    expected: ['first-time'],
    plant: builder =>
      builder.plans.set('readers n2', (_, by, message) => {
        builder.handle(by, message, 'killed')
        builder.handle(by, message, 'done')
      }),
  },
  {
    title: 'a dead letter of a message that did not fail for good',
    expected: ['dead-letters'],
    plant: builder =>
      builder.dead.push({
        by: 'readers',
        message: 'n1',
        reason: 'max-attempts-exhausted',
      }),
  },
  {
    title: 'a message that failed for good and is no dead letter',
    expected: ['dead-letters'],
    plant: builder => builder.dead.splice(0, 1),
  },
  {
    title: 'a message that is consumed after it was acknowledged',
    expected: ['redelivered'],
    plant: builder => consume(builder, 'q2'),
  },
  {
    title: 'a message that no consumer has acknowledged',
    expected: ['acknowledged'],
    plant(builder) {
      const data = { value: 'q9' }
      const op = builder.invoke(publishOf('consumer', 'parcels', 'q9', data))
      const { position } = builder.publish('parcels', 'q9', data)
      builder.complete(op, { outcome: 'ok', position, duplicate: false })
      consume(builder, 'q9')
      builder.complete(settle(builder, 'nak', 'q9'), { outcome: 'ok' })
    },
  },
  {
    title: 'a durable command that has no effect',
    expected: ['sends-take-effect'],
    plant: builder =>
      builder.call(sendOf('send-lost'), { outcome: 'ok', position: 9, duplicate: false }),
  },
  {
    title: 'a durable command that still waits',
    expected: ['sends-take-effect'],
    plant(builder) {
      builder.call(sendOf('send-late'), { outcome: 'ok', position: 9, duplicate: false })
      builder.waiting.push({ kind: 'inbox', actor: lists.sent, id: 'send-late' })
    },
  },
  {
    title: 'a durable command that takes effect twice',
    expected: ['stored-once'],
    plant: builder => builder.commit(added(lists.sent, 'send-1', 5)),
  },
  {
    title: 'durable commands out of order',
    expected: ['sends-in-order'],
    plant(builder) {
      for (const id of ['send-5', 'send-6'])
        builder.call(sendOf(id), { outcome: 'ok', position: 9, duplicate: false })
      builder.commit(added(lists.sent, 'send-6', 5))
      builder.commit(added(lists.sent, 'send-5', 6))
    },
  },
  {
    title: 'a timer that fires twice',
    expected: ['timers'],
    plant(builder) {
      const due = arm(builder, 'twice', 0)
      ring(builder, 'twice', due)
      ring(builder, 'twice', due, due + 5, 1)
    },
  },
  {
    title: 'a timer that fires early',
    expected: ['timers'],
    plant(builder) {
      const due = arm(builder, 'early', 50)
      ring(builder, 'early', due, due - 1)
    },
  },
  {
    title: 'a timer that never fires',
    expected: ['timers'],
    plant(builder) {
      arm(builder, 'never', 0)
    },
  },
  {
    title: 'a timer that still waits after it was due',
    expected: ['timers'],
    plant(builder) {
      arm(builder, 'waiting', 0)
      builder.waiting.push({ kind: 'timer', actor: alarm, id: 'waiting' })
      builder.wait(100)
      add(builder, 'after')
    },
  },
  {
    title: 'a ring that was not armed',
    expected: ['timers'],
    plant: builder => ring(builder, 'ghost', builder.wall),
  },
  {
    title: 'a machine in another state than a plain one',
    expected: ['machines'],
    plant(builder) {
      const state = { value: 'waiting', context: { calls: [] } }
      builder.states.set(train, { ...builder.states.get(train), state })
    },
  },
  {
    title: 'a fault after which it takes too long until everything answers',
    expected: ['recovery'],
    plant: builder =>
      builder.changeEntry('fault', ({ after }) => after === 300, { after: 30_001 }),
  },
  {
    title: 'a fault of a round after which it takes too long until everything answers',
    expected: ['recovery'],
    plant(builder) {
      builder.fault('host-kill', 'h1', 'begun')
      builder.fault('host-kill', 'h1', 'healed')
      builder.fault('host-kill + clock-jump', 'all', 'recovered', 1e9)
    },
  },
  {
    title: 'a process that ends by itself',
    expected: ['processes'],
    plant(builder) {
      builder.fault('unexpected-end', 'h2', 'begun')
      builder.fault('the last one', 'all', 'recovered', 100)
    },
  },
  {
    title: 'a fault after which nobody asks whether everything answers',
    expected: ['recovery'],
    plant(builder) {
      builder.fault('kill', 'host3', 'begun')
      builder.fault('kill', 'host3', 'healed')
    },
  },
]

/** Variants that look wrong and are not. */
const tricky: readonly Omit<Planted, 'expected'>[] = [
  {
    title: 'a command that is handled again after the window of the duplicates',
    plant(builder) {
      builder.wait(600_000)
      builder.commit({
        actor: register,
        commands: [{ id: 'value-2', events: [{ type: 'set', data: 'value-2' }] }],
      })
    },
  },
  {
    title: 'a rejection after an attempt that is unknown and stored',
    plant(builder) {
      const actor = 'door/a:race'
      const enter = askOf('door', actor, 'enter', undefined, 'enter-race')
      builder.call(askOf('door', actor, 'open', undefined, 'open-race'), unknown)
      const op = builder.invoke(enter)
      builder.call(enter, { outcome: 'rejected', code: 'shut', version: 0 })
      builder.commit({
        actor,
        commands: [
          { id: 'open-race', events: [{ type: 'opened' }] },
          { id: 'enter-race', events: [{ type: 'entered' }] },
        ],
      })
      builder.complete(op, unknown)
    },
  },
  {
    title: 'an error that is not one of Cairn, of a command that is stored',
    plant(builder) {
      const op = builder.invoke(askOf('list', lists.one, 'add', 'odd', 'odd'))
      builder.commit(added(lists.one, 'odd', 11))
      builder.complete(op, { outcome: 'error', code: 'TypeError' })
    },
  },
  {
    title: 'a transaction whose commits are not adjacent',
    plant(builder) {
      builder.invoke(transferOf('move-apart', 5))
      builder.commit(moved('move-apart', 0, taken('move-apart', 5)))
      add(builder, 'between')
      builder.commit(moved('move-apart', 1, given('move-apart', 5)))
    },
  },
  {
    title: 'timers that are armed and fire while a clock is wrong',
    plant(builder) {
      builder.fault('clock-jump 3600 s', 'h3', 'begun')
      arm(builder, 'ahead', 3_600_000)
      builder.waiting.push({ kind: 'timer', actor: alarm, id: 'ahead' })
      const due = arm(builder, 'behind', 50)
      ring(builder, 'behind', due, due - 3_600_000)
      builder.fault('clock-jump 3600 s', 'h3', 'healed')
      builder.fault('clock-jump', 'all', 'recovered', 10)
      add(builder, 'after')
    },
  },
  {
    title: 'faults of a round that have one recovery, and one of which has failed',
    plant(builder) {
      builder.fault('host-kill', 'h1', 'begun')
      builder.fault('server-kill', 's1', 'begun')
      builder.fault('host-kill', 'h1', 'healed')
      builder.fault('server-kill', 'all', 'healed')
      builder.fault('host-kill + server-kill', 'all', 'recovered', 900)
    },
  },
  {
    title: 'a timer that is set again before it fires',
    plant(builder) {
      arm(builder, 'again', 1_000)
      builder.changeEntry('invoked', ({ id }) => id === 'arm-again', { id: 'arm-first' })
      builder.changeCommit('arm-again', commit => ({
        ...commit,
        slices: [{ ...commit.slices[0]!, id: 'arm-first' }],
      }))
      ring(builder, 'again', arm(builder, 'again', 0))
    },
  },
  {
    title: 'work that is left in a run that ends during a fault',
    plant(builder) {
      builder.call(sendOf('send-late'), { outcome: 'ok', position: 9, duplicate: false })
      builder.waiting.push({ kind: 'inbox', actor: lists.sent, id: 'send-late' })
      builder.plans.set('readers n4', () => {})
      arm(builder, 'late', 0)
      builder.fault('stop', 'host2', 'begun')
    },
  },
  {
    title: 'a dead letter of a message that ended several processes',
    plant(builder) {
      builder.plans.set('readers n4', (_, by, message) => {
        builder.handle(by, message, 'killed')
        builder.handle(by, message, 'killed', { mayBeRepeat: true })
      })
      builder.dead.push({ by: 'readers', message: 'n4', reason: 'crashed' })
    },
  },
  {
    title: 'entries of another namespace',
    plant(builder) {
      const entry = {
        namespace: 'b',
        kind: 'effect',
        at: 5,
        process: 'host1',
        by: 'readers',
        handling: 'other',
        phase: 'begun',
        message: 'n1',
        key: 'k',
        position: 1,
        mayBeRepeat: false,
      } as const
      builder.entries.push(entry)
    },
  },
]

function shifted(commit: CommitLine, by: number): CommitLine {
  const shift = <Range extends { firstVersion: number; lastVersion: number }>(
    range: Range,
  ) => ({
    ...range,
    firstVersion: range.firstVersion + by,
    lastVersion: range.lastVersion + by,
  })
  return {
    ...shift(commit),
    slices: commit.slices.map(shift),
    events: commit.events.map(event => ({ ...event, version: event.version + by })),
  }
}

const taken = (transfer: string, amount: number) => ({
  type: 'taken',
  data: { amount, transfer },
})
const given = (transfer: string, amount: number) => ({
  type: 'given',
  data: { amount, transfer },
})

await t.test('a correct history has no violation', async t => {
  t.same(checkHistory(correctHistory().build()), [])
})

for (const { title, plant } of tricky)
  await t.test(`${title}: no violation`, async t => {
    const builder = correctHistory()
    plant(builder)
    t.same(checkHistory(builder.build()), [])
  })

for (const { title, expected, plant } of planted)
  await t.test(`${title}: found`, async t => {
    const builder = correctHistory()
    plant(builder)
    const { names, found } = namesIn(builder)
    t.same(names, expected.toSorted(), { found })
    for (const { text, evidence } of found) {
      t.ok(text.endsWith('.') || text.endsWith('"'), text)
      t.ok(evidence.length > 0, `evidence of: ${text}`)
    }
  })

await t.test('every check finds a planted violation', async t => {
  const found = new Set(planted.flatMap(({ expected }) => expected))
  t.same(
    Object.keys(checks).filter(name => !found.has(name)),
    [],
  )
})

await t.test('the states of the actors', async t => {
  const state = (type: string, ...events: { type: string; data?: unknown }[]) => {
    const fold = foldOf(type)!
    return events.reduce<unknown>(
      (folded, event, i) => fold.evolve(folded, { ...event, version: i + 1 }),
      fold.initial,
    )
  }
  t.same(state('list'), [])
  t.same(state('list', { type: 'added', data: 'x' }), ['x'])
  t.same(state('door'), { isOpen: false, entered: 0 })
  t.same(state('door', { type: 'opened' }, { type: 'entered' }), {
    isOpen: true,
    entered: 1,
  })
  t.same(state('purse', { type: 'opened', data: { amount: 3 } }, taken('x', 1)), {
    balance: 2,
    isOpened: true,
  })
  t.equal(state('register', { type: 'set', data: 'x' }), 'x')
  const wake = { name: 'wake', due: 1 }
  t.same(state('alarm', { type: 'armed', data: wake }), { wake: 0 })
  t.same(state('alarm', { type: 'armed', data: wake }, { type: 'rang', data: wake }), {
    wake: 1,
  })
})

await t.test('a longer history has no violation', async t => {
  const builder = correctHistory()
  for (let i = 0; i < 3_000; i++) {
    add(builder, `many-${i}`, `list/${namespace}:many-${i % 50}`)
    append(builder, `many-note-${i}`)
  }
  t.same(checkHistory(builder.build()), [])
})

await t.test(
  'the report tells what was asked, what the faults did, and what is wrong',
  async t => {
    const builder = correctHistory()
    builder.changeEnd('batched-1', { reply: 3 }, 1)
    const history = builder.build()
    const text = report(history, checkHistory(history)).join('\n')
    for (const part of [
      'namespace a, place nats, seed 1, 1 minutes',
      'list ask: ok 7',
      'list ask: ok duplicate 2',
      'list ask: error no-node 1',
      'list ask: no end 1',
      'answered by a later attempt: 4',
      'absent: ',
      'kill 2: longest time without an answer',
      'recovered after 1.2 s (median), 1.2 s (max), 2 times',
      'host1: rss 100 first, 120 max, 120 last MiB, open files 40 first, 42 max, 42 last',
      'answers: 1',
      'was told another reply than the one that is stored.',
      '"reply":3',
    ])
      t.match(text, part)
  },
)
