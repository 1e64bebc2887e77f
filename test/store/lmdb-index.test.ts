// The index of an actor's commits, as every layout of a file keeps it.

import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { open } from 'lmdb'
import t from 'tap'

import { checkFile } from '../../src/store/lmdb/check-file.js'
import { layoutsKnown, type VersionPosition } from '../../src/store/lmdb/layout.js'
import { LogTables } from '../../src/store/lmdb/log-tables.js'
import { encodeMeta, newMeta } from '../../src/store/lmdb/meta.js'
import { Table } from '../../src/store/lmdb/table.js'
import {
  actorOf,
  collect,
  deposits,
  mustAppend,
  span,
} from '../contract/store/support.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'

const binary = { encoding: 'binary', keyEncoding: 'binary' } as const

/** Numbers that repeat with a seed. */
function draws(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function openLog(dir: string, layout: number) {
  const path = join(dir, 'test.lmdb')
  const root = open<Buffer, Buffer>(path, { ...binary, noSubdir: true })
  const table = (name: string) =>
    new Table(root.openDB<Buffer, Buffer>(name, binary), name, path, layout)
  const tables = { log: table('log'), heads: table('heads'), index: table('index') }
  return { root, log: new LogTables({ path, root, ...tables, layout }) }
}

/** All chunks, each begun where the one before it ended. */
function walk(
  start: VersionPosition,
  read: (from: VersionPosition) => VersionPosition[],
  next: (last: VersionPosition) => VersionPosition,
): VersionPosition[] {
  const found: VersionPosition[] = []
  for (let chunk = read(start); chunk.length > 0; chunk = read(next(chunk.at(-1)!)))
    found.push(...chunk)
  return found
}

const keep = (last: VersionPosition) => last
const before = ({ version, position }: VersionPosition) => ({
  version,
  position: position - 1,
})
const compare = (a: VersionPosition, b: VersionPosition) =>
  a.version - b.version || a.position - b.position

for (const layout of layoutsKnown) {
  await t.test(`layout ${layout}: entries are found from any place`, async t => {
    const { root, log } = openLog(t.testdir(), layout)
    const draw = draws(layout)
    const entries = new Map<string, VersionPosition[]>()
    let position = 0
    for (const size of span(1, 40))
      root.transactionSync(() => {
        for (const _one of span(1, size)) {
          // One actor has many commits, and one has few.
          const actor = actorOf(`a${Math.floor(4 * (draw(1_000) / 1_000) ** 3)}`)
          const own = entries.get(actor.id) ?? []
          const head = log.head(actor)
          const version = (head?.version ?? 0) + draw(3) * draw(200)
          log.append(actor, head, ++position, version, Buffer.from('record'))
          entries.set(actor.id, [...own, { version, position }])
        }
      })
    log.refresh()
    t.equal(entries.size, 4)
    for (const [id, own] of entries) {
      const head = log.head(actorOf(id))!
      t.match(head, own.at(-1)!)
      for (const _turn of span(1, 60)) {
        const at = own[draw(own.length)]!
        const from = { version: at.version, position: at.position - draw(2) }
        const upTo = { version: at.version, position: at.position + draw(3) - 1 }
        const forwards = walk(from, after => log.indexFrom(head, after), keep)
        t.strictSame(
          forwards,
          own.filter(entry => compare(entry, from) > 0),
        )
        const backwards = walk(upTo, next => log.indexBack(head, next), before)
        const older = own.filter(entry => compare(entry, upTo) <= 0)
        t.strictSame(backwards, older.toReversed())
      }
    }
    await root.close()
  })

  await t.test(
    `layout ${layout}: a head that was read earlier leads to all before it`,
    async t => {
      const actor = actorOf('a')
      for (const length of [1, 15, 16, 17, 33, 300]) {
        const { root, log } = openLog(t.testdir(), layout)
        const append = (position: number) =>
          log.append(actor, log.head(actor), position, position, Buffer.from('record'))
        root.transactionSync(() => span(1, length).forEach(append))
        const head = log.refresh().head(actor)!
        root.transactionSync(() => span(length + 1, length + 40).forEach(append))
        log.refresh()
        const positions = span(1, length)
        const first = { version: 0, position: 0 }
        const forwards = walk(first, after => log.indexFrom(head, after), keep)
        t.strictSame(
          forwards.map(({ position }) => position),
          positions,
        )
        const backwards = walk(head, next => log.indexBack(head, next), before)
        t.strictSame(
          backwards.map(({ position }) => position),
          positions.toReversed(),
        )
        await root.close()
      }
    },
  )

  await t.test(`layout ${layout}: a file is written on in its own layout`, async t => {
    const dir = t.testdir()
    const path = join(dir, 'test.lmdb')
    const root = open<Buffer, Buffer>(path, { ...binary, noSubdir: true })
    const meta = { ...newMeta('test'), layout }
    const stored = layout === 1 ? Buffer.from(JSON.stringify(meta)) : encodeMeta(meta)
    await root.openDB<Buffer, Buffer>('meta', binary).put(Buffer.from('meta'), stored)
    await root.close()
    const actor = actorOf('a')
    for (const opening of span(0, 2)) {
      const store = await new LmdbFixture(dir).open()
      for (const i of span(1, 20)) {
        await mustAppend(store, actor, deposits(i % 3 || 1))
        await mustAppend(store, actorOf(`b${i % 4}`), deposits(1))
      }
      const commits = await collect(store.commits(actor))
      t.equal(commits.length, 20 * (opening + 1))
      t.ok(commits.every(({ kind }) => kind === 'commit'))
      const backwards = await collect(store.commits(actor, { backwards: true }))
      t.strictSame(backwards.toReversed(), commits)
      const events = await collect(store.read(actor, { from: 7, to: 30 }))
      t.strictSame(
        events.map(event => event.kind === 'event' && event.version),
        span(7, 30 < commits.length ? 30 : events.length + 6),
      )
      await store.close()
      // Without it, the next opening reads the file page by page.
      await rm(join(dirname(path), 'test.state'), { recursive: true })
      t.match(await checkFile(path, 'test'), { meta: { layout }, damaged: [] })
    }
  })
}
