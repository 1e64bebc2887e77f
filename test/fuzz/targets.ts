// What is fuzzed: every reader of bytes that come from outside, with valid inputs to begin from.
//
// A target reads bytes and returns what it found wrong with them, or nothing. It throws only what its reader may throw:
// the runner judges what is thrown.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import {
  readAnswer,
  answerRequest,
  encodeRequest,
} from '../../src/cluster/request-codec.js'
import { readMember } from '../../src/cluster/read-member.js'
import { readMembershipMessage } from '../../src/cluster/membership-message.js'
import { decodeDeadLetter } from '../../src/codec/dead-letter.js'
import { decodeRecord, encodeCommit } from '../../src/codec/envelope.js'
import { checkData } from '../../src/codec/data.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { decodeRedriven } from '../../src/codec/redriven.js'
import {
  decodeStoredCommand,
  encodeStoredCommand,
} from '../../src/codec/stored-command.js'
import {
  decodeStoredMessage,
  encodeStoredMessage,
} from '../../src/codec/stored-message.js'
import { decodeTimer, encodeTimer } from '../../src/codec/stored-timer.js'
import { readCommitNotice } from '../../src/bus/notice.js'
import { decodeConsumerState } from '../../src/delivery/consumer/consumer-state.js'
import { decodePartitionState } from '../../src/delivery/group/partition-state.js'
import { checkBuildsDocument } from '../../src/projection/builds.js'
import { checkMinimumDocument } from '../../src/runtime/minimum-versions.js'
import { loadConfig } from '../../src/program/config/load.js'
import { formatAddress, parseAddress } from '../../src/model/address.js'
import { decodeLogRecord, encodeLogRecord } from '../../src/store/lmdb/layout.js'
import { decodeMeta, encodeMeta, newMeta } from '../../src/store/lmdb/meta.js'
import { findDifference } from '../support/values.js'

/** Thrown by a target that writes again what it has read, and reads it differently. */
export class Difference extends Error {}

export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Returns why bytes were refused, where the reader says so by a text. */
  run(bytes: Buffer): unknown
  /** Of each so many cases, one is for this target: it costs as much more. Default 1. */
  readonly cost?: number
}

const actor = { type: 'account', id: 'a/b ü' }
const data = {
  amount: 10,
  note: 'tea',
  at: new Date(0),
  big: 2n ** 62n,
  bytes: Buffer.from('abc'),
  list: [1, -1, 1.5, null, undefined, true],
}
const commit = {
  id: 'commit-1',
  actor,
  firstVersion: 3,
  events: [
    { type: 'deposited', data, metadata: { by: 'x' } },
    { type: 'noted', data: 'a' },
  ],
  nodeId: 'n1',
  at: 1_700_000_000_000,
  command: { id: 'c1', reply: { ok: true } },
  correlationId: 'co',
  causationId: 'ca',
  state: { behavior: 2, value: data },
  outbox: [
    { kind: 'message', topic: 'orders', version: 1, data },
    { kind: 'command', actor, type: 'pay', data },
    { kind: 'timer', name: 'late', at: 1_800_000_000_000, type: 'remind', data },
    { kind: 'cancel', name: 'late' },
  ],
} as unknown as Parameters<typeof encodeCommit>[0]

