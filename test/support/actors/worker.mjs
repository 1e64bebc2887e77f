// A machine that works for as long as nobody says that the work is done: each start is a line in
// the file that WORKS names.

import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromMachine } from 'cairn-es'
import { fromPromise, setup } from 'xstate'

const works = process.env['WORKS'] ?? ''

const work = fromPromise(async ({ self, signal }) => {
  appendFileSync(works, `${process.pid} ${self.sessionId}\n`)
  while (!existsSync(`${works}.done`)) await sleep(20, undefined, { signal })
  return process.pid
})

export const worker = fromMachine(
  setup({ actors: { work } }).createMachine({
    id: 'worker',
    initial: 'idle',
    states: {
      idle: { on: { begin: 'busy' } },
      busy: { invoke: { id: 'work', src: 'work', onDone: 'over' } },
      over: { type: 'final' },
    },
  }),
)
