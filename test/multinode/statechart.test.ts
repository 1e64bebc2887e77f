// A statechart with everything in it, on a real server: the process that owns its actors is killed
// in every state, and another one goes on from there.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { AnyStateMachine } from 'xstate'

import { verifyHistory } from '../../src/actor/verify.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type { MachineDefinition } from '../../src/machine/types.js'
import type { Behavior } from '../../src/model/behavior.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

const patience = { timeout: 120_000 }

await using server = await startNats()
const gates = t.testdir()
process.env['GATES'] = gates
const file = 'test/support/actors/journey.mjs'
const { journey } = (await import('../support/actors/journey.mjs')) as unknown as {
  readonly journey: MachineDefinition<AnyStateMachine>
}

/** What is done, and the state that it leads to. A file opens what the machine waits for. */
type Step = readonly [does: string | { readonly opens: string }, value: unknown]

const path: readonly Step[] = [
  ['xstate.init', 'draft'],
  // The parts are ordered here, and sooner or later shipped.
  ['submit', { working: { paper: { writing: 'outline' } } }],
  ['next', { working: { paper: { writing: 'text' } } }],
  // Nobody does anything: the delay ends, under whichever owner there is by then.
  [{ opens: 'none' }, { working: { parts: 'shipped', paper: { writing: 'text' } } }],
  ['pause', 'paused'],
  ['resume', { working: { parts: 'shipped', paper: { writing: 'text' } } }],
  ['next', { working: { parts: 'shipped', paper: 'signed' } }],
  ['arrive', 'checking'],
  [{ opens: 'check' }, 'mending'],
  [{ opens: 'helper' }, 'rechecking'],
  [{ opens: 'recheck' }, { touring: 'away' }],
  // The guide's own delay ends, and it tells its parent.
  [{ opens: 'none' }, { touring: 'there' }],
  ['greet', 'over'],
]

await t.test('in every state the owner is killed, and the next one goes on', async t => {
  const flags = ['--ns', 'charts', '--nats', server.url, '--actors', file]
  const store = jetstream({ servers: server.url })
  await using onlooker = await startHere({ namespace: 'charts', store })
  const refs = ['a', 'b', 'c'].map(id => onlooker.spawn(journey, id))
  let owner = await startNode(...flags)
  t.teardown(() => owner.kill())
  await until(() => onlooker.members().length === 1, patience)

  const step = async (ref: (typeof refs)[number], [does, value]: Step) => {
    if (typeof does === 'string')
      t.equal((await onlooker.ask(ref.address, does, undefined, patience)).ok, true, does)
    else writeFileSync(join(gates, `${ref.address.id} ${does.opens}`), '')
    await until(() => ref.matches(value as never), {
      ...patience,
      describe: `${ref.address.id} is in ${JSON.stringify(value)}`,
    })
  }
  // Each is in another state when the owner dies: three states a death.
  const taken = refs.map(() => 0)
  for (let ahead = 1; ahead < path.length; ahead += refs.length) {
    await Promise.all(
      refs.map(async (ref, i) => {
        while (taken[i]! < Math.min(ahead + i, path.length - 1))
          await step(ref, path[taken[i]!++]!)
      }),
    )
    await owner.kill()
    owner = await startNode(...flags)
  }
  for (const [i, ref] of refs.entries())
    while (taken[i]! < path.length) await step(ref, path[taken[i]!++]!)

  for (const ref of refs) {
    const { state } = await ref.state()
    t.match(state, {
      status: 'done',
      output: ['shipped', 'worked', 'bad', 'good', '7 stops'],
    })
    const events: string[] = []
    for await (const event of ref.events())
      if (event.kind === 'event') events.push(event.type)
    t.strictSame(
      events.toSorted(),
      [
        'xstate.init',
        'submit',
        'next',
        'xstate.after.shipping.journey.working.parts.ordered',
        'pause',
        'resume',
        'next',
        'arrive',
        'xstate.error.actor.check',
        'helped',
        'xstate.done.actor.check',
        'xstate.after.walk.guide.walking',
        'arrived',
        'greet',
        'xstate.done.actor.guide',
      ].toSorted(),
      'each thing happened once',
    )
    const { address: actor } = ref
    const { signal } = new AbortController()
    const behavior = journey.behavior as Behavior
    const verdict = await verifyHistory({
      store: onlooker.store,
      actor,
      behavior,
      signal,
    })
    t.strictSame(verdict, { kind: 'folds', version: 15 }, 'replayed, it is the same')
  }
  t.equal(await owner.stop(), 0)
})
