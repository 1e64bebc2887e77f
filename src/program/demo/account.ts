// The demo's bank account: a minimal decider.

import { defineActor } from '../../actor/define-actor.js'
import { event } from '../../actor/event.js'
import { reject } from '../../actor/reject.js'
import { amount } from './amount.js'

export const account = defineActor({
  type: 'account',
  schemas: {
    commands: { deposit: amount, withdraw: amount },
    events: { deposited: amount, withdrawn: amount },
  },
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, data) => ({
      events: event('deposited', data),
      reply: after => ({ balance: after.balance }),
    }),
    withdraw: (state, data) =>
      state.balance < data.amount
        ? reject('overdraft', `The balance is ${state.balance}.`, {
            balance: state.balance,
          })
        : {
            events: event('withdrawn', data),
            reply: after => ({ balance: after.balance }),
          },
    balance: state => ({ reply: { balance: state.balance } }),
  },
  evolve: {
    deposited: (state, data) => ({ balance: state.balance + data.amount }),
    withdrawn: (state, data) => ({ balance: state.balance - data.amount }),
  },
})
