// Specifications of projections: the rows of histories, of events and of states.

import { AssertionError } from 'node:assert'
import t from 'tap'
import { setup } from 'xstate'

import {
  defineActor,
  defineProjection,
  event,
  fromMachine,
  statesOf,
} from '../../src/index.js'
import { givenHistories, history } from '../../src/testing/index.js'

const trip = defineActor({
  type: 'trip',
  version: 2,
  upcast: {
    started: [(rider: string) => event('started', { rider })],
  },
  initialState: { rider: '', ended: false },
  decide: {
    start: (_state, rider: string) => event('started', { rider }),
    end: (_state, price: number) => event('ended', { price }),
  },
  evolve: {
    started: (state, { rider }: { rider: string }) => ({ ...state, rider }),
    ended: (state, _data: { price: number }) => ({ ...state, ended: true }),
  },
})
const parcel = fromMachine(
  setup({
    types: { events: {} as { type: 'deliver' } },
  }).createMachine({
    id: 'parcel',
    initial: 'inTransit',
    states: { inTransit: { on: { deliver: 'delivered' } }, delivered: { type: 'final' } },
  }),
)

const riders = defineProjection({
  name: 'riders',
  from: trip,
  key: one => (one.type === 'started' ? one.data.rider : undefined),
  initial: { trips: 0 },
  when: { started: ({ trips }) => ({ trips: trips + 1 }) },
})
const rides = defineProjection({
  name: 'rides',
  from: trip,
  initial: { price: 0, at: 0, version: 0 },
  when: {
    started: (row, { at, version }) => ({ ...row, at, version }),
    ended: (row, { data, version }) =>
      data.price === 0 ? null : { ...row, price: data.price, version },
  },
})
const states = defineProjection({
  name: 'states',
  from: statesOf(trip, parcel),
  row: ({ actor, state, version }) =>
    actor.type === 'trip' && (state as { ended: boolean }).ended
      ? null
      : { version, value: (state as { value?: unknown }).value ?? 'none' },
})
const keySpec = {
  name: 'keyless',
  from: trip,
  initial: { n: 0 },
  when: { started: ({ n }: { readonly n: number }) => ({ n: n + 1 }) },
}
const started = event('started', { rider: 'alice' })

function failureOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof AssertionError) return error.message
    throw error
  }
  throw new Error('nothing failed')
}

void t.test('rows of events', async t => {
  givenHistories(riders, [
    history(trip, 'first', [started, event('ended', { price: 12 })]),
    history(trip, 'second', [started]),
    history(trip, 'old', [{ type: 'started', data: 'bob', schemaVersion: 1 }]),
  ])
    .thenRow('alice', { trips: 2 })
    .thenRow('carol', undefined)
    .thenRows({ alice: { trips: 2 }, bob: { trips: 1 } })
  givenHistories(rides, [
    history(trip, 'a', [started], { now: 5 }),
    history(trip, 'b', [started]),
    history(trip, 'a', [event('ended', { price: 7 })]),
    history(trip, 'b', [event('ended', { price: 0 })]),
  ]).thenRows({ a: { price: 7, at: 5, version: 2 } })
  t.equal(givenHistories(rides, []).thenRows({}).rows().size, 0)
})

void t.test('rows of states, also of machines', async () => {
  givenHistories(states, [
    history(trip, 'a', [started]),
    history(trip, 'b', [started, event('ended', { price: 1 })]),
    history(parcel, 'p', [event('xstate.init', { input: undefined }), event('deliver')]),
  ]).thenRows({
    'trip/a': { version: 1, value: 'none' },
    'parcel/p': { version: 2, value: 'delivered' },
  })
})

void t.test('what does not hold is shown side by side', async t => {
  const spec = givenHistories(riders, [history(trip, 'first', [started])])
  for (const [work, ...lines] of [
    [() => spec.thenRow('alice', { trips: 2 }), '- { trips: 2 }', '+ { trips: 1 }'],
    [() => spec.thenRow('bob', { trips: 2 }), '- { trips: 2 }', '+ no row'],
    [() => spec.thenRow('alice', undefined), '- no row', '+ { trips: 1 }'],
    [() => spec.thenRows({}), '- no row', '+ alice: { trips: 1 }'],
  ] as const) {
    const message = failureOf(work)
    for (const line of ['projection riders: ', ...lines])
      t.ok(message.includes(line), `${message} has ${line}`)
  }
})

void t.test('what would stop a projection is thrown', async t => {
  const broken = (when: () => unknown) =>
    defineProjection({
      name: 'broken',
      from: trip,
      initial: { n: 0 },
      when: { started: when as () => { n: number } },
    })
  const given = [history(trip, 'a', [started])]
  t.throws(
    () =>
      givenHistories(
        broken(() => undefined),
        given,
      ),
    {
      code: 'invalid-definition',
    },
  )
  t.throws(
    () =>
      givenHistories(
        broken(() => ({ n: () => 1 })),
        given,
      ),
    {
      code: 'invalid-data',
    },
  )
  const keyless = defineProjection({ ...keySpec, key: () => '' })
  t.throws(() => givenHistories(keyless, given), { code: 'invalid-data' })
  t.throws(() => givenHistories(riders, [history(parcel, 'p', [event('deliver')])]), {
    code: 'invalid-option',
    message: /does not read parcel\/p: it reads trip/,
  })
  t.throws(() => givenHistories({} as never, given), { code: 'invalid-option' })
  t.throws(() => history(trip, '', []), { code: 'invalid-actor-id' })
  t.throws(() => history(trip, 'a', [], { nwo: 1 } as never), { code: 'invalid-option' })
  // @ts-expect-error -- the event has other data
  t.ok(history(trip, 'a', [event('started', { riddr: 'alice' })]))
  // @ts-expect-error -- the row has another shape
  t.throws(() => givenHistories(riders, given).thenRow('alice', { tripz: 1 }))
})
