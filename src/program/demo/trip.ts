// The demo's trip with a shared car: a machine in the style of XState's documentation.

import { assign, setup } from 'xstate'

import { fromMachine } from '../../machine/from-machine.js'

const isText = (value: unknown) => typeof value === 'string' && value !== ''
const isAmount = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0

const machine = setup({
  types: {
    context: {} as { rider: string | null; car: string | null; km: number },
    events: {} as
      | { type: 'reserve'; rider: string; car: string }
      | { type: 'cancel' }
      | { type: 'start' }
      | { type: 'drive'; km: number }
      | { type: 'pause' }
      | { type: 'resume' }
      | { type: 'end' },
    output: {} as { rider: string; car: string; km: number },
    tags: {} as 'occupied',
  },
  guards: {
    // Commands come from outside: guards check their data.
    isReservation: ({ event }) =>
      event.type === 'reserve' && isText(event.rider) && isText(event.car),
    isDistance: ({ event }) => event.type === 'drive' && isAmount(event.km),
    hasDriven: ({ context }) => context.km > 0,
  },
}).createMachine({
  id: 'trip',
  context: { rider: null, car: null, km: 0 },
  output: ({ context: { rider, car, km } }) => ({ rider: rider!, car: car!, km }),
  initial: 'open',
  states: {
    open: {
      on: {
        reserve: {
          guard: 'isReservation',
          target: 'reserved',
          actions: assign(({ event: { rider, car } }) => ({ rider, car })),
        },
      },
    },
    reserved: {
      tags: 'occupied',
      on: {
        start: 'underWay',
        cancel: { target: 'open', actions: assign({ rider: null, car: null }) },
      },
    },
    underWay: {
      tags: 'occupied',
      initial: 'driving',
      states: {
        driving: {
          on: {
            drive: {
              guard: 'isDistance',
              actions: assign({ km: ({ context, event }) => context.km + event.km }),
            },
            pause: 'paused',
          },
        },
        paused: { on: { resume: 'driving' } },
      },
      on: { end: { guard: 'hasDriven', target: 'ended' } },
    },
    ended: { type: 'final' },
  },
})

export const trip = fromMachine(machine)
