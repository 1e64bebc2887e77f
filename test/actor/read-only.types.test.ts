// The types of what user code must not change: the compiler checks this file, which must compile.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import type { StateOf } from '../../src/actor/definition-types.js'
import { event } from '../../src/actor/event.js'
import type { DeepReadonly } from '../../src/model/read-only.js'
import { defineProjection } from '../../src/projection/define-projection.js'

interface Line {
  sku: string
  tags: string[]
}

interface Cart {
  lines: Line[]
  byId: Map<string, Line>
  pair: [number, { n: number }]
  at: Date | undefined
  note?: string
}

const cart = defineActor({
  type: 'cart',
  initialState: (): Cart => ({
    lines: [],
    byId: new Map(),
    pair: [1, { n: 1 }],
    at: undefined,
  }),
  decide: {
    add(state, line: Line) {
      const slips = () => {
        // @ts-expect-error -- no property can be assigned
        state.lines = []
        // @ts-expect-error -- a list has no push
        state.lines.push(line)
        // @ts-expect-error -- nor have the lists in it
        state.lines[0]?.tags.push('x')
        // @ts-expect-error -- a Map has no set
        state.byId.set('x', line)
        // @ts-expect-error -- nor can what it holds be assigned
        state.byId.get('x')!.sku = 'x'
        // @ts-expect-error -- nor a member of a tuple
        state.pair[1].n = 2
        // @ts-expect-error -- nor an optional property
        delete state.note
      }
      t.type(slips, 'function')
      return { events: event('added', line), reply: after => count(after) }
    },
  },
  evolve: {
    // Parts of the state before can be used again.
    added: (state, line: Line) => ({ ...state, lines: [...state.lines, line] }),
  },
})

function count({ lines }: DeepReadonly<Cart>): number {
  return lines.length
}

void defineProjection({
  name: 'carts',
  from: cart,
  initial: { skus: [] as string[] },
  when: {
    // @ts-expect-error -- a row has no push
    added: (row, { data }) => (row.skus.push(data.sku), row),
  },
})

await t.test('states that are read are mutable, and any stays any', async t => {
  const state: StateOf<typeof cart> = cart.behavior.initialState('a')
  state.lines.push({ sku: 'hat', tags: [] })
  t.equal(count(state), 1)
  // oxlint-disable-next-line typescript/no-explicit-any -- any is what is tested
  const loose = { deep: { list: [1] } } as DeepReadonly<any>
  loose.deep.list.push(2)
  t.strictSame(loose, { deep: { list: [1, 2] } })
})
