// The demo's bank account: a minimal decider.

import { defineActor } from '../../actor/define-actor.js'
import { event } from '../../actor/event.js'
import { reject } from '../../actor/reject.js'

interface Amount {
  readonly amount: number
}

const isAmount = (amount: unknown) =>
  Number.isSafeInteger(amount) && (amount as number) > 0

const badAmount = (amount: unknown) =>
  reject(
    'bad-amount',
    'An amount is a positive whole number, for example {"amount":10}.',
    {
      amount: amount ?? null,
    },
  )

export const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, data: Amount) =>
      isAmount(data?.amount)
        ? {
            events: event('deposited', { amount: data.amount }),
            reply: (after: { balance: number }) => ({ balance: after.balance }),
          }
        : badAmount(data?.amount),
    withdraw: (state, data: Amount) => {
      if (!isAmount(data?.amount)) return badAmount(data?.amount)
      if (state.balance < data.amount)
        return reject('overdraft', `The balance is ${state.balance}.`, {
          balance: state.balance,
        })
      return {
        events: event('withdrawn', { amount: data.amount }),
        reply: (after: { balance: number }) => ({ balance: after.balance }),
      }
    },
    balance: state => ({ reply: { balance: state.balance } }),
  },
  evolve: {
    deposited: (state, { amount }: Amount) => ({ balance: state.balance + amount }),
    withdrawn: (state, { amount }: Amount) => ({ balance: state.balance - amount }),
  },
})
