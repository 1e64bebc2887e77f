// The outcome of each acknowledgement, including ones that no server sends. A subscriber stands in for the stream,
// over a real server.

import t from 'tap'

import { Connection } from '../../src/nats/connection.js'
import { publishExpecting, type PublishOutcome } from '../../src/nats/publish.js'
import { freshNamespace } from '../jetstream/nodes.js'
import { startNats } from '../support/nats.js'

await using server = await startNats({ jetstream: false })
const nothing = new Uint8Array()
const stream = 'CAIRN_a'

async function answered(ack: string): Promise<PublishOutcome> {
  const open = () => Connection.open({ servers: server.url }, 'test', 'test')
  const [caller, other] = [await open(), await open()]
  const subject = freshNamespace()
  const headers = Buffer.from('NATS/1.0\r\n\r\n')
  try {
    await other.subscribe(subject, message => {
      message.respond(ack)
    })
    const request = { stream, subject, expected: 0, headers, body: nothing }
    return await publishExpecting(caller, { ...request, timeout: 10_000 })
  } finally {
    await caller.close()
    await other.close()
  }
}

const stored = (position: number, duplicate = false) => ({
  kind: 'stored',
  position,
  duplicate,
})

const cases: readonly (readonly [string, object])[] = [
  ['{"stream":"CAIRN_a","seq":7}', stored(7)],
  ['{"stream":"CAIRN_a", "seq":1234567}', stored(1_234_567)],
  ['{"stream":"CAIRN_a","seq": 9007199254740991}', stored(Number.MAX_SAFE_INTEGER)],
  ['{"stream":"CAIRN_a","domain":"hub","seq":3}', stored(3)],
  ['{"stream":"CAIRN_a","seq":3,"duplicate":true}', stored(3, true)],
  ['{"seq":3,"stream":"CAIRN_a"}', stored(3)],
  ['{"stream":"CAIRN_ab","seq":7}', { kind: 'unclear' }],
  ['{"stream":"CAIRN_","seq":7}', { kind: 'unclear' }],
  ['{"stream":"CAIRN_a","seq":0}', { kind: 'unclear' }],
  ['{"stream":"CAIRN_a","seq":}', { kind: 'unclear' }],
  ['{"stream":"CAIRN_a","seq":7', { kind: 'unclear' }],
  ['{"stream":"CAIRN_a","seq":-7}', { kind: 'unclear' }],
  ['{"stream":"CAIRN_a","seq":"7"}', { kind: 'unclear' }],
  ['{"stream":"CAIRN_a"', { kind: 'unclear' }],
  ['{}', { kind: 'unclear' }],
  ['', { kind: 'unclear' }],
  [
    '{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 12"},"stream":"CAIRN_a","seq":0}',
    { kind: 'wrong-sequence', last: 12 },
  ],
  [
    '{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}',
    { kind: 'not-now' },
  ],
  ['{"error":{"code":503,"err_code":10077}}', { kind: 'write-failed', wasSent: true }],
  [
    '{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}',
    { kind: 'refused' },
  ],
]

for (const [ack, outcome] of cases)
  await t.test(`acknowledgement ${ack === '' ? '(empty)' : ack}`, async t => {
    t.match(await answered(ack), outcome)
  })
