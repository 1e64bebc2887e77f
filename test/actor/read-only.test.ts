// User code cannot change what it is handed: what is stored is the fold of the stored events.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { wakesPerCheck } from '../../src/actor/refold-checks.js'
import type { ActorAddress } from '../../src/model/address.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { collect } from '../contract/store/support.js'
import { node } from './support.js'

interface Cart {
  owner: { name: string }
  lines: { sku: string; pieces: number }[]
  seen: Map<string, number>
  at: Date
  seal: Uint8Array
}

type Slip = (cart: Cart, data: { skus: string[] }) => void

/** Slips that must have no effect, by where they are said to be; `''` for those that change a copy. */
const slips: [string, Slip][] = [
  ['lines.length', cart => (cart.lines.length = 0)],
  ['seen', cart => cart.seen.clear()],
  ['owner.name', cart => (cart.owner.name = 'mallory')],
  ['lines', cart => (cart.lines = [])],
  ['extra', cart => Object.assign(cart, { extra: 1 })],
  ['owner', cart => delete (cart as Partial<Cart>).owner],
  ['seen', cart => cart.seen.set('x', 1)],
  ['', cart => cart.at.setTime(7)],
  ['', cart => cart.seal.fill(7)],
  ['skus[1]', (_cart, data) => data.skus.push('x')],
]

let slip: { in: 'decide' | 'reply' | 'evolve' | 'nobody'; do: Slip } = {
  in: 'nobody',
  do: () => {},
}

const start = () => ({
  owner: Object.freeze({ name: 'alice' }),
  lines: [] as { sku: string; pieces: number }[],
  seen: new Map<string, number>(),
  at: new Date(5),
  seal: new Uint8Array([5]),
})

const cart = defineActor({
  type: 'cart',
  initialState: start,
  decide: {
    add(state, data: { skus: string[] }) {
      if (slip.in === 'decide') slip.do(state as Cart, data)
      return {
        events: [event('added', data)],
        reply(after) {
          if (slip.in === 'reply') slip.do(after as Cart, data)
          return after.lines.length
        },
      }
    },
  },
  evolve: {
    added(state, data: { skus: string[] }) {
      if (slip.in === 'evolve') slip.do(state as Cart, data)
      const more = data.skus.map(sku => ({ sku, pieces: 1 }))
      return { ...state, lines: [...state.lines, ...more] }
    },
  },
})

const list = defineActor({
  type: 'list',
  initialState: { items: [] as { n: number }[] },
  decide: { add: (_state, item: { n: number }) => event('added', item) },
  evolve: {
    added: (state, item: { n: number }) => ({ items: [...state.items, item] }),
  },
})

for (const where of ['decide', 'reply', 'evolve'] as const)
  await t.test(`${where} cannot change what it is given`, async t => {
    for (const [path, change] of slips) {
      // A reply has no data of its own.
      if (where === 'reply' && path.startsWith('skus')) continue
      const log = new MemoryLog()
      const { host } = node({ on: log, actors: [cart] })
      const actor: ActorAddress = { type: 'cart', id: 'a' }
      slip = { in: where, do: change }
      const asked = host.ask(actor, 'add', { skus: ['hat'] })
      if (path === '') t.match(await asked, { ok: true, reply: 1 })
      else if (where === 'evolve')
        await t.rejects(asked, {
          code: 'actor-parked',
          message: new RegExp(
            `it changed the (state|data of the event).*"${escaped(path)}"`,
          ),
        })
      else
        await t.rejects(asked, {
          code: 'invalid-definition',
          message: new RegExp(
            `command "add" to cart/a changed the (state|data) of .*"${escaped(path)}".*(evolve return|Copy)`,
          ),
          details: { actor: 'cart/a', command: 'add', path },
        })
      slip = { in: 'nobody', do: () => {} }
      const again = node({ on: log, actors: [cart] })
      t.match(await again.host.ask(actor, 'add', { skus: ['cap'] }), { ok: true })
      const { state, version } = await again.host.state(actor)
      const skus = version === 2 ? ['hat', 'cap'] : ['cap']
      const lines = skus.map(sku => ({ sku, pieces: 1 }))
      t.strictSame(state, { ...start(), lines }, `${where}: ${path}`)
    }
  })

