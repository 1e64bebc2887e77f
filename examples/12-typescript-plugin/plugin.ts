// The plugin: decides the actors of type "counter". It is started by main.ts, which stands for "cairn plugin run".

import { create, fromJson, toJson } from '@bufbuild/protobuf'
import { ValueSchema } from '@bufbuild/protobuf/wkt'
import { createClient } from '@connectrpc/connect'
import { doorTransport } from '@cairn-es/grpc'
import {
  AcceptSchema,
  DataSchema,
  type Decide,
  type HostRequest,
  HostRequestSchema,
  PluginService,
  ResultSchema,
} from '@cairn-es/grpc/contracts'

// Ends with its parent.
process.stdin.resume().on('end', () => process.exit(1))

const door = process.env['CAIRN_DOOR'] ?? ''
const token = process.env['CAIRN_TOKEN'] ?? ''
const client = createClient(PluginService, doorTransport({ door, token }))

const waiting: HostRequest[] = [
  create(HostRequestSchema, {
    manifest: {
      name: 'counters',
      version: '1.0.0',
      contracts: ['cairn.v1'],
      workMax: 100,
      actorTypes: [
        { type: 'counter', version: 1, commands: ['count'], events: ['counted'] },
      ],
    },
  }),
]
let wake = () => {}

async function* requests(): AsyncGenerator<HostRequest> {
  for (;;) {
    yield* waiting.splice(0)
    await new Promise<void>(resolve => (wake = resolve))
  }
}

/** The state is a number: how many events there are. */
function decide({ basis }: Decide) {
  const { kind } = basis?.state ?? {}
  const before = kind?.case === 'json' ? Number(toJson(ValueSchema, kind.value)) : 0
  const counted = before + (basis?.events.length ?? 0) + 1
  const data = create(DataSchema, {
    kind: { case: 'json', value: fromJson(ValueSchema, counted) },
  })
  const events = [{ type: 'counted' }]
  return create(AcceptSchema, { events, state: data, reply: data })
}

try {
  for await (const { work } of client.host(requests())) {
    const results = work.flatMap(({ id, work: piece }) =>
      piece.case === 'decide'
        ? [
            create(ResultSchema, {
              id,
              result: {
                case: 'decided',
                value: { decision: { case: 'accept', value: decide(piece.value) } },
              },
            }),
          ]
        : [],
    )
    if (results.length > 0) waiting.push(create(HostRequestSchema, { results }))
    wake()
  }
} finally {
  process.exit(0)
}
