// The three homes of a namespace, for tests that hold on all of them.

import type { Test } from 'tap'

import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { newId } from '../../src/model/id.js'
import type { Node } from '../../src/runtime/node.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from './nats.js'

/** A namespace of its own on a backend, and nodes that end with their test. */
export interface Scene {
  readonly namespace: string
  readonly backend: Backend
  start(options: Partial<NodeOptions>): Promise<Node>
}

/** Runs a test once on each backend, against a real server where there is one. */
export async function onEachBackend(
  t: Test,
  title: string,
  body: (t: Test, scene: (t: Test) => Scene) => Promise<void>,
): Promise<void> {
  await using server = await startNats()
  const backends: Readonly<Record<string, Backend>> = {
    memory: memory(),
    embedded: embedded({ dir: t.testdir() }),
    JetStream: jetstream({ servers: server.url }),
  }
  for (const [name, backend] of Object.entries(backends))
    await t.test(`${title}, on ${name}`, t => body(t, t => sceneOn(t, backend)))
}

function sceneOn(t: Test, backend: Backend): Scene {
  const namespace = `test-${newId().slice(0, 8)}`
  return {
    namespace,
    backend,
    async start(options) {
      const node = await startNode({ namespace, store: backend, ...options })
      t.teardown(() => node.close())
      return node
    },
  }
}
