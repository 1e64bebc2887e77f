import t from 'tap'

import type { Backend } from '../../../src/backend/backend.js'
import { embedded } from '../../../src/backend/embedded.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { memory } from '../../../src/backend/memory.js'
import { testDocuments } from '../../contract/documents.js'
import { testQueue } from '../../contract/queue.js'
import { startNats } from '../../support/nats.js'

await using server = await startNats()

const backends: Readonly<Record<string, Backend>> = {
  memory: memory(),
  'the embedded store': embedded({ dir: t.testdir() }),
  JetStream: jetstream({ servers: server.url }),
}

for (const [name, backend] of Object.entries(backends)) {
  const open = async (namespace: string) => {
    const opened = await backend.open({ namespace, nodeId: 'test' })
    t.teardown(() => opened.close())
    return opened
  }
  await testQueue(t, name, async namespace => (await open(namespace)).queues.inbox)
  await testDocuments(t, name, async namespace => (await open(namespace)).documents)
}
