// Machines that have changed: old histories are folded through a migration, or refused by name.

import t from 'tap'
import { type AnyEventObject, createMachine } from 'xstate'

import { memory } from '../../src/backend/memory.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { MachineMigration } from '../../src/machine/types.js'
import { startNode } from '../../src/runtime/start-node.js'

/** A gate whose words change from version to version. */
function gate(version: number, words: readonly string[], migrate?: MachineMigration) {
  const [lift, lower] = words
  const machine = createMachine({
    types: {} as { events: AnyEventObject },
    id: 'gate',
    initial: 'down',
    states: { down: { on: { [lift!]: 'up' } }, up: { on: { [lower!]: 'down' } } },
  })
  return fromMachine(machine, { version, ...(migrate !== undefined && { migrate }) })
}

const actor = { type: 'gate', id: 'north' }

await t.test('what an old event is now, the definition says', async t => {
  const store = memory()
  const node = (definition: ReturnType<typeof gate>) =>
    startNode({ namespace: 'm', store, actors: [definition] })
  {
    await using first = await node(gate(1, ['lift', 'lower']))
    for (const word of ['lift', 'lower', 'lift'])
      await first.ask(actor, word, { by: 'x' })
  }
  {
    await using changed = await node(gate(2, ['raise', 'lower']))
    await t.rejects(changed.state(actor), {
      code: 'actor-parked',
      message:
        /gate\/north\/2.*does not accept it in state "down".*version 1 stored it.*migrate/,
    })
    await t.rejects(changed.ask(actor, 'lower'), { code: 'actor-parked' })
  }
  const asked: string[] = []
  const renamed: MachineMigration = (event, from) => {
    asked.push(`${event.type} of ${from}`)
    return event.type === 'lift' ? { ...event, type: 'raise' } : undefined
  }
  {
    await using second = await node(gate(2, ['raise', 'lower'], renamed))
    t.match(await second.state(actor), { version: 4, state: { value: 'up' } })
    t.strictSame(asked, ['xstate.init of 1', 'lift of 1', 'lower of 1', 'lift of 1'])
    await second.ask(actor, 'lower')
    await second.ask(actor, 'raise')
    t.equal(asked.length, 4, 'of its own events nothing is asked')
    const at3 = await second.state(actor, { version: 3 })
    t.match(at3.state, { value: 'down' }, 'the past is migrated, too')
  }
  const dropping: MachineMigration = ({ type }, from) =>
    from === 1
      ? type === 'xstate.init'
        ? undefined
        : null
      : { type: type.toUpperCase() }
  await using third = await node(gate(3, ['RAISE', 'LOWER'], dropping))
  const { state } = await third.state(actor, { version: 4 })
  t.match(state, { value: 'down' }, 'all that version 1 has stored is passed over')
  await t.rejects(third.state(actor), {
    code: 'actor-parked',
    message: /does not accept it in state "down".*version 2 stored it/,
  })
  const events: unknown[] = []
  for await (const event of third.store.read(actor))
    if (event.kind === 'event') events.push([event.type, event.metadata])
  t.strictSame(events.slice(3), [
    ['lift', {}],
    ['lower', { definition: '2' }],
    ['raise', { definition: '2' }],
  ])
})

await t.test('what migrate returns is an event, undefined or null', async t => {
  const store = memory()
  const first = gate(1, ['lift', 'lower'])
  const node = await startNode({ namespace: 'm', store, actors: [first] })
  await node.ask(actor, 'lift')
  await node.close()
  for (const [returned, why] of [
    [Promise.resolve({ type: 'lift' }), /migrate returned a promise; it must be/],
    [{ typ: 'lift' }, /migrate returned an object: return an event, \{ type, … \}/],
  ] as const) {
    const wrong = gate(2, ['lift', 'lower'], () => returned as never)
    await using second = await startNode({
      namespace: 'm',
      store,
      actors: [wrong],
      log: false,
    })
    await t.rejects(second.state(actor), { code: 'actor-parked', message: why })
  }
})

await t.test('a stored state that is gone without a new version is named', async t => {
  const store = memory()
  const lamp = (states: object) =>
    fromMachine(createMachine({ id: 'lamp', initial: 'off', states } as never))
  const at = { type: 'lamp', id: 'hall' }
  {
    const states = { off: { on: { dim: 'dimmed' } }, dimmed: { on: { cut: 'off' } } }
    await using first = await startNode({ namespace: 'm', store, actors: [lamp(states)] })
    await first.ask(at, 'dim')
  }
  const changed = lamp({ off: { on: { dim: 'bright' } }, bright: { on: { cut: 'off' } } })
  await using second = await startNode({ namespace: 'm', store, actors: [changed] })
  await t.rejects(second.ask(at, 'cut'), {
    code: 'invalid-definition',
    message:
      /Machine lamp cannot continue from the stored state "dimmed".*changed without a new version/,
  })
  t.match(await second.ask({ ...at, id: 'attic' }, 'dim'), { ok: true })
})

await t.test('nothing is older than version 1', t => {
  t.throws(() => gate(1, ['a', 'b'], () => undefined), {
    code: 'invalid-definition',
    message: /version 1: there is no earlier version/,
  })
  t.end()
})
