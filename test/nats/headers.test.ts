// Headers parsed from the bytes of a message equal those of the client library's objects.

import { headers, type Msg } from 'nats'
import t from 'tap'

import { Connection } from '../../src/nats/connection.js'
import {
  encodeHeaderLines,
  type HeaderBlock,
  HeaderValues,
  parseHeaderBlock,
  rawHeaders,
  readHeaderBlock,
} from '../../src/nats/headers.js'
import { randomFrom } from '../../src/testing/random.js'
import { freshNamespace } from '../jetstream/nodes.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

await using server = await startNats({ jetstream: false })
const nothing = new Uint8Array()

function readByLibrary({ headers }: Msg): HeaderBlock {
  const lines: string[] = []
  for (const [name, all] of headers ?? [])
    lines.push(name, (name.startsWith('Nats-') ? all.at(-1) : all[0]) ?? '')
  const values = new HeaderValues(lines)
  return { code: headers?.code ?? 0, description: headers?.description ?? '', values }
}

async function connected(work: (connection: Connection) => Promise<void>) {
  const connection = await Connection.open({ servers: server.url }, 'test', 'test')
  try {
    await work(connection)
  } finally {
    await connection.close()
  }
}

await t.test(
  'headers of messages received whole or in pieces are read as the client library reads them',
  async t => {
    const random = randomFrom(20_261_121, 'headers')
    const below = (limit: number) => Math.floor(random() * limit)
    const count = 3_000
    const names = ['Cairn-Wire', 'Nats-Sequence', 'Nats-Subject', 'traceparent', 'x']
    const values = [
      '1',
      '',
      'deposited*2,closed',
      'Zürich 東京',
      'a: b',
      '%0D%0A',
      'NATS/1.0',
    ]
    const subject = freshNamespace()
    await connected(async connection => {
      const got: [HeaderBlock, HeaderBlock, string][] = []
      await connection.subscribe(`${subject}.>`, message => {
        got.push([readHeaderBlock(message), readByLibrary(message), message.string()])
      })
      for (let i = 0; i < count; i++) {
        const lines = Array.from({ length: below(12) }, (): [string, string] => [
          names[below(names.length)]!,
          values[below(values.length)]!,
        ])
        const body = below(4) === 0 ? 'NATS/1.0\r\n\r\n' : 'x'.repeat(below(900))
        const to = below(2) === 0 ? `${subject}.a` : `${subject}.ü`
        const reply = below(2) === 0 ? {} : { reply: 'somewhere.ü' }
        const isBare = below(10) === 0
        connection.nc.publish(to, body, {
          ...reply,
          ...(!isBare && { headers: rawHeaders(encodeHeaderLines(lines)) }),
        })
      }
      await until(() => got.length === count, { timeout: 30_000 })
      const different = got.filter(
        ([ours, theirs]) =>
          JSON.stringify([ours.code, [...ours.values]]) !==
          JSON.stringify([theirs.code, [...theirs.values]]),
      )
      t.strictSame(different.slice(0, 1), [])
      t.ok(
        got.some(([{ values }, , body]) => [...values].length > 3 && body.length > 100),
        'some messages had headers and bodies',
      )
    })
  },
)

await t.test('a status is read with its description', async t => {
  const subject = freshNamespace()
  await connected(async connection => {
    const got: HeaderBlock[] = []
    await connection.subscribe(subject, message => {
      got.push(readHeaderBlock(message))
    })
    const lines = headers(404, 'Message Not Found')
    lines.append('Nats-Num-Pending', '7')
    connection.nc.publish(subject, nothing, { headers: lines })
    await until(() => got.length === 1)
    const [{ code, description, values }] = got as [HeaderBlock]
    t.same(
      [code, description, values.get('Nats-Num-Pending')],
      [404, 'Message Not Found', '7'],
    )
    const reply = await connection.requests.request(`${subject}.nobody`, nothing, 10_000)
    t.equal(reply.kind, 'no-responders')
  })
})

await t.test(
  'the first value of a repeated header counts, and the last of a Nats- header',
  async t => {
    const { values } = parseHeaderBlock(
      'NATS/1.0\r\nCairn-Commit: a\r\nCairn-Commit: b\r\nNats-Sequence: 1\r\nNats-Sequence: 2\r\n\r\n',
    )
    t.strictSame(
      [...values],
      [
        ['Cairn-Commit', 'a'],
        ['Nats-Sequence', '2'],
      ],
    )
  },
)

await t.test('a line that is not a header is skipped', async t => {
  const { code, values } = parseHeaderBlock(
    'NATS/1.0 x\r\nnothing\r\n: y\r\nname:\r\n\r\n',
  )
  t.equal(code, 0)
  t.strictSame([...values], [['name', '']])
})
