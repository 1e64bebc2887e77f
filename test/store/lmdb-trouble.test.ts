// Failures of the embedded store: a held lock, a full disk, a damaged record, slow readers.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import t from 'tap'

import { type CairnError, isCairnError } from '../../src/model/errors.js'
import { lmdbCommitBytesMax } from '../../src/store/event-store/lmdb.js'
import {
  acquireEnvironment,
  releaseEnvironment,
} from '../../src/store/lmdb/environment.js'
import { positionKey } from '../../src/store/lmdb/layout.js'
import { type AppendRequest, LogWriter } from '../../src/store/lmdb/log-writer.js'
import {
  account,
  actorOf,
  collect,
  deposits,
  mustAppend,
  refuses,
  span,
} from '../contract/store/support.js'
import { bareFork } from '../support/bare.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'

const writer = fileURLToPath(new URL('lmdb-writer.mjs', import.meta.url))

await t.test('appends give up while another process holds the write lock', async t => {
  const place = await LmdbFixture.make()
  t.teardown(() => place[Symbol.asyncDispose]())
  const store = await place.open()
  await mustAppend(store, account, deposits(1))
  const holder = fork(writer, ['hold-lock', place.dir, 'test'], {
    ...bareFork,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  await once(holder.stdout!, 'data')
  // A writer does not block readers.
  t.equal((await store.head(account)).version, 1)

  const late = () => store.append(account, deposits(2), { timeout: 50 })
  await refuses(t, 'store-unreachable', late, 'an append at its deadline')
  const stop = new AbortController()
  const aborted = store.append(account, deposits(3), { signal: stop.signal })
  stop.abort()
  await refuses(t, 'aborted', () => aborted, 'an append that is aborted')
  const patient = store.append(account, deposits(4), { timeout: 60_000 })

  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const result = await patient
  t.ok(result.ok && result.version === 2, 'the append with a longer timeout is stored')
  const amounts = (await collect(store.read(account))).map(
    event => event.kind === 'event' && event.data,
  )
  t.strictSame(
    amounts,
    [{ amount: 1 }, { amount: 4 }],
    'appends that gave up were not stored',
  )
})

await t.test(
  'an append that gives up while being written has an unknown outcome',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const environment = await acquireEnvironment(place.dir, 'test')
    const stop = new AbortController()
    const job: AppendRequest = {
      actor: account,
      expected: 'any',
      events: 1,
      bytes: 1,
      encode() {
        // Within the write transaction.
        stop.abort()
        return Buffer.from('record')
      },
    }
    const work = () => environment.writer.submit(job, 60_000, stop.signal)
    await refuses(t, 'outcome-unknown', work, 'the append')
    await releaseEnvironment(environment)
    const store = await place.open()
    t.equal(await store.lastPosition(), 1, 'this one was stored')
  },
)

await t.test(
  'an append that fails in its transaction fails all appends of the transaction',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const environment = await acquireEnvironment(place.dir, 'test')
    const job = (id: string, encode: () => Buffer): AppendRequest => {
      return { actor: actorOf(id), expected: 'any', events: 1, bytes: 1, encode }
    }
    const good = () => Buffer.from('record')
    const bad = () => {
      throw new Error('no memory left')
    }
    const results = await Promise.allSettled(
      [job('a', good), job('b', bad), job('c', good)].map(each =>
        environment.writer.submit(each, 60_000, undefined),
      ),
    )
    for (const result of results)
      t.ok(
        result.status === 'rejected' && isCairnError(result.reason, 'storage-failed'),
        'each append fails',
      )
    t.equal(environment.log.refresh().lastPosition(), 0, 'and none is stored')
    const after = await environment.writer.submit(job('d', good), 60_000, undefined)
    t.equal(after.stored, 1, 'the next one is')
    await releaseEnvironment(environment)
  },
)

await t.test('the queue of appends is bounded, by number and by bytes', async t => {
  const place = await LmdbFixture.make()
  t.teardown(() => place[Symbol.asyncDispose]())
  const environment = await acquireEnvironment(place.dir, 'test')
  for (const [bytes, fit] of [
    [10, 3],
    [40, 2],
    [500, 1],
  ] as const) {
    const bounded = new LogWriter({
      ...environment,
      onStored() {},
      queueMax: { appends: 3, bytes: 100 },
    })
    const job: AppendRequest = {
      actor: account,
      expected: 'any',
      events: 1,
      bytes,
      encode: () => Buffer.alloc(bytes),
    }
    const results = await Promise.allSettled(
      span(1, 5).map(() => bounded.submit(job, 60_000, undefined)),
    )
    const codes = results.map(result =>
      result.status === 'rejected' ? (result.reason as CairnError).code : 'stored',
    )
    t.strictSame(
      codes,
      span(1, 5).map(n => (n <= fit ? 'stored' : 'queue-full')),
      `of ${bytes} bytes each`,
    )
    t.ok((await bounded.submit(job, 60_000, undefined)).stored, 'and then there is room')
  }
  await releaseEnvironment(environment)
})

await t.test(
  'more appends than fit into one transaction are all stored, in order',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const store = await place.open()
    const appends = span(0, 2_499).map(version =>
      mustAppend(store, account, deposits(version), { expected: version }),
    )
    const versions = (await Promise.all(appends)).map(({ version }) => version)
    t.strictSame(versions, span(1, 2_500))
  },
)

