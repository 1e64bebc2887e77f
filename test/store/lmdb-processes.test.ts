// Several processes on one embedded log, one of them killed repeatedly. The forked
// processes run the compiled code: `npm run build` comes first (`npm test` does it).

import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t from 'tap'

import type { LogRecord } from '../../src/model/commit.js'
import type { EventStore } from '../../src/store/event-store/event-store.js'
import { PageFile } from '../../src/store/lmdb/page-file.js'
import {
  acquireEnvironment,
  releaseEnvironment,
} from '../../src/store/lmdb/environment.js'
import {
  actorOf,
  asCommit,
  collect,
  deposits,
  followed,
  mustAppend,
  span,
  versionsOf,
} from '../contract/store/support.js'
import { bare, bareFork } from '../support/bare.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'

interface Acknowledged {
  readonly command: string
  readonly id: string
  readonly firstVersion: number
  readonly version: number
  readonly position: number
}

const writer = fileURLToPath(new URL('lmdb-writer.mjs', import.meta.url))
const built = fileURLToPath(
  new URL('../../dist/store/event-store/lmdb.js', import.meta.url),
)

function start(mode: string, dir: string, ...rest: string[]): ChildProcess {
  // Without the parent's flags: the child needs no TypeScript loader.
  return fork(writer, [mode, dir, 'test', ...rest], bareFork)
}

const deadline = 60_000
const end = actorOf('end')

/** Follows from the first record to that of the actor `end`. */
async function followUntilEnd(store: EventStore): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for await (const record of store.follow({ signal: AbortSignal.timeout(deadline) })) {
    records.push(record)
    if (record.actor?.id === end.id) return records
  }
  throw new Error(`the last record did not arrive; ${records.length} records did`)
}

/** A process that appends `count` times, and all that it was acknowledged. */
function startAppending(dir: string, name: string, count: number, mode = 'append') {
  const child = start(mode, dir, name, String(count))
  const acknowledged: Acknowledged[] = []
  child.on('message', message => acknowledged.push(message as Acknowledged))
  return { child, acknowledged, exit: once(child, 'exit') }
}

t.ok(existsSync(built), 'the code is compiled: npm run build')

await t.test(
  'processes that append concurrently while one is killed leave one complete history',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const store = await place.open()
    const live = followUntilEnd(store)
    const [steady, count] = [2, 250]
    const writers = span(1, steady).map(n =>
      startAppending(place.dir, `steady-${n}`, count),
    )
    const doomed: Acknowledged[] = []
    for (const round of span(1, 5)) {
      const { child, acknowledged, exit } = startAppending(
        place.dir,
        `doomed-${round}`,
        1_000_000,
      )
      const signal = AbortSignal.timeout(deadline)
      while (acknowledged.length < 30) await once(child, 'message', { signal })
      // This process appends too.
      await mustAppend(store, actorOf(`actor-${round % 3}`), deposits(round))
      child.kill('SIGKILL')
      t.strictSame(await exit, [null, 'SIGKILL'], `round ${round} was killed at work`)
      doomed.push(...acknowledged)
    }
    for (const { exit, acknowledged } of writers) {
      t.strictSame(await exit, [0, null], 'the others end well')
      t.equal(acknowledged.length, count)
    }

    const { position: last } = await mustAppend(store, end, deposits(0))
    const records = (await live).map(asCommit)
    t.strictSame(
      records.map(record => record.position),
      span(1, last),
      'positions are dense, and a follower sees each once and in order',
    )
    for (const id of ['actor-0', 'actor-1', 'actor-2']) {
      const { version } = await store.head(actorOf(id))
      t.strictSame(versionsOf(records, actorOf(id)), span(1, version), `${id} is dense`)
    }
    const byCommand = new Map<string, typeof records>()
    for (const record of records) {
      const command = record.command?.id ?? ''
      byCommand.set(command, [...(byCommand.get(command) ?? []), record])
    }
    const told = [...doomed, ...writers.flatMap(({ acknowledged }) => acknowledged)]
    t.ok(doomed.length >= 150, `${doomed.length} appends of killed processes count`)
    const wrong = told.filter(({ command, id, firstVersion, version, position }) => {
      const found = byCommand.get(command) ?? []
      return !(
        found.length === 1 &&
        found[0]!.actor.id === id &&
        found[0]!.firstVersion === firstVersion &&
        found[0]!.lastVersion === version &&
        found[0]!.position === position
      )
    })
    t.strictSame(wrong, [], 'each acknowledged append is stored once, as acknowledged')
    const twice = [...byCommand].filter(([id, found]) => id !== '' && found.length > 1)
    t.strictSame(twice, [], 'nothing is stored twice, acknowledged or not')
  },
)

