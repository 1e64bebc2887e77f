// The way back of a command: its sender hears a rejection or a reply, once, whatever delivers the command; and what
// nobody hears is counted, and a dead letter where that is asked for.

import t, { type Test } from 'tap'
import { setup, sendTo } from 'xstate'

import { contract } from '../../src/actor/contract.js'
import { defineActor } from '../../src/actor/define-actor.js'
import type { CommandShape } from '../../src/actor/definition.js'
import type { RefusedCommand, RepliedCommand } from '../../src/actor/definition-types.js'
import { cancel, schedule, send } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { deliverAndAnswer } from '../../src/delivery/commands/answer.js'
import type { UndeliverableCommand } from '../../src/delivery/commands/command-dead-letters.js'
import type { DeadLetter } from '../../src/delivery/dead-letters/dead-letters.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { actorAt } from '../../src/machine/actor-at.js'
import type { Rejection } from '../../src/model/behavior.js'
import { defined } from '../../src/model/defined.js'
import type { RecordedEvent } from '../../src/model/event.js'
import type { Node } from '../../src/runtime/node.js'
import { onEachBackend, type Scene } from '../support/backends.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }
t.setTimeout(300_000)

interface Seats {
  readonly seats: number
}

/** A hall, and the visitors who book its seats: each sends to the other. */
const Hall = contract<{
  book: CommandShape<Seats, { readonly left: number }, Rejection<'full', number>>
  open: Seats
}>('hall')

const hall = defineActor({
  implements: Hall,
  initialState: { left: 0 },
  decide: {
    open: (_state, { seats }) => event('opened', seats),
    book: ({ left }, { seats }) =>
      seats > left
        ? reject('full', `${left} seats are left.`, left)
        : { events: event('booked', seats), reply: after => ({ left: after.left }) },
  },
  evolve: {
    opened: ({ left }, seats: number) => ({ left: left + seats }),
    booked: ({ left }, seats: number) => ({ left: left - seats }),
  },
})

const visitor = defineActor({
  type: 'visitor',
  initialState: { isDeaf: false },
  decide: {
    ask: (_state, { seats }: Seats) => [
      event('asked', seats),
      send(Hall, 'main', 'book', { seats }, { refused: 'refused', replied: 'replied' }),
    ],
    askOnly: (_state, { seats, deadLetter }: Seats & { deadLetter: boolean }) => [
      event('asked', seats),
      send(Hall, 'main', 'book', { seats }, { deadLetter }),
    ],
    turnDeaf: () => event('turnedDeaf'),
    askDeaf: (_state, { seats }: Seats) => [
      event('asked', seats),
      send(Hall, 'main', 'book', { seats }, { refused: 'refused', deadLetter: true }),
    ],
    remind: (_state, { isAllowed }: { isAllowed: boolean }) => [
      event('asked', 0),
      cancel('another'),
      schedule('call', { after: 1 }, 'call', isAllowed, {
        refused: 'callRefused',
        replied: 'callReplied',
      }),
    ],
    call: (_state, isAllowed: boolean) =>
      isAllowed ? { events: event('called'), reply: 'hello' } : reject('quiet'),
    callRefused: (_state, { rejection, data }: { rejection: Rejection; data: unknown }) =>
      event('heard', { code: rejection.code, data }),
    callReplied: (_state, { reply }: { reply: unknown }) => event('heard', { reply }),
    refused: ({ isDeaf }, refused: RefusedCommand<typeof Hall, 'book'>) =>
      isDeaf ? reject('deaf') : event('heard', refused),
    replied: (_state, replied: RepliedCommand<typeof Hall, 'book'>) =>
      event('heard', replied),
  },
  evolve: {
    asked: state => state,
    called: state => state,
    turnedDeaf: () => ({ isDeaf: true }),
    heard: (state, _what: unknown) => state,
  },
})
const actors = [hall, visitor]

