// The snapshot contract on every store.

import t from 'tap'

import type { Backend } from '../../../src/backend/backend.js'
import { embedded } from '../../../src/backend/embedded.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { memory } from '../../../src/backend/memory.js'
import { testSnapshots } from '../../contract/snapshots.js'
import { startNats } from '../../support/nats.js'

await using server = await startNats()

const backends: Readonly<Record<string, Backend>> = {
  memory: memory(),
  'the embedded store': embedded({ dir: t.testdir() }),
  JetStream: jetstream({ servers: server.url }),
}

for (const [name, backend] of Object.entries(backends))
  await testSnapshots(t, name, async namespace => {
    const opened = await backend.open({ namespace, nodeId: 'test' })
    t.teardown(() => opened.close())
    return opened.readModels
  })
