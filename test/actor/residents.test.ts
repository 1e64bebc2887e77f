// Many actors: which of them stay in memory, and how many wake at a time.

import t from 'tap'

import type { ActorAddress } from '../../src/model/address.js'
import { barrier, node } from './support.js'

const account = (id: string | number): ActorAddress => ({ type: 'account', id: `${id}` })

void t.test('a thousand actors serve at the same time', async t => {
  const { host, store } = node()
  const asks: Promise<unknown>[] = []
  for (let round = 0; round < 10; round++)
    for (let id = 0; id < 1000; id++)
      asks.push(host.ask(account(id), 'deposit', { amount: id }))
  await Promise.all(asks)
  t.match(host.stats(), { residents: 1000, busy: 0, asks: 10_000, wakes: 1000, open: 0 })
  t.match(store.calls, { head: 1000, commits: 0 })
  t.ok(
    store.calls.append >= 1000 && store.calls.append < 10_000,
    'waiting ones are packed',
  )
  for (const id of [0, 1, 500, 999])
    t.match(await host.ask(account(id), 'balance', undefined), {
      version: 10,
      reply: 10 * id,
    })
})

void t.test('the least recently used idle actor leaves first', async t => {
  const { host, store } = node({ residentsMax: 2 })
  const wake = async (id: string) => {
    store.forget()
    await host.ask(account(id), 'deposit', { amount: 1 })
    return store.calls.head === 1
  }
  t.equal(await wake('a'), true)
  t.equal(await wake('b'), true)
  t.equal(await wake('a'), false)
  t.equal(await wake('c'), true)
  t.match(host.stats(), { residents: 2, evictions: 1 })
  t.equal(await wake('a'), false, 'a was used after b')
  t.equal(await wake('b'), true, 'b was evicted')
  t.match(await host.ask(account('b'), 'balance', undefined), { version: 2, reply: 2 })
})

void t.test('eviction loses and interrupts nothing', async t => {
  const { host, store } = node({ residentsMax: 3 })
  const held = barrier()
  store.before = operation => (operation === 'append' ? held.wait() : undefined)
  const asks: Promise<unknown>[] = []
  for (let round = 0; round < 5; round++)
    for (let id = 0; id < 20; id++)
      asks.push(host.ask(account(id), 'deposit', { amount: 1 }))
  await held.reached
  t.match(host.stats(), { residents: 20, busy: 20, evictions: 0 }, 'all are busy')
  held.letGo()
  await Promise.all(asks)
  t.match(host.stats(), { residents: 3, busy: 0 })
  for (let id = 0; id < 20; id++)
    t.match(await host.ask(account(id), 'balance', undefined), { version: 5, reply: 5 })
  t.equal(host.stats().conflicts, 0, 'no actor was in memory twice')
})

void t.test('a host with room for one actor serves many', async t => {
  const { host } = node({ residentsMax: 1 })
  const asks: Promise<unknown>[] = []
  for (let i = 0; i < 300; i++)
    asks.push(host.ask(account(i % 7), 'deposit', { amount: 1 }))
  await Promise.all(asks)
  let sum = 0
  for (let id = 0; id < 7; id++) sum += (await host.state(account(id))).version
  t.equal(sum, 300)
  t.match(host.stats(), { residents: 1, conflicts: 0 })
})

void t.test('a bounded number of actors is woken at a time', async t => {
  const { host, store } = node({ wakesMax: 4 })
  let reading = 0
  let most = 0
  store.before = async operation => {
    if (operation !== 'head') return
    most = Math.max(most, ++reading)
    await new Promise(resolve => setImmediate(resolve))
    reading--
  }
  const asks = Array.from({ length: 40 }, (_, id) =>
    host.ask(account(id), 'deposit', { amount: 1 }),
  )
  await Promise.all(asks)
  t.equal(most, 4)
})

void t.test(
  'a call given up while its actor waits to be woken frees its slot',
  async t => {
    const { host, store } = node({ wakesMax: 1 })
    const held = barrier()
    store.before = operation => (operation === 'head' ? held.wait() : undefined)
    const first = host.ask(account('first'), 'deposit', { amount: 1 })
    await held.reached
    const cancel = new AbortController()
    const { signal } = cancel
    const second = host.ask(account('second'), 'deposit', { amount: 1 }, { signal })
    const third = host.ask(account('third'), 'deposit', { amount: 1 })
    cancel.abort()
    await t.rejects(second, { code: 'aborted' })
    held.letGo()
    t.match(await first, { version: 1 })
    t.match(await third, { version: 1 })
    t.strictSame(store.calls, { head: 2, commits: 0, append: 2 })
    t.match(await host.ask(account('second'), 'deposit', { amount: 1 }), { version: 1 })
  },
)