await t.test(
  'on a full disk appends fail, none is lost, and the process lives on',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    // A limit on file size simulates the full disk. Exceeding it also raises a signal, which Node
    // ignores unless the test runner's options ask for it.
    const run = `exec "${process.execPath}" "${writer}" fill "${place.dir}" test`
    const command = `unset NODE_OPTIONS && ulimit -f 2000 && ${run}`
    const child = spawn('sh', ['-c', command], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    const [messages, errors]: [unknown[], string[]] = [[], []]
    child.on('message', message => messages.push(message))
    child.stderr!.on('data', text => errors.push(String(text)))
    t.strictSame(await once(child, 'close'), [0, null], errors.join(''))
    const message = messages[0] as { stored: number; codes: string[]; last: number }
    t.ok(message.stored > 10, `${message.stored} appends fitted`)
    t.equal(message.codes.length, 23)
    t.ok(message.codes.every(code => code === 'storage-failed'))
    t.equal(message.last, message.stored)
    // There is space again.
    const store = await place.open()
    t.equal((await store.head(actorOf('big'))).version, message.stored)
    t.equal((await collect(store.readAll())).length, message.stored)
    const next = await mustAppend(store, actorOf('big'), deposits(1))
    t.equal(next.version, message.stored + 1)
  },
)

await t.test(
  'on a full disk documents are refused, and the process lives on',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const run = `exec "${process.execPath}" "${writer}" fill-documents "${place.dir}" test`
    const command = `unset NODE_OPTIONS && ulimit -f 2000 && ${run}`
    const child = spawn('sh', ['-c', command], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    const [messages, errors]: [unknown[], string[]] = [[], []]
    child.on('message', message => messages.push(message))
    child.stderr!.on('data', text => errors.push(String(text)))
    t.strictSame(await once(child, 'close'), [0, null], errors.join(''))
    const message = messages[0] as { stored: number; codes: string[] }
    t.ok(message.stored > 10, `${message.stored} documents fitted`)
    t.equal(message.codes.length, 23)
    t.ok(message.codes.every(code => code === 'storage-failed'))
  },
)

await t.test('a commit over the size limit is refused', async t => {
  const place = await LmdbFixture.make()
  t.teardown(() => place[Symbol.asyncDispose]())
  const store = await place.open()
  const data = new Uint8Array(lmdbCommitBytesMax)
  const append = () => store.append(account, [{ type: 'big', data }])
  await refuses(t, 'commit-too-large', append, 'the append')
  t.equal(await store.lastPosition(), 0)
})

await t.test(
  'a damaged record is reported with its bytes, and reading continues',
  async t => {
    const place = await LmdbFixture.make()
    t.teardown(() => place[Symbol.asyncDispose]())
    const store = await place.open()
    for (const amount of span(1, 6)) await mustAppend(store, account, deposits(amount))
    const environment = await acquireEnvironment(place.dir, 'test')
    const damages = [[], [1, 2], [0xff, 0xff, 0xff, 0xff, 0], [0, 0, 0, 1, 0xc1]]
    const log = environment.root.openDB<Buffer, Buffer>('log', {
      encoding: 'binary',
      keyEncoding: 'binary',
    })
    for (const [i, damage] of damages.entries())
      await log.put(positionKey(i + 2), Buffer.from(damage))
    const kinds = (await collect(store.read(account))).map(({ kind }) => kind)
    const bad = damages.map(() => 'malformed')
    t.strictSame(kinds, ['event', ...bad, 'event'])
    const records = await collect(store.readAll())
    for (const [i, damage] of damages.entries()) {
      const record = records[i + 1]
      t.ok(
        record?.kind === 'malformed' &&
          record.position === i + 2 &&
          Buffer.from(damage).equals(record.raw),
      )
    }
    t.equal((await mustAppend(store, account, deposits(7))).version, 7)
    await log.remove(positionKey(3))
    await refuses(t, 'damaged-file', () => collect(store.read(account)), 'a lost record')
    await releaseEnvironment(environment)
  },
)

await t.test('slow readers hold no snapshot', async t => {
  const place = await LmdbFixture.make()
  t.teardown(() => place[Symbol.asyncDispose]())
  const store = await place.open()
  for (const amount of span(1, 20)) await mustAppend(store, account, deposits(amount))
  const readers: AsyncIterator<unknown>[] = [
    store.readAll()[Symbol.asyncIterator](),
    store.read(account)[Symbol.asyncIterator](),
    store.read(account, { backwards: true })[Symbol.asyncIterator](),
    store.follow()[Symbol.asyncIterator](),
    store.actors()[Symbol.asyncIterator](),
  ]
  for (const reader of readers) t.notOk((await reader.next()).done)
  // After a turn of the event loop, LMDB lists its readers as "pid thread transaction", with "-"
  // for a reader without a snapshot.
  await new Promise(resolve => {
    setTimeout(resolve, 0)
  })
  const environment = await acquireEnvironment(place.dir, 'test')
  const lines = environment.root.readerList().trim().split('\n').slice(1)
  t.ok(lines.length > 0, 'there are readers')
  for (const line of lines) t.match(line, /-\s*$/, `"${line}" holds no snapshot`)
  for (const reader of readers) await reader.return?.()
  await releaseEnvironment(environment)
})
