import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite, { type Database } from 'node-sqlite3-wasm'
import t from 'tap'

import { SqliteReadModels } from '../../examples/10-projection-sqlite/sqlite-read-models.js'
import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { testReadModels } from '../contract/read-models.js'
import { startNats } from '../support/nats.js'

await using server = await startNats()

const backends: Readonly<Record<string, Backend>> = {
  memory: memory(),
  'the embedded store': embedded({ dir: t.testdir() }),
  JetStream: jetstream({ servers: server.url }),
}

const databases: Database[] = []
const dir = await mkdtemp(join(tmpdir(), 'cairn-sqlite-'))
t.teardown(async () => {
  for (const database of databases) database.close()
  await rm(dir, { recursive: true, force: true })
})

await testReadModels(t, 'the example’s SQLite file', async namespace => {
  const database = new sqlite.Database(join(dir, `${namespace}.sqlite`))
  databases.push(database)
  return new SqliteReadModels(database)
})

for (const [name, backend] of Object.entries(backends))
  await testReadModels(t, name, async namespace => {
    const opened = await backend.open({ namespace, nodeId: 'test' })
    t.teardown(() => opened.close())
    return opened.readModels
  })
