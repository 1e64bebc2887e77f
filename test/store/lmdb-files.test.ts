// The embedded store checks the files and directories it is given.

import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { open } from 'lmdb'
import t from 'tap'

import { CairnError } from '../../src/model/errors.js'
import { openLmdbStore } from '../../src/store/event-store/lmdb.js'
import {
  account,
  collect,
  deposits,
  mustAppend,
  span,
} from '../contract/store/support.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'

async function refusal(work: Promise<unknown>): Promise<CairnError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof CairnError) return error
  throw new Error(`it was not refused: ${String(error)}`)
}

const binary = { encoding: 'binary', keyEncoding: 'binary' } as const

/** Makes an LMDB environment with entries per table, as another program would. */
async function makeLmdb(path: string, tables: Record<string, [string, string][]>) {
  const root = open<Buffer, Buffer>(path, { ...binary, noSubdir: true })
  for (const [name, entries] of Object.entries(tables)) {
    const table = root.openDB<Buffer, Buffer>(name, binary)
    for (const [key, value] of entries)
      await table.put(Buffer.from(key), Buffer.from(value))
  }
  await root.close()
}

const meta = {
  format: 'cairn',
  layout: 1,
  wire: 1,
  namespace: 'test',
  generation: 'g',
  createdAt: new Date(0).toISOString(),
  partitions: 16,
}

function metaTable(changes: object): Record<string, [string, string][]> {
  return { meta: [['meta', JSON.stringify({ ...meta, ...changes })]] }
}

const foreign: [string, (path: string) => Promise<unknown>][] = [
  ['a text', path => writeFile(path, 'Dear diary, '.repeat(1000))],
  ['a short text', path => writeFile(path, 'x')],
  [
    'random bytes',
    path =>
      writeFile(
        path,
        Uint8Array.from({ length: 9_999 }, () => Math.random() * 256),
      ),
  ],
  [
    'an LMDB environment of the older format',
    path => {
      const file = Buffer.alloc(8192)
      new Uint32Array(file.buffer, file.byteOffset, 16).set([0xbeefc0de, 1], 4)
      return writeFile(path, file)
    },
  ],
  [
    'an LMDB environment of a newer format',
    path => {
      const file = Buffer.alloc(8192)
      new Uint32Array(file.buffer, file.byteOffset, 16).set([0xbeefc0de, 3], 6)
      return writeFile(path, file)
    },
  ],
  ['another program’s environment', path => makeLmdb(path, { users: [['a', 'b']] })],
  [
    'another program’s environment with many tables',
    path =>
      makeLmdb(path, Object.fromEntries(span(1, 8).map(name => [name, [['k', 'v']]]))),
  ],
  [
    'another program’s meta table',
    path => makeLmdb(path, { meta: [['version', '7']], log: [] }),
  ],
  [
    'tables named like Cairn’s without meta',
    path => makeLmdb(path, { log: [['a', 'b']] }),
  ],
  ['a meta record that is not JSON', path => makeLmdb(path, { meta: [['meta', '{']] })],
  ['a meta record of null', path => makeLmdb(path, { meta: [['meta', 'null']] })],
  [
    'a meta record of another format',
    path => makeLmdb(path, metaTable({ format: 'dolmen' })),
  ],
  ['a newer layout', path => makeLmdb(path, metaTable({ layout: 4 }))],
  ['a newer wire version', path => makeLmdb(path, metaTable({ wire: 2 }))],
  ['another namespace', path => makeLmdb(path, metaTable({ namespace: 'other' }))],
  ['a directory', path => mkdir(path)],
  ['a link to a log', linked],
]

/** A link has a lock of its own beside it, so two processes would not exclude one another. */
async function linked(path: string): Promise<void> {
  await makeLmdb(`${path}.whole.lmdb`, metaTable({}))
  await symlink(`${path}.whole.lmdb`, path)
}

for (const [what, make] of foreign)
  await t.test(`${what} instead of a log is refused and left unchanged`, async t => {
    const path = join(t.testdir(), 'test.lmdb')
    await make(path)
    const before = what === 'a directory' ? undefined : await readFile(path)
    const place = new LmdbFixture(dirname(path))
    for (const attempt of [1, 2]) {
      const error = await refusal(place.open())
      t.equal(error.code, 'foreign-directory', `attempt ${attempt}: ${error.message}`)
      t.ok(error.message.includes(path), 'the path is named')
      t.match(error.message, /another directory/, 'the remedy is named')
    }
    if (before !== undefined)
      t.ok(before.equals(await readFile(path)), 'not a byte of it changed')
    const neighbour = await place.open({ namespace: 'neighbour' })
    t.equal(
      (await mustAppend(neighbour, account, deposits(1))).version,
      1,
      'its directory can be used for another namespace',
    )
    await neighbour.close()
  })

