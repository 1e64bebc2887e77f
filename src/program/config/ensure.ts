// Creates what a config file declares and is missing, and reports what differs. Existing data is safe:
// streams are never changed, and of consumers only `ackWait` and `attempts`.

import { jetstream } from '../../backend/jetstream.js'
import {
  declareConsumer,
  type DeclareResult,
} from '../../delivery/consumer/declare-consumer.js'
import type { ConsumerDefinition } from '../../delivery/consumer/define-consumer.js'
import {
  consumerStart,
  firstMessage,
  type StartPlaces,
} from '../../delivery/source/start-place.js'
import { JetStreamDocuments } from '../../store/documents/jetstream.js'
import { newId } from '../../model/id.js'
import { throwIfAborted } from '../../model/wait.js'
import { Connection } from '../../nats/connection.js'
import { inspectStreams } from '../../nats/inspect.js'
import { documentsBucketOf } from '../../nats/subjects.js'
import { brokerOf } from './broker.js'
import type { Config } from './config.js'

export interface EnsureReport extends DeclareResult {
  readonly kind: 'stream' | 'consumer'
  readonly name: string
  readonly broker: string
  readonly namespace: string
}

export interface EnsureOptions {
  /** Changes nothing, and reports what it would do. Default false. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
}

/** Throws what opening a namespace throws; streams that differ are reported instead. */
export async function* ensureDeclared(
  config: Config,
  { dryRun = false, signal }: EnsureOptions = {},
): AsyncGenerator<EnsureReport, void, void> {
  for (const [namespace, { broker, ...declared }] of Object.entries(config.streams)) {
    throwIfAborted(signal, 'creating what is declared')
    const options = brokerOf(config, broker)
    const nodeId = `ensure-${newId().slice(0, 8)}`
    const connection = await Connection.open(options, namespace, `cairn ${nodeId}`)
    try {
      const streams = await inspectStreams(connection, namespace, declared)
      const mayCreate = !dryRun && streams.every(({ foreign }) => foreign.length === 0)
      if (mayCreate && streams.some(({ exists }) => !exists)) {
        const open = await jetstream({ ...options, ...declared }).open({
          namespace,
          nodeId,
        })
        await open.close()
      }
      const about = { broker, namespace }
      for (const { stream, exists, foreign, drift } of streams) {
        const differences = [...foreign, ...drift]
        const existing = differences.length === 0 ? 'as declared' : 'differs'
        const state = exists ? existing : mayCreate ? 'created' : 'missing'
        yield { kind: 'stream', name: stream, ...about, state, differences }
      }
      const { stream: documentsStream } = documentsBucketOf(namespace)
      const hasDocuments =
        mayCreate ||
        streams.some(({ stream, exists }) => stream === documentsStream && exists)
      const documents = new JetStreamDocuments(connection, namespace)
      for (const [name, { stream, definition }] of Object.entries(config.consumers)) {
        if (stream !== namespace) continue
        const outcome = hasDocuments
          ? await declareConsumer(documents, definition, {
              dryRun: !mayCreate,
              startOf: () => startOf(options, namespace, nodeId, definition),
            })
          : { state: 'missing' as const, differences: [] }
        yield { kind: 'consumer', name, ...about, ...outcome }
      }
    } finally {
      await connection.close()
    }
  }
}

/** Where a consumer begins: the ends of the streams are read only if it matters. */
async function startOf(
  options: Parameters<typeof jetstream>[0],
  namespace: string,
  nodeId: string,
  { name, startAt }: ConsumerDefinition,
): Promise<StartPlaces> {
  if (startAt !== 'new') return firstMessage
  const open = await jetstream(options).open({ namespace, nodeId })
  try {
    return await consumerStart(open, name, startAt, new AbortController().signal)
  } finally {
    await open.close()
  }
}
