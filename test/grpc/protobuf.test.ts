// Protobuf messages of TypeScript users: topics by the schema's option, stored self-describing, evolving by field rules.

import { execFileSync } from 'node:child_process'
import { cp, readFile, writeFile } from 'node:fs/promises'

import { protobufTopic, pack, unpack } from '@cairn-es/grpc'
import { file_cairn_v1_options } from '@cairn-es/grpc/contracts'
import {
  createFileRegistry,
  fromBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import t from 'tap'

import { memory } from '../../src/backend/memory.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'

const dir = t.testdir()

/** The messages of a contract, compiled by buf as a user does it. */
async function messagesOf(
  folder: string,
  text: string,
): Promise<(name: string) => DescMessage> {
  const module = `${dir}/${folder}`
  await cp('proto/cairn/v1/options.proto', `${module}/cairn/v1/options.proto`)
  await writeFile(`${module}/trips.proto`, text)
  await writeFile(`${module}/buf.yaml`, 'version: v2\n')
  const image = `${module}/image.binpb`
  execFileSync('node_modules/.bin/buf', ['build', module, '-o', image])
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, await readFile(image)),
  )
  return name => registry.getMessage(`acme.v1.${name}`)!
}

const text = await readFile('test/grpc/proto/trips.proto', 'utf8')
t.ok(file_cairn_v1_options)

await t.test(
  'a topic has the name and version of its schema, and messages survive its evolution',
  async t => {
    const first = await messagesOf('first', text)
    const tripCompleted = first('TripCompleted')
    const topic = protobufTopic(tripCompleted)
    t.match(topic, { name: 'trips.completed', version: 2 })
    t.throws(() => protobufTopic(first('Untold')), { code: 'invalid-definition' })

    const got: unknown[] = []
    const node = await startNode({
      namespace: 'protobuf',
      store: memory(),
      reactors: [
        defineReactor({
          name: 'read',
          on: topic,
          handle: ({ data }) => void got.push(data),
        }),
      ],
    })
    t.teardown(() => node.close())
    const fields = { tripId: 't1', amountCents: 5n } as MessageInitShape<DescMessage>
    await node.publish(topic, fields)
    await t.rejects(node.publish(topic, { amountCents: 'much' }), {
      code: 'invalid-message',
    })
    await until(() => got.length === 1)
    const plain = (desc: DescMessage, value: unknown) => {
      const { $typeName, ...rest } = unpack(desc, value) as MessageShape<DescMessage> &
        Record<string, unknown>
      return {
        type: $typeName,
        tripId: rest['tripId'],
        amount: rest['amountCents'] ?? rest['cents'],
      }
    }
    const expected = { type: 'acme.v1.TripCompleted', tripId: 't1', amount: 5n }
    t.strictSame(plain(tripCompleted, got[0]), expected)

    const second = await messagesOf(
      'second',
      text.replace('int64 amount_cents = 2;', 'int64 cents = 2;\n  string currency = 3;'),
    )
    t.strictSame(
      plain(second('TripCompleted'), got[0]),
      expected,
      'a renamed field is read',
    )
    const later = pack(second('TripCompleted'), {
      tripId: 't2',
      currency: 'EUR',
    })
    t.match(plain(tripCompleted, later), { tripId: 't2' }, 'an unknown field is no error')
    t.throws(() => unpack(first('Untold'), got[0]), { code: 'invalid-data' })
    t.throws(() => unpack(tripCompleted, { tripId: 't1' }), { code: 'invalid-data' })
  },
)
