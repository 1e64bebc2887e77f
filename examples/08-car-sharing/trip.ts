// A trip with a shared car, as a saga: reserve, start, end, settle. Each completed step can be
// undone; when a later one fails, they are undone in reverse order. Only a settled trip publishes a
// message, in the commit that settles it: the trip stays settled whatever happens to that message.

import { defineTopic, fromMachine } from 'cairn-es'
import { assign, emit, setup } from 'xstate'

import { type Job, service } from './world.js'

export interface TripCompleted {
  tripId: string
  rider: string
  cents: number
}

export const completed = defineTopic('trips.completed')

interface Trip {
  rider: string
  car: string
  cents: number
  /** Completed steps that may have to be undone: the last one first. */
  undo: string[]
  why: string
}

const centsPerSecond = 5

const machine = setup({
  types: {
    context: {} as Trip,
    events: {} as
      | { type: 'reserve'; rider: string; car: string }
      | { type: 'start' }
      | { type: 'end'; seconds: number },
    emitted: {} as { type: 'completed'; tripId: string; rider: string; cents: number },
    output: {} as { settled: boolean; cents: number; why: string },
  },
  actors: { service },
  actions: {
    toUndo: assign({
      undo: ({ context }, params: { step: string }) => [params.step, ...context.undo],
    }),
    blame: assign({
      why: ({ event }) =>
        (event as unknown as { error: { message: string } }).error.message,
    }),
  },
  guards: { isUndone: ({ context }) => context.undo.length === 0 },
  delays: { soon: 200 },
}).createMachine({
  id: 'trip',
  context: { rider: '', car: '', cents: 0, undo: [], why: '' },
  output: ({ context }) => ({
    settled: context.why === '',
    cents: context.cents,
    why: context.why,
  }),
  initial: 'open',
  states: {
    open: {
      on: {
        reserve: {
          target: 'reserving',
          actions: assign(({ event: { rider, car } }) => ({ rider, car })),
        },
      },
    },
    reserving: {
      invoke: {
        id: 'step',
        src: 'service',
        input: ({ context, self }) => job(self.id, 'reserve', context),
        onDone: {
          target: 'reserved',
          actions: { type: 'toUndo', params: { step: 'release' } },
        },
        onError: { target: 'undoing', actions: 'blame' },
      },
    },
    reserved: { on: { start: 'starting' } },
    starting: {
      invoke: {
        id: 'step',
        src: 'service',
        input: ({ context, self }) => job(self.id, 'open tab', context),
        onDone: {
          target: 'driving',
          actions: { type: 'toUndo', params: { step: 'void tab' } },
        },
        onError: { target: 'undoing', actions: 'blame' },
      },
    },
    driving: {
      on: {
        end: {
          target: 'settling',
          actions: assign({ cents: ({ event }) => event.seconds * centsPerSecond }),
        },
      },
    },
    settling: {
      invoke: {
        id: 'step',
        src: 'service',
        input: ({ context, self }) => job(self.id, 'charge', context),
        onDone: 'settled',
        onError: { target: 'undoing', actions: 'blame' },
      },
    },
    settled: {
      type: 'final',
      entry: emit(({ context: { rider, cents }, self }) => ({
        type: 'completed',
        tripId: self.id,
        rider,
        cents,
      })),
    },
    undoing: {
      always: { guard: 'isUndone', target: 'undone' },
      invoke: {
        id: 'undo',
        src: 'service',
        input: ({ context, self }) => job(self.id, context.undo[0] ?? '', context),
        onDone: {
          target: 'undoing',
          reenter: true,
          actions: assign({ undo: ({ context }) => context.undo.slice(1) }),
        },
        onError: 'stuck',
      },
    },
    // An undo step is retried until it succeeds.
    stuck: { after: { soon: 'undoing' } },
    undone: { type: 'final' },
  },
})

function job(tripId: string, step: string, { rider, car, cents }: Trip): Job {
  return { tripId, step, rider, car, cents }
}

export const trip = fromMachine(machine, { emits: { completed } })
