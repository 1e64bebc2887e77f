import t from 'tap'

import type { Backend } from '../../../src/backend/backend.js'
import { embedded } from '../../../src/backend/embedded.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { memory } from '../../../src/backend/memory.js'
import { systemClock } from '../../../src/model/clock.js'
import { ManualClock } from '../../../src/testing/manual-clock.js'
import { testTimers } from '../../contract/timers.js'
import { startNats } from '../../support/nats.js'

await using server = await startNats()

const manual = () => {
  const clock = new ManualClock(1_000_000)
  return { clock, pass: (ms: number) => clock.advance(ms) }
}
const places: Readonly<Record<string, [Backend, ReturnType<typeof manual> | undefined]>> =
  {
    memory: [memory(), manual()],
    'the embedded store': [embedded({ dir: t.testdir() }), manual()],
    JetStream: [jetstream({ servers: server.url }), undefined],
  }

for (const [name, [backend, time]] of Object.entries(places))
  await testTimers(t, name, {
    clock: systemClock,
    pass: () => {},
    ...time,
    async open(namespace) {
      const opened = await backend.open({ namespace, nodeId: 'test' })
      t.teardown(() => opened.close())
      return opened.timers
    },
  })
