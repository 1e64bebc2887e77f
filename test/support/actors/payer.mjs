// An actor whose work goes on for as long as nobody says that it is done: each start is a line in the file that WORKS names.

import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineActor, defineWork, event, perform } from 'cairn-es'

const works = process.env['WORKS'] ?? ''

const charge = defineWork('charge', async (_input, { key, signal }) => {
  appendFileSync(works, `${process.pid} ${key}\n`)
  while (!existsSync(`${works}.done`)) await sleep(20, undefined, { signal })
  return process.pid
})

export const payer = defineActor({
  type: 'payer',
  performs: [charge],
  initialState: { status: 'new' },
  decide: {
    pay: () => [
      event('paying'),
      perform(charge, {}, { done: 'charged', failed: 'notCharged', timeout: Infinity }),
    ],
    charged: () => event('paid'),
    notCharged: () => event('failed'),
  },
  evolve: {
    paying: () => ({ status: 'paying' }),
    paid: () => ({ status: 'done' }),
    failed: () => ({ status: 'failed' }),
  },
})
