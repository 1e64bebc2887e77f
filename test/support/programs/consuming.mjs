// A process that takes messages out of a consumer, or settles them by tokens that it was handed, and
// says on stdout, in one line of JSON, what became of each.
//
//     node consuming.mjs '{"servers":…|"dir":…, "namespace":…, "consumer":…, "take":2}'
//     node consuming.mjs '{…, "settle":[["ack","token"],…]}'
//
// It ends without a word to anybody, right after the last answer, as if it had been killed.

import { embedded, isCairnError, jetstream, startNode } from 'cairn-es'

/** @typedef {['ack' | 'nak' | 'term' | 'extend', string]} Work */
/** @typedef {{ servers?: string, dir?: string, namespace: string, consumer: string, take?: number, settle?: Work[] }} Options */
/** @type {Options} */
const {
  servers,
  dir = '',
  namespace,
  consumer: name,
  take = 0,
  settle = [],
} = JSON.parse(process.argv[2] ?? '')

const node = await startNode({
  namespace,
  store: servers === undefined ? embedded({ dir }) : jetstream({ servers }),
})
const consumer = node.consumer(name)
const outcomes = []
if (take > 0)
  for (const message of await consumer.consume({ batch: take, maxWait: 30_000 }))
    outcomes.push(message.ackToken)
for (const [verb, token] of settle)
  try {
    await consumer[verb](token)
    outcomes.push('settled')
  } catch (error) {
    outcomes.push(isCairnError(error) ? error.code : String(error))
  }
process.stdout.write(`${JSON.stringify(outcomes)}\n`, () =>
  process.kill(process.pid, 'SIGKILL'),
)
