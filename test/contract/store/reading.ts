// Contract: reading one actor's events and commits.

import type {
  EventStore,
  ReadOptions,
} from '../../../src/store/event-store/event-store.js'
import {
  account,
  actorOf,
  asCommit,
  collect,
  deposits,
  fill,
  mustAppend,
  refuses,
  span,
  type Suite,
} from './support.js'

/** Commits 1-2, 3-3, 4-8, 9-9, 10-12. */
const sizes = [2, 1, 5, 1, 3]
const end = 12

async function versions(store: EventStore, options?: ReadOptions): Promise<number[]> {
  const events = await collect(store.read(account, options))
  return events.map(event => (event.kind === 'event' ? event.version : NaN))
}

export function testReading(test: Suite): void {
  test('an actor without events reads as empty', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, actorOf('bob'), deposits(1))
    t.strictSame(await versions(store), [])
    t.strictSame(await versions(store, { backwards: true }), [])
    t.strictSame(await versions(store, { from: 3, to: 9, limit: 2 }), [])
    t.strictSame(await collect(store.commits(account)), [])
  })

  test('every range reads its versions, in both directions', async (t, place) => {
    const store = await place.open()
    await fill(store, account, sizes)
    await fill(store, actorOf('alic'), [3])
    await fill(store, actorOf('alice2'), [3])
    // Every boundary, also within commits, compared with the computed versions.
    const starts = [undefined, 0, 1, 2, 3, 5, 8, 12, 13, 99]
    const limits = [undefined, 0, 1, 4, 100]
    let ranges = 0
    for (const from of starts)
      for (const to of [undefined, 1, 3, 6, 9, 12, 13])
        for (const limit of limits)
          for (const backwards of [false, true]) {
            if (from !== undefined && to !== undefined && from > to) continue
            const options: ReadOptions = {
              ...(from !== undefined && { from }),
              ...(to !== undefined && { to }),
              ...(limit !== undefined && { limit }),
              backwards,
            }
            const wanted = span(1, end).filter(
              version => version >= (from ?? 1) && version <= (to ?? end),
            )
            if (backwards) wanted.reverse()
            const found = await versions(store, options)
            const right = found.join() === wanted.slice(0, limit ?? end).join()
            if (!right) t.fail(`read(${JSON.stringify(options)}) gave ${found.join()}`)
            ranges++
          }
    t.ok(ranges > 300, `${ranges} ranges were read`)
  })

  test('events have their data and all of their metadata', async (t, place) => {
    const store = await place.open({ nodeId: 'node-7' })
    const before = Date.now()
    const { commitId, position } = await mustAppend(
      store,
      account,
      [
        { type: 'opened', data: { owner: 'Alice' }, metadata: { source: 'desk' } },
        { type: 'deposited', data: { amount: 5 } },
      ],
      {
        command: { id: 'command-1', reply: 'ok' },
        correlationId: 'correlation-1',
        causationId: 'causation-1',
        at: 1_700_000_000_000,
      },
    )
    const common = {
      kind: 'event',
      actor: account,
      position,
      commitId,
      at: 1_700_000_000_000,
      nodeId: 'node-7',
      commandId: 'command-1',
      correlationId: 'correlation-1',
      causationId: 'causation-1',
    }
    t.strictSame(await collect(store.read(account)), [
      {
        ...common,
        id: 'account/alice/1',
        type: 'opened',
        data: { owner: 'Alice' },
        metadata: { source: 'desk' },
        version: 1,
      },
      {
        ...common,
        id: 'account/alice/2',
        type: 'deposited',
        data: { amount: 5 },
        metadata: {},
        version: 2,
      },
    ])
    await mustAppend(store, account, deposits(1))
    const [plain] = await collect(store.read(account, { from: 3 }))
    t.ok(plain?.kind === 'event' && plain.at >= before, 'the default clock is the system')
    t.notOk(plain !== undefined && 'commandId' in plain, 'what is unknown is absent')
  })

  test('commits are yielded whole, from the one that holds the first version wanted', async (t, place) => {
    const store = await place.open()
    await fill(store, account, sizes)
    const all = (await collect(store.commits(account))).map(asCommit)
    const bounds = all.map(commit => [commit.firstVersion, commit.lastVersion])
    t.strictSame(bounds, [
      [1, 2],
      [3, 3],
      [4, 8],
      [9, 9],
      [10, 12],
    ])
    const read = async (options: object) =>
      (await collect(store.commits(account, options))).map(
        record => asCommit(record).firstVersion,
      )
    t.strictSame(await read({ from: 5 }), [4, 9, 10])
    t.strictSame(await read({ from: 9 }), [9, 10])
    t.strictSame(await read({ from: 13 }), [])
    t.strictSame(await read({ from: 5, backwards: true }), [10, 9, 4])
    t.strictSame(await read({ backwards: true }), [10, 9, 4, 3, 1])
    t.strictSame(await read({ to: 0 }), [])
    t.strictSame(await read({ from: 4, to: 3 }), [])
    t.strictSame(await read({ to: 3 }), [1, 3], 'and to the one that holds the last')
    t.strictSame(await read({ from: 4, to: 8 }), [4])
    t.strictSame(await read({ from: 4, to: 10 }), [4, 9, 10])
    t.strictSame(await read({ to: 99 }), [1, 3, 4, 9, 10])
    t.strictSame(await read({ from: 4, to: 3, backwards: true }), [10, 9, 4])
    for (const hint of [0, 1, all[1]!.position, all[2]!.position])
      t.strictSame(await read({ from: 5, hint }), [4, 9, 10], `with hint ${hint}`)
  })

  test('reading from and to every version works, also within commits', async (t, place) => {
    const store = await place.open()
    await fill(store, account, sizes)
    const all = (await collect(store.commits(account))).map(asCommit)
    const holder = (version: number) =>
      all.findIndex(
        ({ firstVersion, lastVersion }) =>
          firstVersion <= version && version <= lastVersion,
      )
    for (const from of span(1, end))
      for (const to of span(from, end)) {
        const wanted = all.slice(holder(from), holder(to) + 1).map(({ id }) => id)
        // A reader within a commit gives the position of that commit.
        for (const hint of [0, all[holder(from)]!.position]) {
          const read = await collect(store.commits(account, { from, to, hint }))
          const found = read.map(record => asCommit(record).id)
          if (found.join() !== wanted.join())
            t.fail(`commits ${from} to ${to} with hint ${hint} gave ${found.join()}`)
        }
        const back = (
          await collect(store.commits(account, { from, backwards: true }))
        ).map(record => asCommit(record).id)
        if (
          back.join() !==
          all
            .slice(holder(from))
            .toReversed()
            .map(({ id }) => id)
            .join()
        )
          t.fail(`commits backwards to ${from} gave ${back.join()}`)
      }
    t.pass()
  })

  test('a long history is read whole, from both ends and from its middle', async (t, place) => {
    const store = await place.open()
    const length = 400
    await fill(
      store,
      account,
      Array.from({ length }, () => 1),
    )
    t.strictSame(await versions(store), span(1, length))
    t.strictSame(await versions(store, { backwards: true }), span(length, 1))
    t.strictSame(await versions(store, { from: 200, to: 390 }), span(200, 390))
    t.strictSame(
      await versions(store, { from: 150, to: 300, backwards: true }),
      span(300, 150),
    )
  })

  test('a long history among other actors reads the same backwards and forwards', async (t, place) => {
    const store = await place.open()
    const other = actorOf('bob')
    const foreign = { headers: { note: 'mine' }, body: Buffer.from('no commit') }
    for (let n = 0; n < 240; n++) {
      await mustAppend(store, account, deposits(n))
      // At narrow, wide and mixed spacings.
      const gap = n < 80 ? 0 : n < 160 ? (n * 7) % 12 : n % 3
      await Promise.all(
        Array.from({ length: gap }, () => store.append(other, deposits(1))),
      )
      if (n % 70 === 35) await place.injectRecord(account, foreign)
    }
    const fresh = await place.open()
    const positions = (records: readonly { position: number }[]) =>
      records.map(({ position }) => position)
    const forth = await collect(fresh.commits(account))
    const back = await collect(fresh.commits(account, { backwards: true }))
    t.equal(forth.length, 243)
    t.strictSame(positions(back), positions(forth).reverse())
    t.strictSame(back.toReversed(), forth, 'whole')
    for (const stop of [3, 5, 14, 40, 100]) {
      const seen: { position: number }[] = []
      for await (const record of fresh.commits(account, { backwards: true })) {
        seen.push(record)
        if (seen.length === stop) break
      }
      t.strictSame(positions(seen), positions(back).slice(0, stop), `${stop} of them`)
    }
  })

  test('a reader that stops early leaves nothing open', async (t, place) => {
    const store = await place.open()
    await fill(store, account, sizes)
    for (let i = 0; i < 300; i++)
      for await (const event of store.read(account, { backwards: i % 2 === 1 })) {
        if (event.kind !== 'event') t.fail('every record here is readable')
        break
      }
    t.strictSame(await versions(store), span(1, end))
  })

  test('aborting stops a running read', async (t, place) => {
    const store = await place.open()
    await fill(store, account, sizes)
    const stop = new AbortController()
    const seen: number[] = []
    await refuses(
      t,
      'aborted',
      async () => {
        for await (const event of store.commits(account, { signal: stop.signal })) {
          seen.push(event.position)
          stop.abort()
        }
      },
      'the read',
    )
    t.equal(seen.length, 1)
  })

  test('a long history is read whole, from any version, and left early', async (t, place) => {
    // More than one batch or chunk of any store, forwards and backwards, with a record in it that is no commit.
    const store = await place.open()
    const [count, foreignAfter] = [700, 600]
    for (const version of span(0, count - 1)) {
      await mustAppend(store, account, deposits(version), { expected: version || 'none' })
      if (version + 1 === foreignAfter)
        await place.injectRecord(account, { headers: {}, body: new Uint8Array(3) })
    }
    const all = span(1, count)
    for (const backwards of [false, true]) {
      const read = await versions(store, { backwards })
      t.equal(read.length, count + 1, 'the record that is no commit is reported once')
      t.ok(Number.isNaN(read[backwards ? count - foreignAfter : foreignAfter]))
      t.strictSame(read.filter(Number.isFinite), backwards ? all.toReversed() : all)
    }
    for (const from of [255, 256, 257, 511, 512, 513, 601, 690]) {
      const to = Math.min(count, from + 300)
      const read = await versions(store, { from, to })
      t.strictSame(read.filter(Number.isFinite), span(from, to), `${from} to ${to}`)
    }
    for (const last of [1, 20, 256, 520]) {
      let seen = 0
      for await (const _ of store.commits(account)) if (++seen === last) break
      t.equal(seen, last, 'a reader leaves early')
      seen = 0
      for await (const _ of store.commits(account, { backwards: true }))
        if (++seen === last) break
      t.equal(seen, last, 'and backwards')
    }
    const stop = new AbortController()
    let seen = 0
    const reading = async () => {
      for await (const _ of store.commits(account, { signal: stop.signal }))
        if (++seen === 300) stop.abort()
    }
    await refuses(t, 'aborted', reading, 'in the middle of a batch')
    t.equal(seen, 300, 'nothing is yielded after the signal')
  })
}
