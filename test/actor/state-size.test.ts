// The estimate of a state's memory: cheap, and right within a small factor.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { estimateStateBytes } from '../../src/actor/state-size.js'
import { encode } from '../../src/codec/msgpack.js'
import { node } from './support.js'

const list = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: `item-${i}`, price: i * 1.5 }))

void t.test(
  'the estimate follows the encoded size, within a factor of eight',
  async t => {
    const states = {
      text: 'x'.repeat(10_000),
      bytes: new Uint8Array(10_000),
      numbers: Array.from({ length: 1_000 }, (_, i) => i * 1_000),
      list: list(1_000),
      nested: { a: { b: list(500) }, c: list(500) },
      map: new Map(list(1_000).map(item => [item.id, item])),
      table: Object.fromEntries(list(1_000).map(item => [item.id, item])),
    }
    for (const [name, state] of Object.entries(states)) {
      const encoded = encode(state instanceof Map ? [...state] : state).byteLength
      const factor = estimateStateBytes(state) / encoded
      t.ok(factor >= 0.5 && factor <= 8, `${name}: ${factor.toFixed(2)} times`)
    }
  },
)

void t.test('few values are sampled, however many there are', async t => {
  let looked = 0
  const watched = list(100_000).map(
    item =>
      new Proxy(item, {
        ownKeys: target => {
          looked++
          return Reflect.ownKeys(target)
        },
      }),
  )
  t.ok(estimateStateBytes(watched) > 1_000_000)
  t.ok(looked <= 200, `${looked} looked at`)
})

void t.test('the estimate runs no user code and never fails', async t => {
  const odd = {
    get trap(): never {
      throw new Error('this was run')
    },
  }
  const round: Record<string, unknown> = { name: 'round' }
  round['self'] = round
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  for (const state of [
    odd,
    round,
    revoked.proxy,
    undefined,
    null,
    1n,
    Symbol('s'),
    () => 1,
  ])
    t.ok(estimateStateBytes(state) >= 0)
})

const page = defineActor({
  type: 'page',
  initialState: { text: '' },
  decide: {
    write: (_state, text: string) => event('written', text),
    look: state => ({ reply: state.text.length }),
  },
  evolve: { written: (_state, text: string) => ({ text }) },
})
const at = (id: number) => ({ type: 'page', id: `${id}` })

void t.test(
  'the bytes in memory are bounded, and the least recently used actors are evicted',
  async t => {
    const residentBytesMax = 1_000_000
    const { host, store } = node({ actors: [page], residentBytesMax })
    for (let id = 0; id < 40; id++) {
      await host.ask(at(id), 'write', 'x'.repeat(50_000))
      t.ok(host.stats().residentBytes <= residentBytesMax, `after ${id}`)
    }
    const { residents, evictions, residentBytes } = host.stats()
    t.equal(residents + evictions, 40)
    t.ok(residents >= 2 && residents < 20, `${residents} of 40 stay`)
    t.ok(residentBytes >= residents * 50_000, 'and are counted')
    store.forget()
    t.match(await host.ask(at(39), 'look', undefined), { reply: 50_000 })
    t.equal(store.calls.commits, 0, 'the last one is here')
    t.match(
      await host.ask(at(0), 'look', undefined),
      { reply: 50_000 },
      'the first is woken',
    )
    t.ok(store.calls.head >= 2)
  },
)

void t.test('an actor that only woke counts, without being encoded', async t => {
  const first = node({ actors: [page] })
  for (let id = 0; id < 10; id++)
    await first.host.ask(at(id), 'write', 'x'.repeat(50_000))
  const { host } = node({ on: first.log, actors: [page], residentBytesMax: 200_000 })
  for (let id = 0; id < 10; id++) await host.ask(at(id), 'look', undefined)
  const { residents, residentBytes, evictions } = host.stats()
  t.ok(residents >= 1 && residents <= 3, `${residents} stay`)
  t.equal(residents + evictions, 10)
  t.ok(residentBytes >= residents * 50_000 && residentBytes <= 200_000)
  host.dismiss(() => false)
  t.match(host.stats(), { residents: 0, residentBytes: 0 })
})

void t.test('the estimate follows an actor that shrinks and grows', async t => {
  const { host } = node({ actors: [page] })
  const bytes: number[] = []
  for (const length of [10, 10_000, 10]) {
    await host.ask(at(1), 'write', 'x'.repeat(length))
    bytes.push(host.stats().residentBytes)
  }
  t.ok(bytes[1]! > bytes[0]! + 10_000)
  t.ok(bytes[2]! >= bytes[1]!, 'a large state is measured again only after a while')
  for (let i = 0; i < 100; i++) await host.ask(at(1), 'write', 'x'.repeat(10))
  t.equal(host.stats().residentBytes, bytes[0], 'and then counts with its real size')
  await host.ask(at(2), 'write', '')
  t.ok(host.stats().residentBytes > 1.9 * bytes[0]!, 'both are counted')
})

void t.test('a busy actor stays, however large it is', async t => {
  const { host } = node({ actors: [page], residentBytesMax: 1 })
  const asks = Array.from({ length: 20 }, (_, id) =>
    host.ask(at(id), 'write', 'x'.repeat(100)),
  )
  for (const outcome of await Promise.all(asks))
    t.match(outcome, { ok: true, version: 1 })
  t.match(host.stats(), { residents: 0, residentBytes: 0, evictions: 20 })
})
