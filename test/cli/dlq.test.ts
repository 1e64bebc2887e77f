// cairn dlq: dead letters are listed, sent again and discarded, with no node running.

import t from 'tap'

import { defineTopic } from '../../src/model/topic.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

const patience = { timeout: 60_000 }
const created = defineTopic('bookings.created')
const completed = defineTopic('bookings.completed')

await using server = await startNats()
const dir = t.testdir()
const homes = homesOf(server, dir)

for (const { name, store, flags } of homes)
  await t.test(`A2.3 dead letters are listed and sent again, on ${name}`, async t => {
    const namespace = 'dead'
    const dlq = (...args: string[]) => cairn('dlq', ...args, '--ns', namespace, ...flags)
    const jsonOf = async (...args: string[]) => jsonLines(await dlq(...args, '--json'))
    let isWell = false
    const handled: unknown[] = []
    const mails = defineReactor({
      name: 'mails',
      on: [created, completed],
      retry: { attempts: 2, first: 1 },
      handle({ data }) {
        if (!isWell) throw new TypeError('no route to the mail server')
        handled.push(data)
      },
    })
    const start = () => startNode({ namespace, store, reactors: [mails] })
    const node = await start()
    for (let n = 1; n <= 3; n++)
      await node.publish(created, { n }, { id: `c${n}`, correlationId: 'corr' })
    await node.publish(completed, { n: 4 }, { id: 'd1' })
    const count = async () => {
      let letters = 0
      for await (const _ of node.deadLetters.list()) letters++
      return letters
    }
    await until(async () => (await count()) === 4, patience)
    await node.close()

    const listed = await dlq('list', '--where', 'topic=bookings.created', '--limit', '2')
    t.strictSame([listed.code, listed.stderr, listed.lines.length], [0, '', 2])
    t.match(
      listed.lines[0],
      /^\d+ {2}\S+ {2}mails {2}bookings.created {2}c\d {2}max-attempts-exhausted after 2 {2}TypeError: no route to the mail server$/,
    )
    const all = await jsonOf('list')
    t.equal(all.length, 4)
    const last = all.find(({ message }) => (message as { id: string }).id === 'd1')!
    const [shown] = await jsonOf('show', String(last.position))
    t.match(shown, {
      reactor: 'mails',
      message: { id: 'd1', topic: 'bookings.completed', data: { n: 4 } },
      error: { name: 'TypeError', message: 'no route to the mail server', stack: String },
      attempts: 2,
      dlq: {
        terminal: true,
        queueName: 'mails.dlq',
        reason: 'max-attempts-exhausted',
        markedAt: /^\d{4}-.*Z$/,
        'original-topic': 'bookings.completed',
        'original-id': 'd1',
        error: 'TypeError',
        attempt: 2,
      },
    })
    t.equal((await dlq('export', '--where', 'since=2001-01-01')).lines.length, 4)
    t.equal((await dlq('export', '--where', 'before=2001-01-01')).lines.length, 0)
    t.strictSame(await jsonOf('retry-all', '--where', 'reason=parked', '--dry-run'), [
      { count: 0, dryRun: true },
    ])
    t.strictSame(
      (await dlq('retry-all', '--where', 'topic=bookings.created', '--dry-run')).lines,
      ['3 dead letters would be sent again'],
    )
    t.strictSame((await dlq('retry', String(last.position))).lines, [
      '1 dead letter sent again',
    ])
    const missing = await dlq('retry', String(last.position))
    t.equal(missing.code, 1)
    t.match(missing.stderr, /unknown-dead-letter/)
    t.strictSame(await jsonOf('retry-all', '--limit', '2'), [{ count: 2, dryRun: false }])
    for (const args of [
      ['lost'],
      ['retry'],
      ['retry', 'x'],
      ['list', '1'],
      ['list', '--where', 'color=red'],
      ['list', '--where', 'since=then'],
      ['discard-all'],
    ])
      t.equal((await dlq(...args)).code, 2, args.join(' '))
    t.strictSame((await dlq('discard-all', '--where', 'reactor=mails')).lines, [
      '1 dead letter discarded',
    ])
    t.match((await dlq('list')).stderr, /There are no dead letters in this namespace/)

    isWell = true
    const again = await start()
    await until(() => handled.length === 3, patience)
    await again.close()
    t.equal(handled.length, 3, 'two are sent again by retry-all, one by retry')
  })