await t.test('a file where the directory should be is refused', async t => {
  const dir = t.testdir({ file: 'text' })
  for (const path of [join(dir, 'file'), join(dir, 'file', 'below')]) {
    const error = await refusal(
      openLmdbStore({ dir: path, namespace: 'test', nodeId: 'n' }),
    )
    t.equal(error.code, 'foreign-directory')
    t.ok(error.message.includes(path), error.message)
  }
})

await t.test('a directory that cannot be created is refused', async t => {
  // Even root cannot create a directory there.
  const path = '/proc/cairn/data'
  const error = await refusal(
    openLmdbStore({ dir: path, namespace: 'test', nodeId: 'n' }),
  )
  t.equal(error.code, 'storage-failed')
  t.ok(error.message.includes(path), error.message)
})

await t.test('a namespace outside the grammar is refused before any file', async t => {
  const dir = join(t.testdir(), 'data')
  for (const namespace of ['', 'A', '../up', 'a.b', 'a/b', '-a']) {
    const error = await refusal(openLmdbStore({ dir, namespace, nodeId: 'n' }))
    t.equal(error.code, 'invalid-namespace')
  }
  await t.rejects(readdir(dir), { code: 'ENOENT' }, 'nothing was created')
})

await t.test('directories are created, and each namespace is a file in it', async t => {
  const place = new LmdbFixture(join(t.testdir(), 'deep', 'down'))
  for (const namespace of ['one', 'two'])
    await mustAppend(await place.open({ namespace }), account, deposits(1))
  const files = await readdir(place.dir)
  t.strictSame(files.toSorted(), [
    'one.lmdb',
    'one.lmdb-lock',
    'one.state',
    'two.lmdb',
    'two.lmdb-lock',
    'two.state',
  ])
  await place[Symbol.asyncDispose]()
})

await t.test('an interrupted creation is completed', async t => {
  for (const tables of [{ meta: [] }, { meta: [], log: [] }]) {
    const place = new LmdbFixture(t.testdir())
    await makeLmdb(join(place.dir, 'test.lmdb'), tables)
    const store = await place.open()
    t.equal((await mustAppend(store, account, deposits(1))).version, 1)
    await store.close()
  }
})

await t.test('a log keeps its generation and its partitions', async t => {
  const place = new LmdbFixture(t.testdir())
  const store = await place.open()
  const { generation, partitions } = store
  t.match(generation, /^[0-9a-f-]{36}$/)
  t.equal(partitions, 16)
  await mustAppend(store, account, deposits(1))
  await store.close()
  const again = await place.open()
  t.equal(again.generation, generation)
  t.equal(again.partitions, partitions)
  const other = await place.open({ namespace: 'other' })
  t.not(other.generation, generation)
  await place[Symbol.asyncDispose]()
})

await t.test('a renamed log is not accepted for another namespace', async t => {
  const place = new LmdbFixture(t.testdir())
  const store = await place.open()
  await mustAppend(store, account, deposits(1))
  await store.close()
  await rename(join(place.dir, 'test.lmdb'), join(place.dir, 'stolen.lmdb'))
  const error = await refusal(place.open({ namespace: 'stolen' }))
  t.equal(error.code, 'foreign-directory')
  t.match(error.message, /holds namespace test/)
})

await t.test('two paths to one directory open one log', async t => {
  const dir = t.testdir({ data: {} })
  await symlink(join(dir, 'data'), join(dir, 'link'))
  const [one, two] = [
    new LmdbFixture(join(dir, 'data')),
    new LmdbFixture(join(dir, 'link')),
  ]
  const [first, second] = [await one.open(), await two.open()]
  const appends = [first, second, first, second].map(store =>
    mustAppend(store, account, deposits(1)),
  )
  const versions = (await Promise.all(appends)).map(({ version }) => version)
  t.strictSame(
    versions.toSorted((a, b) => a - b),
    [1, 2, 3, 4],
  )
  await first.close()
  await second.close()
})

await t.test('closing and opening may overlap', async t => {
  const place = new LmdbFixture(t.testdir())
  for (let round = 0; round < 20; round++) {
    const [one, two] = await Promise.all([place.open(), place.open()])
    const append = mustAppend(one, account, deposits(round))
    const closing = one.close()
    const closingTwo = round % 2 === 0 ? two.close() : Promise.resolve()
    const next = await place.open()
    await Promise.all([append, closing, closingTwo])
    t.equal((await next.head(account)).version, round + 1)
    await next.close()
    await two.close()
  }
  const store = await place.open()
  t.equal((await collect(store.readAll())).length, 20)
  await store.close()
})
