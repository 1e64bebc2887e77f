// A process that is killed in the middle of its handlers: their messages are another's, at once and without
// an attempt lost, and what they had done already is not done again.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

const patience = { timeout: 60_000 }
t.setTimeout(180_000)

await t.test(
  'a process killed in a handler: another handles its messages, and each acts once',
  async t => {
    await using server = await startNats()
    const flags = ['--ns', 'shop', '--nats', server.url]
    const actors = ['--actors', 'test/support/actors/hanging.mjs']
    await using looker = await startHere({
      namespace: 'shop',
      store: jetstream({ servers: server.url }),
    })
    const ids = Array.from({ length: 20 }, (_, i) => `o${i}`)
    for (const id of ids)
      await looker.store.append({ type: 'order', id }, [
        { type: 'placed', data: 'book' },
        { type: 'placed', data: 'lamp' },
      ])
    const doneOf = async (id: string) => {
      const done: [string, unknown][] = []
      for await (const stored of looker.store.read({ type: 'parcel', id }))
        if (stored.kind === 'event') done.push([stored.type, stored.data])
      return done
    }
    const areAll = (count: number) => async () =>
      (await Promise.all(ids.map(doneOf))).every(done => done.length === count)

    const hanging = await startNode(...flags, ...actors, '--id', 'hanging')
    await until(areAll(1), {
      describe: 'all handlers hang behind an effect',
      ...patience,
    })
    await hanging.kill()
    await using well = await startNode(...flags, ...actors, '--id', 'well')
    await until(areAll(4), { describe: 'another one has handled them', ...patience })
    const shipped = ['shipped', { attempt: 1, mayBeRepeat: true }]
    for (const id of ids)
      t.strictSame(
        await doneOf(id),
        [['packed', undefined], shipped, ['packed', undefined], shipped],
        `${id}: in order, each effect once, and no attempt lost`,
      )
    for await (const { message } of looker.deadLetters.list())
      t.fail(`${message.id} is given up`)
    t.equal(await well.stop(), 0)
  },
)