function escaped(path: string): string {
  return path.replaceAll(/[[\]]/gu, String.raw`\$&`)
}

void t.test('what a caller reads is its own', async t => {
  const { host } = node({ actors: [list] })
  const actor: ActorAddress = { type: 'list', id: 'a' }
  await host.ask(actor, 'add', { n: 1 })
  for (const read of [() => host.state(actor), () => host.stateAt(actor, 1)]) {
    const { state } = (await read()) as { state: { items: { n: number }[] } }
    state.items[0]!.n = 9
    state.items.push({ n: 9 })
    t.strictSame((await read()).state, { items: [{ n: 1 }] })
  }
})

void t.test(
  'an event of data that cannot be stored is refused before it is folded',
  async t => {
    const folds: unknown[] = []
    const odd = defineActor({
      type: 'odd',
      initialState: 0,
      decide: { put: () => event('put', { get n() { return 1 } }) }, // prettier-ignore
      evolve: { put: (state, data: { n: number }) => (folds.push(data), state + data.n) },
    })
    const { host, store } = node({ actors: [odd] })
    const actor: ActorAddress = { type: 'odd', id: 'a' }
    await t.rejects(host.ask(actor, 'put', undefined), {
      code: 'invalid-data',
      message: /: n is a getter/,
    })
    t.strictSame(folds, [])
    t.equal((await store.head(actor)).version, 0)
  },
)

void t.test('a living, a woken and a replayed state are the same', async t => {
  const ledger = defineActor({
    type: 'ledger',
    initialState: { inverse: 0, isBuffer: false },
    decide: {
      put: (_state, x: number) => ({
        events: [event('put', { x: x * -1, bytes: new Uint8Array(2) })],
        reply: after => after,
      }),
    },
    evolve: {
      put: (_state, { x, bytes }: { x: number; bytes: Uint8Array }) => ({
        inverse: 1 / x,
        isBuffer: Buffer.isBuffer(bytes),
      }),
    },
  })
  const log = new MemoryLog()
  const actor: ActorAddress = { type: 'ledger', id: 'a' }
  const expected = { inverse: -Infinity, isBuffer: false }
  const { reply } = (await node({ on: log, actors: [ledger] }).host.ask(
    actor,
    'put',
    0,
  )) as {
    reply: unknown
  }
  t.strictSame(reply, expected)
  const { host } = node({ on: log, actors: [ledger] })
  t.strictSame((await host.state(actor)).state, expected)
  const replayed = { ...ledger, behavior: { ...ledger.behavior, version: 2 } }
  const other = node({ on: log, actors: [replayed] })
  t.strictSame((await other.host.state(actor)).state, expected)
})

void t.test('a stored state that is not the fold of its events is reported', async t => {
  const { host, store, lines } = node({ actors: [list], residentsMax: 1 })
  const wrong: ActorAddress = { type: 'list', id: 'wrong' }
  const right: ActorAddress[] = ['a', 'b'].map(id => ({ type: 'list', id }))
  for (const actor of right) await host.ask(actor, 'add', { n: 1 })
  for (const version of [0, 1, 2])
    await store.append(wrong, [{ type: 'added', data: { n: version } }], {
      expected: version,
      state: {
        behavior: 1,
        value: {
          items: [0, 1, 2].slice(0, version + 1).map(n => ({ n: n === 1 ? 7 : n })),
        },
      },
    })
  // The actors take turns: the check after 1,000 wakes is that of the first, and the next one another's.
  for (let wakes = 0; wakes < 2 * wakesPerCheck; wakes++)
    await host.state([wrong, ...right][wakes % 3]!)
  t.match(lines, [
    {
      level: 'error',
      message:
        /state of list\/wrong at version 2 is not the fold.*"items\[1\].n".*raise the version/,
      details: { actor: 'list/wrong', version: 2, path: 'items[1].n' },
    },
  ])
  t.equal((await collect(store.read(wrong))).length, 3, 'nothing was changed')
})
