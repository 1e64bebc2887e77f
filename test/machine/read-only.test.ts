// Guards and actions of a machine cannot change its context.

import t from 'tap'
import { assign, setup } from 'xstate'

import { memory } from '../../src/backend/memory.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { startNode } from '../../src/runtime/start-node.js'
import { pinoLines } from './support.js'

interface Context {
  items: number[]
  at: Date
}

type Add = { type: 'add'; item: number; tags: string[] }
let slip: {
  in: 'guard' | 'assign' | 'action' | 'nobody'
  do: (c: Context, e: Add) => void
}

const list = fromMachine(
  setup({
    types: { context: {} as Context, events: {} as Add | { type: 'read' } },
    guards: {
      slipping({ context, event }) {
        if (slip.in === 'guard') slip.do(context, event as Add)
        return true
      },
    },
    actions: {
      slip({ context, event }) {
        if (slip.in === 'action') slip.do(context, event as Add)
      },
    },
  }).createMachine({
    id: 'list',
    context: { items: [], at: new Date(5) },
    on: {
      add: {
        guard: 'slipping',
        actions: [
          assign({
            items({ context, event }) {
              if (slip.in === 'assign') slip.do(context, event)
              return [...context.items, event.item]
            },
          }),
          'slip',
        ],
      },
    },
  }),
)

await t.test('what guards, assignments and actions try to change stays', async t => {
  const store = memory()
  const { log, lines } = pinoLines()
  const slips: [string, (context: Context, event: Add) => void][] = [
    ['context.items[1]', context => context.items.push(9)],
    ['context.items', context => (context.items = [])],
    ['tags[1]', (_context, event) => event.tags.push('x')],
    ['', context => context.at.setTime(9)],
  ]
  let id = 0
  for (const where of ['guard', 'assign', 'action'] as const)
    for (const [path, change] of slips) {
      // A step runs guards and assignments on one copy of the Date: it is that of the next state.
      if (path === '' && where !== 'action') continue
      slip = { in: 'nobody', do: () => {} }
      const add = { item: 1, tags: ['a'] }
      const nodeOf = () => startNode({ namespace: 'm', store, actors: [list], log })
      const name = `a${id++}`
      let stored = 2
      {
        await using node = await nodeOf()
        const ref = node.spawn(list, name)
        await ref.ask('add', add)
        slip = { in: where, do: change }
        const asked = ref.ask('add', add)
        if (where === 'action' || path === '') await asked
        else {
          stored = 1
          const error = await asked.catch((thrown: unknown) => thrown)
          t.match(error, {
            code: 'invalid-definition',
            message: new RegExp(`list/${name} changed`),
          })
          t.ok(String(error).includes(`"${path}"`), String(error))
        }
        const { context } = (await ref.state()).state
        t.strictSame(context, { items: [1, 1].slice(0, stored), at: new Date(5) }, path)
      }
      await using other = await nodeOf()
      slip = { in: 'nobody', do: () => {} }
      const { context } = (await other.spawn(list, name).state()).state
      t.strictSame(context, { items: [1, 1].slice(0, stored), at: new Date(5) }, path)
    }
  const failed = lines().filter(({ msg }) =>
    msg.includes('change the context with assign'),
  )
  t.equal(failed.length, 3, 'and each action that tried is reported')
})
