// The queue contract: one suite for every implementation of src/store/queue/queue.ts.

import type { Test } from 'tap'

import { newId } from '../../src/model/id.js'
import type { NewRecord, Queue, QueueRecord } from '../../src/store/queue/queue.js'
import { until } from '../support/wait.js'

/** Opens a queue of a namespace; two openings of one namespace share the queue. */
export type OpenQueue = (namespace: string) => Promise<Queue>

const record = (id: string, more: Partial<NewRecord> = {}): NewRecord => ({
  key: ['3', 'account', 'alice'],
  id,
  headers: [['Cairn-Wire', '1']],
  body: Buffer.from(`body of ${id}`),
  ...more,
})

const textOf = ({ body }: QueueRecord) => Buffer.from(body).toString()

async function collect(records: AsyncIterable<QueueRecord>): Promise<QueueRecord[]> {
  const list: QueueRecord[] = []
  for await (const one of records) list.push(one)
  return list
}

/** Follows in the background; `end` stops it. */
function following(queue: Queue, after = 0) {
  const stop = new AbortController()
  const seen: QueueRecord[] = []
  const ended = (async () => {
    for await (const one of queue.follow({ after, signal: stop.signal })) seen.push(one)
  })()
  return {
    seen,
    async end() {
      stop.abort()
      await ended
    },
  }
}

export async function testQueue(t: Test, name: string, open: OpenQueue): Promise<void> {
  await t.test(`the queue contract: ${name}`, async t => {
    const fresh = async () => {
      const namespace = `q-${newId().slice(0, 8)}`
      const queue = await open(namespace)
      t.teardown(() => queue.close())
      return { namespace, queue }
    }

    await t.test('records are read in order and unchanged', async t => {
      const { queue } = await fresh()
      const before = Date.now()
      for (let i = 1; i <= 5; i++)
        t.strictSame(await queue.put(record(`r${i}`)), { position: i, duplicate: false })
      const all = await collect(queue.read())
      t.strictSame(
        all.map(textOf),
        ['r1', 'r2', 'r3', 'r4', 'r5'].map(id => `body of ${id}`),
      )
      t.strictSame(all[0]!.key, ['3', 'account', 'alice'])
      t.equal(all[0]!.headers['Cairn-Wire'], '1')
      t.ok(all.every(({ at }) => at >= before - 60_000 && at <= Date.now() + 60_000))
      t.strictSame((await collect(queue.read({ after: 3 }))).length, 2)
      const between = { after: 1, upTo: 4, key: ['3', 'account', 'alice'] }
      t.strictSame((await collect(queue.read(between))).map(textOf), [
        'body of r2',
        'body of r3',
        'body of r4',
      ])
      t.strictSame((await collect(queue.read({ upTo: 17 }))).length, 5)
      t.equal(await queue.lastPosition(), 5)
    })

    await t.test('keys with special characters are distinct', async t => {
      const { queue } = await fresh()
      const ids = ['a.b', 'a_b', 'a b', '*', '>', 'Zoë', 'a/b', '50%']
      for (const id of ids) await queue.put(record('one', { key: ['1', 'account', id] }))
      for (const id of ids) {
        const found = await collect(queue.read({ key: ['1', 'account', id] }))
        t.strictSame(
          found.map(({ key }) => key),
          [['1', 'account', id]],
          id,
        )
      }
    })

    await t.test(
      'QUEUE-3 an id in the queue is stored once, also when another client repeats the put',
      async t => {
        const { namespace, queue } = await fresh()
        const other = await open(namespace)
        t.teardown(() => other.close())
        const first = await queue.put(record('same'))
        t.strictSame(await other.put(record('same')), { ...first, duplicate: true })
        const elsewhere = record('same', { key: ['3', 'account', 'bob'] })
        t.equal(
          (await queue.put(elsewhere)).duplicate,
          false,
          'another key is another record',
        )
        t.equal((await collect(queue.read())).length, 2)
      },
    )

    await t.test(
      'QUEUE-4 a follower yields stored and new records, once and in order',
      async t => {
        const { namespace, queue } = await fresh()
        const other = await open(namespace)
        t.teardown(() => other.close())
        await queue.put(record('r1'))
        const follower = following(queue)
        const late = following(queue, 1)
        const puts = Array.from({ length: 50 }, (_, i) => other.put(record(`n${i}`)))
        await Promise.all(puts)
        await until(() => follower.seen.length === 51 && late.seen.length === 50, {
          describe: 'both followers have all',
        })
        await follower.end()
        await late.end()
        const positions = follower.seen.map(({ position }) => position)
        t.strictSame(
          positions,
          Array.from({ length: 51 }, (_, i) => i + 1),
        )
        t.strictSame(
          late.seen.map(({ position }) => position),
          positions.slice(1),
        )
      },
    )

    await t.test(
      'QUEUE-5 a removed record stays removed, and its position is not reused',
      async t => {
        const { queue } = await fresh()
        for (let i = 1; i <= 3; i++) await queue.put(record(`r${i}`))
        await queue.remove([1, 3])
        await queue.remove([3, 17])
        const idle = following(queue)
        await until(() => idle.seen.length === 1, {
          describe: 'a follower skips removed records',
        })
        await idle.end()
        t.strictSame(
          (await collect(queue.read())).map(({ position }) => position),
          [2],
        )
        t.equal(await queue.lastPosition(), 3)
        t.equal((await queue.put(record('r4'))).position, 4)
        const follower = following(queue)
        await until(() => follower.seen.length === 2, {
          describe: 'the two remaining records',
        })
        await queue.put(record('r5'))
        await until(() => follower.seen.length === 3, {
          describe: 'and the new one',
        })
        await follower.end()
      },
    )

    await t.test('nothing crosses a namespace', async t => {
      const [one, two] = [await fresh(), await fresh()]
      await one.queue.put(record('r1'))
      t.strictSame(await collect(two.queue.read()), [])
      t.equal(await two.queue.lastPosition(), 0)
    })

    await t.test('an empty name is refused, and a fired signal stops a put', async t => {
      const { queue } = await fresh()
      await t.rejects(queue.put(record('')), { code: 'invalid-command' })
      await t.rejects(queue.put(record('x', { key: ['1', ''] })), {
        code: 'invalid-command',
      })
      await t.rejects(queue.put(record('x'), { signal: AbortSignal.abort() }), {
        code: 'aborted',
      })
      t.equal(await queue.lastPosition(), 0)
    })
  })
}
