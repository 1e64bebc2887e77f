// A4.8: a child process in another language exposes a manifest, contracts, handlers and triggers over a typed wire contract,
// and its trigger really fires across that boundary.

import t from 'tap'

import { defineTopic } from '../../src/model/topic.js'
import { pythonIsMissing } from '../support/python.js'
import { until } from '../support/wait.js'
import { pythonScene } from './python-scene.js'

const total = 40
const pot = (id: string) => ({ type: 'pot', id })

await t.test(
  'A4.8 an actor, a reactor and a trigger in Python handle what they get, and kill -9 of child and parent loses nothing',
  { skip: pythonIsMissing },
  async t => {
    const { node, start, lines } = await pythonScene(t)
    let host = start()
    await host.registered(1)

    const added = await node.ask(pot('alice'), 'add', { amount: 5 })
    t.match(added, { ok: true, version: 1, reply: 5 })
    t.match(await node.ask(pot('alice'), 'add', { amount: -1 }), {
      ok: false,
      rejection: { code: 'negative', message: 'Only more.', details: { total: 5 } },
    })
    t.match(await node.ask(pot('alice'), 'total'), { reply: 5, version: 1 })
    await t.rejects(node.ask(pot('alice'), 'add', { amount: 1, fail: true }), {
      code: 'decide-failed',
      message: /no such amount/,
    })
    await t.rejects(node.ask(pot('alice'), 'subtract'), { code: 'unknown-command' })

    const fires = defineTopic('fires')
    const ids: string[] = []
    const publish = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        ids.push((await node.publish(fires, { i })).id)
        await node.send(pot(`p${i % 5}`), 'add', { amount: 1 }, { commandId: `c${i}` })
      }
    }
    await publish(0, total / 4)
    await until(async () => (await lines('fired')).length > 0, {
      describe: 'the trigger fires across the border',
    })

    process.kill(host.pid(), 'SIGKILL')
    await publish(total / 4, total / 2)
    await host.registered(2)
    t.match(
      host.events.find(event => event['kind'] === 'ended'),
      { signal: 'SIGKILL' },
    )

    host.child.kill('SIGKILL')
    await host.ended
    await publish(total / 2, total)
    host = start()
    await host.registered(1)

    const distinct = async (kind: string) =>
      new Set((await lines(kind)).map(({ id }) => id)).size
    await until(async () => (await distinct('fired')) === total, {
      describe: 'each message has fired the trigger',
    })
    await until(async () => (await distinct('hint')) === total + 1, {
      describe: 'each event has reached the reactor',
    })
    for (let i = 0; i < 5; i++)
      t.match(
        await node.ask(pot(`p${i}`), 'total'),
        { reply: total / 5, version: total / 5 },
        'each command took effect once',
      )
    for (const kind of ['fired', 'hint']) {
      const seen = new Set<string>()
      for (const { id, isRepeat } of await lines(kind)) {
        if (seen.has(id)) t.ok(isRepeat, `${kind} ${id} was told as a repeat`)
        seen.add(id)
      }
    }
    t.strictSame(
      new Set((await lines('fired')).map(({ id }) => id)),
      new Set(ids),
      'no other message has',
    )

    host.child.kill('SIGTERM')
    t.equal(await host.ended, 0, 'it drains and ends')
    t.match(
      host.events.find(event => event['kind'] === 'gone'),
      { isDrained: true },
    )
  },
)

await t.test(
  'what kills a Python plugin by itself becomes a dead letter, and nothing else does',
  { skip: pythonIsMissing },
  async t => {
    const { node, start, lines } = await pythonScene(t)
    const host = start()
    await host.registered(1)
    const notes = defineTopic('notes')
    const poison = await node.publish(notes, 'poison')
    const others: string[] = []
    for (let i = 0; i < 20; i++) others.push((await node.publish(notes, `n${i}`)).id)
    const terminal = await node.publish(notes, 'terminal')
    await node.publish(notes, 'forward')
    const letters = async () => {
      const found = []
      for await (const letter of node.deadLetters.list()) found.push(letter)
      return found
    }
    await until(async () => (await letters()).length >= 2, {
      describe: 'the dead letters are there',
    })
    t.strictSame(
      new Set((await letters()).map(({ message }) => message.id)),
      new Set([poison.id, terminal.id]),
    )
    await until(async () => {
      const seen = new Set((await lines('reacted')).map(({ id }) => id))
      return others.every(id => seen.has(id))
    })
    await until(async () => {
      const outcome = await node.ask(pot('forwarded'), 'total')
      return outcome.ok && outcome.reply === 1
    })
    t.ok(host.count('ended') >= 3, 'it died, and was started again')
    await t.rejects(
      node.ask(pot('alice'), 'add', { amount: 1, die: true }, { timeout: 2_000 }),
      { code: /no-node|deadline-exceeded|not-owner|outcome-unknown/ },
    )
    await host.registered(host.count('registered') + 1)
    await until(async () => (await node.ask(pot('alice'), 'total')).ok)
    t.match(await node.ask(pot('alice'), 'total'), { version: 0, reply: 0 })
  },
)
