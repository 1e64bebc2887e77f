// The definitions that hosts and clients of a trust run share. Every value that is stored can be recognised: it is
// unique in the run and names the operation that wrote it.

import {
  defineActor,
  defineConsumer,
  defineTopic,
  event,
  eventsOf,
  fromMachine,
  publish,
  reject,
  schedule,
} from 'cairn-es'
import { assign, setup } from 'xstate'

/** Messages that clients publish, and that lists publish with their events. */
export interface Note {
  readonly value: string
  /** What orders notes that no actor published. */
  readonly key?: string
  /** The handler fails it for good. */
  readonly terminal?: boolean
  /** The handler fails so many attempts before it succeeds. */
  readonly fails?: number
}

export const notes = defineTopic('notes')
export const parcels = defineTopic('parcels')

/** Actor ids are `<namespace>:<name>`, so that a trace in another namespace is recognised. */
export function idIn(namespace: string, name: string): string {
  return `${namespace}:${name}`
}

/** Collects values: histories are compared element by element. */
const listOf = (version: number) =>
  defineActor({
    type: 'list',
    version,
    publishes: [notes],
    initialState: (): readonly string[] => [],
    decide: {
      add: (_state, value: string) => ({
        events: event('added', value),
        reply: after => after.length,
      }),
      announce: (_state, note: Note) => ({
        events: [event('added', note.value), publish(notes, note as never)],
        reply: after => after.length,
      }),
    },
    evolve: { added: (state, value: string) => [...state, value] },
    // Small states are inline, larger ones come with every fifth commit.
    stateEvery: 5,
  })

/** Refuses, depending on its state. */
export const door = defineActor({
  type: 'door',
  initialState: { isOpen: false, entered: 0 },
  decide: {
    open: state => (state.isOpen ? { reply: 'open' } : event('opened')),
    shut: state => (state.isOpen ? event('closed') : { reply: 'shut' }),
    enter: state => (state.isOpen ? event('entered') : reject('shut')),
  },
  evolve: {
    opened: state => ({ ...state, isOpen: true }),
    closed: state => ({ ...state, isOpen: false }),
    entered: state => ({ ...state, entered: state.entered + 1 }),
  },
})

/** Appended to directly, without a command. */
export const tape = defineActor({
  type: 'tape',
  initialState: (): readonly string[] => [],
  decide: {},
  evolve: { noted: (state, value: string) => [...state, value] },
})

export interface Move {
  readonly amount: number
  readonly transfer: string
}

export const purse = defineActor({
  type: 'purse',
  initialState: { balance: 0, isOpened: false },
  decide: {
    open: (state, amount: number) =>
      state.isOpened ? { reply: 'opened before' } : event('opened', { amount }),
    take: (state, move: Move) =>
      state.balance < move.amount ? reject('empty') : event('taken', move),
    give: (_state, move: Move) => event('given', move),
  },
  evolve: {
    opened: (_state, { amount }: { amount: number }) => ({
      balance: amount,
      isOpened: true,
    }),
    taken: (state, { amount }: Move) => ({ ...state, balance: state.balance - amount }),
    given: (state, { amount }: Move) => ({ ...state, balance: state.balance + amount }),
  },
})

export const register = defineActor({
  type: 'register',
  initialState: '',
  decide: { set: (_state, value: string) => event('set', value) },
  evolve: { set: (_state, value: string) => value },
})

export const alarm = defineActor({
  type: 'alarm',
  initialState: (): Readonly<Record<string, number>> => ({}),
  decide: {
    arm: (_state, { name, after }: { name: string; after: number }, { now }) => [
      event('armed', { name, due: now + after }),
      schedule(name, { at: now + after }, 'ring', { name, due: now + after }),
    ],
    ring: (_state, { name, due }: { name: string; due: number }, { now }) =>
      event('rang', { name, due, at: now }),
  },
  evolve: {
    armed: (state, { name }: { name: string; due: number }) => ({
      ...state,
      [name]: state[name] ?? 0,
    }),
    rang: (state, { name }: { name: string; due: number; at: number }) => ({
      ...state,
      [name]: (state[name] ?? 0) + 1,
    }),
  },
})

const bell = setup({}).createMachine({
  id: 'bell',
  initial: 'still',
  states: { still: { on: { pulled: 'swinging' } }, swinging: { on: { rung: 'still' } } },
})

/** Hierarchy, history, a spawned child and a delay; a plain machine given the same events ends in the same state. */
export const trainMachine = setup({
  types: {
    context: {} as { calls: string[] },
    events: {} as
      | { type: 'depart'; to: string }
      | { type: 'halt'; at: string }
      | { type: 'resume' }
      | { type: 'arrive' },
  },
  actors: { bell },
  delays: { patience: 400 },
}).createMachine({
  id: 'train',
  context: { calls: [] },
  initial: 'waiting',
  states: {
    waiting: {
      on: {
        depart: {
          target: 'running',
          actions: assign({ calls: ({ context, event: e }) => [...context.calls, e.to] }),
        },
      },
    },
    running: {
      initial: 'slow',
      on: {
        halt: {
          target: 'halted',
          actions: assign({ calls: ({ context, event: e }) => [...context.calls, e.at] }),
        },
        arrive: 'waiting',
      },
      states: {
        slow: { after: { patience: 'fast' } },
        fast: {},
        last: { type: 'history' },
      },
    },
    halted: { invoke: { src: 'bell' }, on: { resume: 'running.last' } },
  },
})

export const train = fromMachine(trainMachine, { type: 'train' })

/** What a host serves. `new` is the code after a deploy: another behavior version, and a command more. */
export function definitionsOf(code: 'old' | 'new') {
  return [listOf(code === 'new' ? 2 : 1), door, tape, purse, register, alarm, train]
}

export const list = listOf(1)
export const listEvents = eventsOf(list)

export const collector = defineConsumer({
  name: 'collector',
  on: parcels,
  ackWait: 4_000,
})
