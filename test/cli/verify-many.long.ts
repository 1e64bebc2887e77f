// cairn verify among 1,000,000 actors, in bounded memory. Run by `npm run test:evolution`, on Linux, which reports the memory of a
// process; ACTORS sets how many, and PLACE=nats keeps them on a server.

import t from 'tap'

import type { Backend } from '../../src/backend/backend.js'
import type { NewEvent } from '../../src/model/event.js'
import { run } from '../multinode/harness.js'
import { ownMemoryOf } from '../support/memory.js'
import { startNats } from '../support/nats.js'
import { evolving, plant } from './planted.js'
import { homesOf } from './support.js'

const count = Number(process.env['ACTORS'] ?? 1_000_000)
const isOnNats = process.env['PLACE'] === 'nats'
t.setTimeout(7_200_000)
/** MiB of its own that the command may hold at most, whatever the number of actors. */
const peakMax = 512

await using server = await startNats()
const home = homesOf(server, t.testdir())[isOnNats ? 0 : 1]!

await t.test(
  `${count} actors on ${home.name}: each planted problem is found, in bounded memory`,
  async t => {
    const counts = { sound: 1, paid: 1, broken: 50, parked: 20, filling: 20 }
    const bad = { orphaned: 30, unlucky: 20, negative: 20, twice: 20 }
    const expected = await plant(home.store, 'many', { ...counts, ...bad })
    let since = performance.now()
    const seconds = () => {
      const passed = ((performance.now() - since) / 1000).toFixed(1)
      since = performance.now()
      return passed
    }
    await copySound(home.store, count - 182)
    t.comment(`${count} actors were stored in ${seconds()} s`)
    process.env['EVOLVED'] = 'yes'
    const where = ['--ns', 'many', ...home.flags, '--actors', evolving, '--json']
    const verify = run(['dist/cli/main.js', 'verify', ...where])
    let peak = 0
    const look = setInterval(() => {
      void ownMemoryOf(verify.child.pid!).then(
        now => (peak = Math.max(peak, now)),
        () => {},
      )
    }, 200)
    const code = await verify.ended
    clearInterval(look)
    t.comment(`they were verified in ${seconds()} s, with ${peak} MiB at most`)
    t.equal(code, 1)
    const found = verify
      .stdout()
      .split('\n')
      .filter(line => line !== '')
      .map(
        line => JSON.parse(line) as { readonly actor: string; readonly problem: string },
      )
    t.strictSame(
      found.map(({ actor, problem }) => `${actor} ${problem}`).toSorted(),
      expected,
    )
    t.match(
      verify.stderr(),
      `${count} histories were replayed; ${expected.length} problems`,
    )
    if (count >= 500_000)
      t.match(
        verify.stderr(),
        /^cairn verify: 10 s, \d+ histories were replayed; \d+ prob/,
      )
    t.ok(peak < peakMax, `${peak} MiB`)
  },
)

/** Stores the two sound histories again and again, under other ids. */
async function copySound(backend: Backend, copies: number): Promise<void> {
  await using open = await backend.open({ namespace: 'many', nodeId: 'copier' })
  const { store } = open
  const templates: { readonly type: string; readonly events: readonly NewEvent[] }[] = []
  const states: unknown[] = []
  for (const actor of [
    { type: 'valve', id: 'sound-0' },
    { type: 'order', id: 'paid-0' },
  ])
    for await (const record of store.commits(actor))
      if (record.kind === 'commit') {
        const events = record.events.map(({ type, data, metadata }) => ({
          type,
          data,
          metadata,
        }))
        templates.push({ type: actor.type, events })
        states.push(record.state)
      }
  let stored = 0
  const writer = async () => {
    for (let i = stored++; i < copies; i = stored++) {
      const { type, events } = templates[i % 2]!
      const state = states[i % 2] as never
      await store.append({ type, id: `copy-${i}` }, events, { expected: 'none', state })
    }
  }
  await Promise.all(Array.from({ length: 2_000 }, writer))
}