async function eventsOf(node: Node, type: string, id: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const record of node.store.read({ type, id }))
    if (record.kind === 'event') events.push(record)
  return events
}

async function heardBy(node: Node, id: string): Promise<RecordedEvent[]> {
  return (await eventsOf(node, 'visitor', id)).filter(({ type }) => type === 'heard')
}

async function lettersOf(node: Node): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const letter of node.deadLetters.list()) letters.push(letter)
  return letters
}

async function hears(node: Node, id: string, count = 1): Promise<RecordedEvent[]> {
  await until(async () => (await heardBy(node, id)).length >= count, {
    describe: `${id} hears ${count} answers`,
    ...patience,
  })
  return heardBy(node, id)
}

const about = { actor: { type: 'hall', id: 'main' }, command: 'book' }

await onEachBackend(t, 'the sender hears the answer', async (t, on) => {
  const { start } = on(t)
  const node = await start({ actors })
  await node.spawn(hall, 'main').ask('open', { seats: 10 })

  await node.spawn(visitor, 'a').ask('ask', { seats: 4 }, { correlationId: 'night-1' })
  const [accepted] = await hears(node, 'a')
  t.match(accepted, {
    data: { ...about, data: { seats: 4 }, reply: { left: 6 } },
    commandId: 'visitor/a/1#0:answer',
    causationId: 'visitor/a/1#0',
    correlationId: 'night-1',
  })

  await node.spawn(visitor, 'b').ask('ask', { seats: 7 })
  const [rejected] = await hears(node, 'b')
  const rejection = { code: 'full', message: '6 seats are left.', details: 6 }
  t.strictSame(rejected!.data, { ...about, data: { seats: 7 }, rejection })

  const { courier } = node.stats()
  t.match(courier, { rejected: 1, unheard: 0 }, 'a rejection that is heard is counted so')
  t.strictSame(await lettersOf(node), [])
})

await onEachBackend(t, 'the actor hears what became of its timer', async (t, on) => {
  const node = await on(t).start({ actors })
  await node.spawn(visitor, 'a').ask('remind', { isAllowed: false })
  t.strictSame((await hears(node, 'a'))[0]!.data, { code: 'quiet', data: false })
  await node.spawn(visitor, 'b').ask('remind', { isAllowed: true })
  t.strictSame((await hears(node, 'b'))[0]!.data, { reply: 'hello' })
  t.match(node.stats().timers, { rejected: 1, unheard: 0 })
})

await onEachBackend(
  t,
  'a rejection that nobody hears is counted, and a dead letter if that is asked for',
  async (t, on) => {
    const node = await on(t).start({ actors })
    const a = node.spawn(visitor, 'a')
    await a.ask('askOnly', { seats: 1, deadLetter: false })
    await until(() => node.stats().courier.unheard === 1, { ...patience })
    t.strictSame(await lettersOf(node), [])

    await a.ask('askOnly', { seats: 2, deadLetter: true })
    await until(async () => (await lettersOf(node)).length === 1, { ...patience })
    const [letter] = await lettersOf(node)
    t.match(letter, {
      reactor: 'commands:courier',
      reason: 'rejected',
      command: { actor: about.actor, type: 'book', deadLetter: true },
      message: { data: { seats: 2 }, actor: { type: 'visitor', id: 'a' } },
      error: { name: 'CommandRejected', message: 'full: 0 seats are left.' },
    })
    await node.spawn(hall, 'main').ask('open', { seats: 10 })
    await node.deadLetters.retry(letter!.position)
    await until(async () => (await node.spawn(hall, 'main').state()).state.left === 8, {
      describe: 'it is accepted when it is sent again',
      ...patience,
    })
    t.strictSame(await lettersOf(node), [])
  },
)