await t.test('a follower sees the appends of other processes as they happen', async t => {
  const place = await LmdbFixture.make()
  t.teardown(() => place[Symbol.asyncDispose]())
  const store = await place.open()
  const count = 200
  const waiting = followed(store, count)
  const { exit, acknowledged } = startAppending(place.dir, 'writer', count)
  const positions = (await waiting).map(record => record.position)
  t.strictSame(positions, span(1, count))
  await exit
  t.equal(acknowledged.length, count)
  // A cache that knows nothing of the other process is no obstacle.
  const { version } = await (await place.open()).head(actorOf('actor-1'))
  const next = await mustAppend(store, actorOf('actor-1'), deposits(1), {
    expected: version,
  })
  t.equal(next.position, count + 1)
})

await t.test(
  'a read sees the commits of another process, also within the same turn',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const store = await place.open()
    const actor = actorOf('actor-0')
    const before = store.head(actor)
    // This thread stands still meanwhile: no timer or callback renews its snapshot.
    const args = ['append', place.dir, 'test', 'other', '1']
    execFileSync(...bare(process.execPath, writer, ...args))
    const after = [store.head(actor), store.lastPosition()] as const
    t.equal((await before).version, 0)
    t.equal((await after[0]).version, 1)
    t.equal(await after[1], 1)
  },
)

await t.test(
  'commits of other processes between two reads of a file are no damage',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const append = (name: string) =>
      execFileSync(
        ...bare(process.execPath, writer, 'append', place.dir, 'test', name, '1'),
      )
    append('first')
    const file = await PageFile.open(join(place.dir, 'test.lmdb'))
    t.teardown(() => file.close())
    const read = file.read.bind(file)
    let reads = 0
    file.read = (bytes, at) => {
      const isWhole = read(bytes, at)
      if (++reads <= 3) for (const n of span(1, 3)) append(`between-${reads}-${n}`)
      return isWhole
    }
    const metas = file.metas()
    t.ok(reads > 3, 'the pages were read again')
    t.notOk('kind' in metas, 'kind' in metas ? metas.why : 'both pages are of one time')
  },
)

await t.test('processes that create a log at the same time agree on one', async t => {
  for (const round of span(1, 5)) {
    const place = await LmdbFixture.make()
    const writers = span(1, 3).map(n => startAppending(place.dir, `writer-${n}`, 20))
    for (const { exit } of writers) t.strictSame(await exit, [0, null])
    const records = await collect((await place.open()).readAll())
    t.strictSame(
      records.map(record => record.position),
      span(1, 60),
      `round ${round}`,
    )
    await place[Symbol.asyncDispose]()
  }
})

await t.test(
  'processes that open, append and close at the same time keep each other’s commits',
  async t => {
    for (const round of span(1, 2)) {
      const place = await LmdbFixture.make()
      const writers = [
        ...span(1, 4).map(n => startAppending(place.dir, `opener-${n}`, 20, 'reopen')),
        startAppending(place.dir, 'steady', 60),
      ]
      for (const { exit } of writers) t.strictSame(await exit, [0, null])
      const records = (await collect((await place.open()).readAll())).map(asCommit)
      const told = writers.flatMap(({ acknowledged }) => acknowledged)
      t.strictSame(
        records.map(({ position, command }) => `${position} ${command?.id}`),
        told
          .toSorted((a, b) => a.position - b.position)
          .map(({ position, command }) => `${position} ${command}`),
        `round ${round}: what was acknowledged, and nothing else`,
      )
      t.equal(records.length, 140)
      await place[Symbol.asyncDispose]()
    }
  },
)

await t.test(
  'a process that sets the number of the last commit back undoes no commit',
  async t => {
    const actor = actorOf('actor-0')
    for (const count of span(1, 4)) {
      const place = await LmdbFixture.make()
      const store = await place.open()
      const environment = await acquireEnvironment(place.dir, 'test')
      const setBack = () => {
        // Not here: a process that closes the lock file loses its locks.
        const args = ['set-back', place.dir, 'test', String(count)]
        execFileSync(...bare(process.execPath, writer, ...args))
      }
      for (const amount of span(1, 5)) await mustAppend(store, actor, deposits(amount))
      setBack()
      const next = await mustAppend(store, actor, deposits(6), { expected: 5 })
      t.equal(next.position, 6)
      setBack()
      t.equal(await environment.documents.put('name', Buffer.from('value'), 0), 1)
      const records = await collect(store.readAll())
      t.strictSame(
        records.map(({ position }) => position),
        span(1, 6),
        `back by ${count}`,
      )
      t.equal(environment.documents.get('name')?.revision, 1)
      await releaseEnvironment(environment)
      await place[Symbol.asyncDispose]()
    }
  },
)

await t.test(
  'a process that dies within a write transaction leaves no lock and no data',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const store = await place.open()
    await mustAppend(store, actorOf('actor-0'), deposits(1))
    for (const round of span(1, 3)) {
      const [, signal] = (await once(
        start('die-writing', place.dir),
        'exit',
      )) as unknown[]
      t.equal(signal, 'SIGKILL')
      const next = await mustAppend(store, actorOf('actor-0'), deposits(2), {
        expected: round,
      })
      t.equal(next.position, round + 1)
    }
    const records = await collect(store.readAll())
    t.strictSame(versionsOf(records, actorOf('actor-0')), span(1, 4))
  },
)
