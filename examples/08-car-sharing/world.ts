// External services: cars, tabs and cards. Each call is idempotent by its key. The calls are kept in
// a file, so that they outlive the nodes, which die during the trips.

import { appendFile, readFile } from 'node:fs/promises'

import { fromPromise } from 'xstate'

export interface Job {
  tripId: string
  step: string
  rider: string
  car: string
  cents: number
}

/** Nodes die here, once each: after the call took effect, and before its result is stored. */
const deadly = ['t1 charge', 't2 void tab']
/** Fails once, then succeeds. */
const flaky = ['t2 release']

/** One step of a trip. Trip and step form its key, the same in every attempt on every node. */
export const service = fromPromise<string, Job>(async ({ input }) => {
  const { tripId, step, rider } = input
  const key = `${tripId} ${step}`
  if (step === 'charge' && rider === 'otto') throw new Error('the card was declined')
  if (flaky.includes(key) && (await isFirst('failed', key))) throw new Error('no answer')
  if ((await isFirst('did', key, describe(input))) && deadly.includes(key))
    process.kill(process.pid, 'SIGKILL')
  return step
})

/** The completed calls of a trip, in order. */
export async function doneFor(tripId: string): Promise<string> {
  const done = (await lines()).filter(([what, key]) => {
    return what === 'did' && key!.startsWith(`${tripId} `)
  })
  return done.map(([, , text]) => text).join(', ')
}

async function isFirst(...line: [what: string, key: string, text?: string]) {
  const [what, key] = line
  if ((await lines()).some(known => known[0] === what && known[1] === key)) return false
  await appendFile(process.env.WORLD!, `${line.join('|')}\n`)
  return true
}

async function lines(): Promise<string[][]> {
  const text = await readFile(process.env.WORLD!, 'utf8')
  return text.split('\n').map(line => line.split('|'))
}

function describe({ step, rider, car, cents }: Job): string {
  if (step === 'charge') return `charge ${rider} ${cents} cents`
  return step.endsWith('tab') ? `${step} of ${rider}` : `${step} ${car}`
}