await onEachBackend(t, 'an answer that is rejected is not lost', async (t, on) => {
  const node = await on(t).start({ actors })
  const a = node.spawn(visitor, 'a')
  await a.ask('turnDeaf')
  await a.ask('askDeaf', { seats: 3 })
  await until(async () => (await lettersOf(node)).length === 1, { ...patience })
  t.match((await lettersOf(node))[0], {
    reason: 'rejected',
    command: { actor: { type: 'visitor', id: 'a' }, type: 'refused' },
    message: { data: { data: { seats: 3 }, rejection: { code: 'full' } } },
    error: { message: 'deaf' },
  })
  t.match(node.stats().courier, { rejected: 1, unheard: 1 })
})

await onEachBackend(t, 'a redriven command answers its sender, too', async (t, on) => {
  let isBroken = true
  const stubborn = defineActor({
    type: 'hall',
    initialState: 0,
    decide: {
      book: () => {
        if (isBroken) throw new TypeError('the book is lost')
        return { events: event('booked'), reply: { left: 0 } }
      },
    },
    evolve: { booked: n => n + 1 },
  })
  const node = await on(t).start({ actors: [stubborn, visitor] })
  await node.spawn(visitor, 'a').ask('ask', { seats: 1 })
  await until(async () => (await lettersOf(node)).length === 1, { ...patience })
  t.strictSame(await heardBy(node, 'a'), [], 'a failure is no rejection')
  isBroken = false
  t.equal(await node.deadLetters.retryAll(), 1)
  t.match((await hears(node, 'a'))[0]!.data, { ...about, reply: { left: 0 } })
})

await onEachBackend(
  t,
  'a rejection that the sender has heard stands, also when the command is delivered again',
  async (t, on) => {
    const node = await on(t).start({ actors })
    // Delivered by hand, as a node does that takes over from one that died before it could note what it had done.
    const command: UndeliverableCommand = {
      id: 'visitor/a/1#0',
      ...about,
      type: 'book',
      data: { seats: 3 },
      at: 0,
      nodeId: '',
      sentAfter: 0,
      from: { type: 'visitor', id: 'a' },
      refused: 'refused',
      replied: 'replied',
    }
    const signal = new AbortController().signal
    const counters = { rejected: 0, unheard: 0 }
    const deliver = (mayBeRepeat: boolean) =>
      deliverAndAnswer(
        {
          attempt: {
            position: 1,
            attempt: 1,
            firstAt: 0,
            epoch: 1,
            isAfterCrash: false,
            mayBeRepeat,
            signal,
          },
          origin: { namespace: node.namespace, nodeId: node.id },
          group: 'courier',
          timeout: 10_000,
          rejectedText: 'rejected',
          retryText: 'retried',
          giveUpText: 'given up',
          about: {},
          log: () => {},
          storeDeadLetter: () => Promise.reject(new Error('none is expected')),
          toUndeliverable: () => command,
          deliver: () =>
            node.ask(command.actor, command.type, command.data, {
              commandId: command.id,
            }),
        },
        {
          // Programs cannot say that a command is delivered again; the search for duplicates is the same.
          sender: {
            ask: (actor, type, data, { commandId, timeout } = {}) =>
              node.ask(actor, type, data, defined({ commandId, timeout })),
          },
          store: node.store,
          counters,
        },
      )
    t.equal((await deliver(false)).kind, 'done')
    t.match(
      (await heardBy(node, 'a')).map(({ data }) => data),
      [{ rejection: {} }],
    )
    await node.spawn(hall, 'main').ask('open', { seats: 10 })
    t.equal((await deliver(true)).kind, 'done')
    t.equal((await node.spawn(hall, 'main').state()).state.left, 10, 'nothing is booked')
    t.equal((await heardBy(node, 'a')).length, 1)
    t.strictSame(counters, { rejected: 1, unheard: 0 })
  },
)