/** Headers as lines, an empty line, and the body. */
function joined({
  headers,
  body,
}: {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}`).join('\n')
  return Buffer.concat([Buffer.from(`${lines}\n\n`, 'latin1'), body])
}

function parted(bytes: Buffer): { headers: Record<string, string>; body: Buffer } {
  const end = bytes.indexOf('\n\n')
  const text = bytes.toString('latin1', 0, end < 0 ? bytes.length : end)
  const headers: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) headers[line.slice(0, colon)] = line.slice(colon + 2)
  }
  return { headers, body: end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 2) }
}

const message = encodeStoredMessage({
  id: 'm1',
  topic: 'orders',
  version: 1,
  data,
  key: 'k',
} as Parameters<typeof encodeStoredMessage>[0])
const command = encodeStoredCommand({
  id: 'c1',
  type: 'add',
  data,
  actor,
} as unknown as Parameters<typeof encodeStoredCommand>[0])
const timer = encodeTimer({
  actor,
  name: 'late',
  at: 1_800_000_000_000,
  generation: 4,
  occurrence: 0,
  type: 'remind',
  data,
} as unknown as Parameters<typeof encodeTimer>[0])

const requests = [
  encodeRequest({ kind: 'ask', actor, command: 'add', data } as never, 1_000, 1e9, ''),
  encodeRequest({ kind: 'state', actor, version: 3 } as never, 1_000, 1e9, ''),
]
const answers = [
  encode({ ok: true, value: data }),
  encode({
    ok: false,
    error: { code: 'no-node', message: 'There is none.', details: { a: 1 } },
  }),
]
const member = {
  id: 'n1',
  types: ['account'],
  groups: ['g'],
  weight: 1,
  version: '1.0.0',
  behaviors: { account: 2 },
  wire: 2,
  incarnation: 5,
  metadata: { zone: 'a' },
}
const configs = [
  'brokers:\n  main: { servers: "nats://127.0.0.1:4222" }\nstreams:\n  tenant-a: &a { broker: main, replicas: 3 }\n  tenant-b: *a\n',
  'consumers:\n  erp:\n    stream: tenant-a\n    topics: [orders, "a.b"]\n    ackWait: 1000\nstreams: {tenant-a: {}}\n',
]

const documents: [string, (bytes: Buffer) => unknown, unknown][] = [
  [
    'partition',
    bytes => decodePartitionState(bytes, 'partition p'),
    { version: 2, epoch: 1, floor: 3, failing: [], marks: [] },
  ],
  [
    'consumer',
    bytes => decodeConsumerState(bytes, 'consumer c'),
    { version: 3, definition: {}, places: {}, held: [] },
  ],
  [
    'builds',
    bytes => checkBuildsDocument(bytes),
    { next: 3, builds: [{ version: 1, number: 2, state: 'live' }] },
  ],
  [
    'minimum versions',
    bytes => checkMinimumDocument(bytes),
    { wire: 1, actors: { account: 2 } },
  ],
]

/** @param dir a folder for files */
export function targetsIn(dir: string): readonly Target[] {
  const meta = newMeta('fuzz')
  return [
    {
      name: 'MessagePack',
      seeds: [encode(data), encode([data, data])],
      run: bytes => void decode(bytes),
    },
    {
      name: 'value',
      seeds: [encode(data), encode({ list: [data, new Date(1.5), -0, 2n ** 63n] })],
      run(bytes) {
        const value = decodeOrUndefined(bytes)
        checkData(value, 'value')
        const difference = findDifference(value, decode(encode(value)))
        if (difference !== undefined) throw new Difference(difference)
      },
    },
    {
      name: 'record of the log',
      seeds: [joined(encodeCommit(commit))],
      run(bytes) {
        const { headers, body } = parted(bytes)
        const header = (name: string) => headers[name]
        readCommitNotice('fuzz', actor, 1, header)
        const record = decodeRecord({
          position: 1,
          source: 'fuzz#1',
          actor,
          body,
          header,
          headers: () => headers,
        })
        return record.kind === 'malformed' ? record.reason : undefined
      },
    },
    {
      name: 'record of an embedded file',
      seeds: [encodeLogRecord(actor, { 'Cairn-Wire': '1' }, encode(data))],
      run: bytes => decodeLogRecord(bytes),
    },
    {
      name: 'message',
      seeds: [joined(message)],
      run: bytes => decodeStoredMessage('orders', ...partsOf(bytes)),
    },
    {
      name: 'command',
      seeds: [joined(command)],
      run: bytes => decodeStoredCommand(...partsOf(bytes)),
    },
    {
      name: 'timer',
      seeds: [joined(timer)],
      run: bytes => decodeTimer(actor, ...partsOf(bytes)),
    },
    {
      name: 'dead letter',
      seeds: [
        joined(message),
        joined({
          headers: [
            ['Cairn-Wire', '1'],
            ['Cairn-Message', 'm1'],
          ],
          body: encode({
            message: { id: 'm1', topic: 'orders' },
            error: { name: 'E', message: 'x' },
            attempts: 3,
          }),
        }),
      ],
      run(bytes) {
        const parts = partsOf(bytes)
        decodeRedriven(...parts)
        return decodeDeadLetter(...parts)
      },
    },
    {
      name: 'request on a socket',
      seeds: requests,
      async run(bytes) {
        readAnswer(await answerRequest(bytes, async () => 'done'))
      },
    },
    { name: 'answer on a socket', seeds: answers, run: bytes => void readAnswer(bytes) },
    {
      name: 'membership',
      seeds: [encode({ kind: 'alive', member }), Buffer.from(JSON.stringify(member))],
      run(bytes) {
        readMembershipMessage(bytes)
        try {
          readMember(JSON.parse(bytes.toString()))
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error
        }
      },
    },
    ...documents.map(([name, run, valid]) => ({
      name: `document: ${name}`,
      seeds: [encode(valid)],
      run,
    })),
    {
      name: 'meta record',
      seeds: [encodeMeta(meta)],
      run: bytes => void decodeMeta(bytes, 'fuzz.lmdb'),
    },
    {
      name: 'address',
      seeds: [Buffer.from('account/alice')],
      run(bytes) {
        const text = bytes.toString()
        const again = formatAddress(parseAddress(text))
        if (again !== text) throw new Difference(again)
      },
    },
    ...['yaml', 'json'].map(ending => ({
      name: `config in ${ending.toUpperCase()}`,
      seeds:
        ending === 'yaml'
          ? configs.map(text => Buffer.from(text))
          : [
              Buffer.from(
                '{"brokers":{"a":{"servers":["u"]}},"streams":{"b":{"replicas":3}}}',
              ),
            ],
      cost: 40,
      async run(bytes: Buffer) {
        const path = join(dir, `cairn.config.${ending}`)
        await writeFile(path, bytes)
        await loadConfig(path)
      },
    })),
  ]
}

/** The reader of MessagePack alone is a target of its own. */
function decodeOrUndefined(bytes: Buffer): unknown {
  try {
    return decode(bytes)
  } catch {
    return undefined
  }
}

function partsOf(bytes: Buffer): [Record<string, string>, Buffer] {
  const { headers, body } = parted(bytes)
  return [headers, body]
}