async function manyAnswers(t: Test, { start }: Scene): Promise<void> {
  const nodes = [await start({ actors }), await start({ actors })]
  const sender = await start({ serve: false, actors })
  await sender.spawn(hall, 'main').ask('open', { seats: 50 })
  const ids = Array.from({ length: 10 }, (_, i) => `v${i}`)
  const asking = Promise.all(
    ids.map(async id => {
      for (let n = 0; n < 10; n++)
        await sender
          .spawn(visitor, id)
          .ask('ask', { seats: 1 }, { commandId: `${id}-${n}` })
    }),
  )
  await until(() => nodes.some(node => node.stats().courier.handled > 5), { ...patience })
  nodes.push(await start({ actors }))
  await nodes[0]!.close()
  await asking
  for (const id of ids) await hears(sender, id, 10)
  const heard = (await Promise.all(ids.map(id => heardBy(sender, id)))).flat()
  const booked = await eventsOf(sender, 'hall', 'main')
  const accepted = heard.filter(({ data }) => 'reply' in (data as object))
  t.equal(heard.length, 100, 'each command has one answer')
  t.equal(accepted.length, 50)
  t.equal(booked.filter(({ type }) => type === 'booked').length, 50)
}

await onEachBackend(
  t,
  'every command has one true answer while nodes join and leave',
  (t, on) => manyAnswers(t, on(t)),
)

await t.test('a machine hears answers as events', async t => {
  const party = fromMachine(
    setup({
      types: {
        events: {} as
          { type: 'ASK'; seats: number } | { type: 'FULL' } | { type: 'BOOKED' },
      },
    }).createMachine({
      id: 'party',
      initial: 'new',
      states: {
        new: {
          on: {
            ASK: {
              target: 'asked',
              actions: sendTo(
                () => actorAt(Hall, 'main', { refused: 'FULL', replied: 'BOOKED' }),
                ({ event: { seats } }) => ({ type: 'book' as const, seats }),
              ),
            },
          },
        },
        asked: { on: { FULL: 'sad', BOOKED: 'happy' } },
        sad: {},
        happy: {},
      },
    }),
  )
  await onEachBackend(t, 'they come', async (t, on) => {
    const node = await on(t).start({ actors: [hall, party] })
    await node.spawn(hall, 'main').ask('open', { seats: 3 })
    for (const [id, seats, state] of [
      ['p1', 2, 'happy'],
      ['p2', 2, 'sad'],
    ] as const) {
      await node.spawn(party, id).ask('ASK', { seats })
      await until(
        async () => (await node.spawn(party, id).state()).state.value === state,
        {
          describe: state,
          ...patience,
        },
      )
    }
  })
})

await t.test('a wrong way back is refused before anything is stored', async t => {
  const anywhere = contract('hall')
  const odd = { code: 'invalid-option' }
  t.throws(() => send(anywhere, 'main', 'book', {}, { refused: '' }), odd)
  t.throws(() => send(anywhere, 'main', 'book', {}, { refused: 7 } as never), odd)
  t.throws(() => send(anywhere, 'main', 'book', {}, { refsed: 'x' } as never), {
    ...odd,
    message: /no option "refsed".* Did you mean refused/,
  })
  t.throws(() => send(anywhere, 'main', 'book', {}, { deadLetter: 'yes' } as never), odd)
  t.throws(() => schedule('t', { after: 1 }, 'x', 1, { replied: '' }), odd)
  t.throws(() => actorAt(Hall, 'x', { replied: 5 } as never), odd)
  const forgetful = defineActor({
    type: 'forgetful',
    initialState: 0,
    decide: {
      go: () => [
        event('went'),
        send(anywhere, 'main', 'book', {}, { refused: 'refussed' } as never),
      ],
      refused: () => event('went'),
    },
    evolve: { went: n => n },
  })
  await onEachBackend(t, 'an unknown command for the answer', async (t, on) => {
    const node = await on(t).start({ actors: [forgetful] })
    await t.rejects(node.spawn(forgetful, 'x').ask('go'), {
      code: 'unknown-command',
      message: /knows no command "refussed"\. Did you mean refused/,
    })
    t.equal(await node.store.lastPosition(), 0)
  })
})
