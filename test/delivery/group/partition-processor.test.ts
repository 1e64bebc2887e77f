// One lane: order, failures, what its document says, and how it ends.

import t, { type Test } from 'tap'

import { CairnError } from '../../../src/model/errors.js'
import { deferred } from '../../../src/model/wait.js'
import { SerialExecutor } from '../../../src/delivery/group/serial-executor.js'
import {
  type DeliveryAttempt,
  type Handle,
  PartitionProcessor,
  type PartitionProcessorOptions,
} from '../../../src/delivery/group/partition-processor.js'
import {
  encodePartitionState,
  type FailingKey,
  initialPartitionState,
} from '../../../src/delivery/group/partition-state.js'
import { until } from '../../support/wait.js'
import { HandSource, ObservedDocuments, stateOf } from '../reactor/support.js'

// A lane's timers keep no process alive; a node does, and here this one.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

const key = ['group', '0']
const done = { kind: 'done' } as const
const again = { kind: 'again', error: new Error('not yet') } as const

interface Options {
  readonly floor?: number
  readonly failing?: readonly FailingKey[]
  readonly repeatsUpTo?: number
  readonly suspectsUpTo?: number
  readonly reach?: number
  readonly enter?: PartitionProcessorOptions<string>['enter']
}

/** A lane that was just taken, and all that it was handed. */
async function laneOf(t: Test, handle: Handle<string>, options: Options = {}) {
  const { floor = 0, failing = [], repeatsUpTo = 0, suspectsUpTo = 0 } = options
  const { reach = 10_000, enter = async () => () => {} } = options
  const source = new HandSource()
  const documents = new ObservedDocuments()
  const owner = { id: 'me', incarnation: 1 }
  const state = { ...initialPartitionState, owner, epoch: 1, floor, failing }
  const revision = (await documents.put(key, encodePartitionState(state), 0)) as number
  const handled: string[] = []
  const attempts: DeliveryAttempt[] = []
  const events = { lost: 0 }
  const counters = { handled: 0, failures: 0 }
  const lane = new PartitionProcessor<string>({
    document: key,
    taken: { revision, epoch: 1, reach, deaths: 0 },
    owner,
    floor,
    failing,
    repeatsUpTo,
    suspectsUpTo,
    serialExecutor: new SerialExecutor(),
    source,
    async handle(value, attempt) {
      attempts.push(attempt)
      const settled = await handle(value, attempt)
      if (settled.kind === 'done') handled.push(value)
      return settled
    },
    documents,
    clock: { now: () => Date.now() },
    backoff: { first: 5, factor: 1, max: 5 },
    counters,
    log: () => {},
    onLost: () => events.lost++,
    onSettled: () => {},
    enter,
  })
  t.teardown(() => lane.abandon())
  let offered = floor
  const give = (...keys: string[]) => {
    source.add(...keys)
    offerAll()
  }
  const offerAll = () => {
    for (const record of source.records.slice(offered)) lane.offer(record)
    offered = source.records.length
  }
  const state1 = () => stateOf(documents, key)
  return {
    lane,
    source,
    documents,
    handled,
    attempts,
    counters,
    give,
    offerAll,
    events,
    state: state1,
  }
}

await t.test(
  'L1 records of a key one at a time, of different keys side by side',
  async t => {
    const gates = new Map<string, () => void>()
    const { give, handled, lane } = await laneOf(t, async value => {
      const gate = deferred<void>()
      gates.set(value, gate.resolve)
      await gate.promise
      return done
    })
    give('k1', 'k1', 'k2')
    t.strictSame([...gates.keys()], ['k1@1', 'k2@3'])
    gates.get('k2@3')!()
    await until(() => handled.length === 1)
    t.equal(lane.floor, 0, 'L3 what is open holds the floor')
    gates.get('k1@1')!()
    await until(() => gates.has('k1@2'))
    t.equal(lane.floor, 1)
    gates.get('k1@2')!()
    await until(() => lane.floor === 3)
    t.strictSame(handled, ['k2@3', 'k1@1', 'k1@2'])
  },
)

await t.test('L2 a failing key waits, in order, and no other does', async t => {
  let isBroken = true
  const lane = await laneOf(t, async value =>
    value.startsWith('k1') && isBroken ? again : done,
  )
  lane.give('k1', 'k1', 'k2')
  await until(() => lane.lane.failing === 1)
  lane.give('k1', 'k2', 'k1')
  await until(() => lane.handled.length === 2)
  t.strictSame(lane.handled, ['k2@3', 'k2@5'])
  await until(async () => ((await lane.state())?.failing[0]?.attempts ?? 0) > 2, {
    describe: 'L5 its attempts are written down',
  })
  await until(async () => (await lane.state())?.floor === 6, {
    describe: 'what is failing does not hold the floor',
  })
  isBroken = false
  await until(() => lane.lane.failing === 0)
  t.strictSame(lane.handled.slice(2), ['k1@1', 'k1@2', 'k1@4', 'k1@6'])
  await until(async () => (await lane.state())?.failing.length === 0)
})

await t.test('L5 who takes over counts on, and passes by what was handled', async t => {
  const failing: FailingKey = {
    key: 'k1',
    position: 3,
    attempts: 7,
    firstAt: 1,
    nextAt: 0,
    error: 'not yet',
  }
  const opened = deferred<void>()
  const options = { floor: 0, failing: [failing], repeatsUpTo: 3 }
  const lane = await laneOf(t, async () => done, options)
  lane.source.beforeOfKey = () => opened.promise
  // Its first record was handled by the one before, and stands before the one that failed.
  lane.give('k1')
  opened.resolve()
  lane.give('k2', 'k1', 'k1')
  await until(() => lane.handled.length === 3)
  t.strictSame(
    lane.handled.filter(value => value.startsWith('k1')),
    ['k1@3', 'k1@4'],
  )
  const attempt = lane.attempts.find(({ position }) => position === 3)
  t.match(attempt, { attempt: 8, mayBeRepeat: true })
})

await t.test('L5 a long delay is as long for whoever takes over', async t => {
  const now = Date.now()
  const later = { key: 'k1', position: 1, attempts: 1, firstAt: now, error: 'later' }
  const failing: FailingKey[] = [
    { ...later, nextAt: now + 3_600_000 },
    // By a clock that was an hour ahead.
    {
      ...later,
      key: 'k2',
      position: 2,
      firstAt: now + 3_600_000,
      nextAt: now + 3_600_001,
    },
  ]
  const options = { floor: 2, failing }
  const lane = await laneOf(t, async value => (value === 'k3@3' ? again : done), options)
  lane.source.add('k1', 'k2')
  lane.give('k3')
  // By then every delay of the backoff is over several times.
  await until(() => lane.counters.failures > 5 && lane.handled.length > 0)
  t.strictSame(lane.handled, ['k2@2'])
})

await t.test('a record that is offered again is handled once', async t => {
  const lane = await laneOf(t, async () => done)
  lane.give('k1', 'k1')
  for (const record of lane.source.records) lane.lane.offer(record)
  await until(() => lane.lane.floor === 2)
  t.strictSame(lane.handled, ['k1@1', 'k1@2'])
})

await t.test('L4 a lane that is lost stops, and tells its handlers', async t => {
  const aborted = deferred<void>()
  const lane = await laneOf(t, async (value, { signal }) => {
    if (value !== 'k1@1') return done
    signal.addEventListener('abort', () => aborted.resolve())
    await aborted.promise
    return done
  })
  lane.give('k1', 'k1', 'k2')
  const { documents } = lane
  const found = await documents.get(key)
  const theirs = {
    ...initialPartitionState,
    epoch: 2,
    owner: { id: 'other', incarnation: 1 },
  }
  await documents.memory.put(key, encodePartitionState(theirs), found!.revision)
  lane.give('k2')
  await aborted.promise
  await until(() => lane.events.lost === 1)
  lane.give('k3')
  await lane.lane.release(1_000)
  t.notOk(lane.attempts.some(({ position }) => position === 2 || position === 5))
  t.match(await lane.state(), theirs, 'the document is the other’s')
  t.equal(lane.events.lost, 1)
})

for (const isStored of [true, false])
  await t.test(
    `an unclear write that was ${isStored ? '' : 'not '}stored costs no lane`,
    async t => {
      const lane = await laneOf(t, async () => done)
      let unclear = 0
      const lose = () => {
        if (unclear++ < 1) throw new CairnError('outcome-unknown', 'lost on its way')
      }
      if (isStored) lane.documents.after = lose
      else lane.documents.before = lose
      lane.give('k1')
      await until(async () => (await lane.state())?.floor === 1)
      lane.give('k1')
      await until(async () => (await lane.state())?.floor === 2)
      t.equal(lane.events.lost, 0)
      t.ok(unclear > 1)
    },
  )

await t.test('a document that cannot be written for a while is written then', async t => {
  const lane = await laneOf(t, async () => done)
  let refused = 0
  lane.documents.before = () => {
    if (refused++ < 3) throw new CairnError('store-unreachable', 'away')
  }
  lane.give('k1')
  await until(async () => (await lane.state())?.floor === 1)
  t.equal(lane.events.lost, 0)
})

await t.test(
  'released: what is being handled is finished, and no more is begun',
  async t => {
    const gate = deferred<void>()
    const lane = await laneOf(t, async () => (await gate.promise, done))
    lane.give('k1', 'k1', 'k2')
    const released = lane.lane.release(60_000)
    lane.give('k3')
    gate.resolve()
    await released
    t.strictSame(lane.handled, ['k1@1', 'k2@3'])
    const state = await lane.state()
    t.match(state, { floor: 3, owner: undefined })
    t.match(state!.failing, [{ key: 'k1', position: 2, attempts: 0 }])
    t.equal(state!.failing.length, 1)
  },
)

await t.test(
  'released in the middle of catching up: the rest is the next one’s',
  async t => {
    let isBroken = true
    const gate = deferred<void>()
    const begun = deferred<void>()
    const lane = await laneOf(t, async () => {
      if (isBroken) return again
      begun.resolve()
      await gate.promise
      return done
    })
    lane.give('k1', 'k1', 'k1')
    await until(() => lane.lane.failing === 1)
    isBroken = false
    await begun.promise
    const released = lane.lane.release(60_000)
    gate.resolve()
    await released
    t.strictSame(lane.handled, ['k1@1'])
    const state = await lane.state()
    t.match(state, { floor: 3, owner: undefined })
    t.match(state!.failing, [{ key: 'k1', position: 2, attempts: 0 }])
  },
)

await t.test('a handler that never ends: the lane stays its owner’s', async t => {
  const lane = await laneOf(t, () => new Promise<never>(() => {}))
  lane.give('k1')
  await lane.lane.release(20)
  t.match(await lane.state(), {
    floor: 1,
    owner: { id: 'me' },
    failing: [{ key: 'k1', position: 1, attempts: 0 }],
  })
  t.ok(lane.attempts[0]!.signal.aborted, 'its handler was told')
})

await t.test('what fails after the release is known to the next one', async t => {
  const gate = deferred<void>()
  const lane = await laneOf(t, async () => (await gate.promise, again))
  lane.give('k1')
  const released = lane.lane.release(60_000)
  gate.resolve()
  await released
  const state = await lane.state()
  t.match(state, { floor: 1, owner: undefined })
  t.match(state!.failing, [{ key: 'k1', position: 1, attempts: 1 }])
})

await t.test('L6 a long line is left in the source, and handled in its turn', async t => {
  const gate = deferred<void>()
  const lane = await laneOf(t, async value => {
    if (value === 'k1@1') await gate.promise
    return done
  })
  const count = 1_000
  lane.give(...Array.from({ length: count }, () => 'k1'))
  t.ok(lane.lane.open <= 256, `${lane.lane.open} are open`)
  t.equal(lane.lane.failing, 0, 'nothing has failed')
  lane.give('k2')
  await until(() => lane.handled.length === 1)
  t.strictSame(lane.handled, [`k2@${count + 1}`], 'another key is not held up')
  gate.resolve()
  lane.give('k1')
  await until(() => lane.handled.length === count + 2)
  const positions = lane.handled
    .filter(value => value.startsWith('k1'))
    .map(value => Number(value.slice(3)))
  t.strictSame(
    positions,
    positions.toSorted((a, b) => a - b),
  )
  await until(async () => {
    const state = await lane.state()
    return state?.floor === count + 2 && state.failing.length === 0
  })
})

await t.test('L3 whoever takes a long line over begins with the first of it', async t => {
  const gate = deferred<void>()
  const lane = await laneOf(t, async value => {
    if (value === 'k1@3') await gate.promise
    return done
  })
  lane.give(...Array.from({ length: 600 }, () => 'k1'))
  await until(() => lane.handled.length === 2)
  await until(async () => (await lane.state())?.failing[0]?.position === 3)
  t.match((await lane.state())!.failing, [{ key: 'k1', position: 3, attempts: 0 }])
  const released = lane.lane.release(60_000)
  gate.resolve()
  await released
  const state = await lane.state()
  t.match(state, { floor: 600, owner: undefined })
  t.match(state!.failing, [{ key: 'k1', position: 4, attempts: 0 }])
})

await t.test(
  'L3 a slow key holds the floor no longer than from one write to the next',
  async t => {
    const gate = deferred<void>()
    const lane = await laneOf(t, async value => {
      if (value === 'k1@1') await gate.promise
      return done
    })
    lane.give('k1', 'k1', 'k2')
    await until(() => lane.handled.length === 1)
    lane.documents.onState = ({ floor, failing }) => {
      const isNamed = failing.some(({ key, position }) => key === 'k1' && position === 1)
      if (lane.handled.length < 3 && floor > 0 && !isNamed)
        t.fail(`the floor ${floor} has passed what nobody has handled`)
    }
    await until(
      async () => {
        lane.give('k2')
        return ((await lane.state())?.floor ?? 0) > 3
      },
      { describe: 'the floor passes it', interval: 20 },
    )
    const [named, ...others] = (await lane.state())!.failing
    t.match(named, { key: 'k1', position: 1, attempts: 0 })
    t.strictSame(others, [], 'and names nothing that is quick')
    t.equal(lane.lane.failing, 0, 'it has not failed')
    gate.resolve()
    await until(() => lane.handled.includes('k1@2'))
    lane.give('k2')
    await until(async () => (await lane.state())?.failing.length === 0)
  },
)

await t.test(
  'L3 of many slow keys those furthest back are named, and the rest hold the floor',
  async t => {
    const gate = deferred<void>()
    const lane = await laneOf(t, async () => (await gate.promise, done))
    lane.give(...Array.from({ length: 100 }, (_, i) => `k${i + 1}`))
    await lane.lane.release(20)
    const { floor, failing } = (await lane.state())!
    t.strictSame(
      failing.map(({ position }) => position),
      Array.from({ length: 64 }, (_, i) => i + 1),
    )
    t.equal(floor, 64)
    gate.resolve()
  },
)

await t.test('L6 what is read again for a key waits for room', async t => {
  const room = deferred<void>()
  let left = 0
  const at = { attempts: 0, firstAt: 1, nextAt: 1, error: '' }
  const failing = [1, 2].map(position => ({ ...at, key: `k${position}`, position }))
  const enter = async () => (await room.promise, () => void left++)
  const lane = await laneOf(t, async () => done, { floor: 2, failing, enter })
  lane.source.add('k1', 'k2')
  lane.give('k3')
  await until(() => lane.handled.length === 1)
  t.strictSame(lane.handled, ['k3@3'])
  room.resolve()
  await until(() => lane.handled.length === 3)
  await until(() => left === 2, { describe: 'and gives it back' })
})

await t.test('L6 a long line whose first fails: all behind it waits', async t => {
  let isBroken = true
  const lane = await laneOf(t, async () => (isBroken ? again : done))
  const count = 600
  lane.give(...Array.from({ length: count }, () => 'k1'))
  await until(() => lane.lane.failing === 1)
  t.equal(lane.lane.open, 0)
  isBroken = false
  await until(() => lane.handled.length === count)
  t.strictSame(
    lane.handled,
    Array.from({ length: count }, (_, i) => `k1@${i + 1}`),
  )
})

await t.test(
  'L6 of many failing keys some hold the floor, and none is forgotten',
  async t => {
    let isBroken = true
    const lane = await laneOf(t, async () => (isBroken ? again : done))
    let failingMax = 0
    lane.documents.onState = ({ failing, floor }) => {
      failingMax = Math.max(failingMax, failing.length)
      const held = new Set(failing.map(one => one.key))
      for (let position = 1; position <= floor; position++)
        if (isBroken && !held.has(`k${position}`))
          t.fail(`the floor ${floor} has passed ${position}, which nobody has handled`)
    }
    const count = 500
    lane.give(...Array.from({ length: count }, (_, i) => `k${i + 1}`))
    await until(() => lane.counters.failures > 2 * count, { timeout: 30_000 })
    await until(() => failingMax === 400, { timeout: 30_000 })
    t.equal(lane.lane.failing, 400)
    t.equal(lane.lane.open, 100)
    isBroken = false
    await until(() => lane.handled.length === count, { timeout: 30_000 })
    t.equal(new Set(lane.handled).size, count)
    await until(async () => {
      const state = await lane.state()
      return state?.floor === count && state.failing.length === 0
    })
    t.equal(failingMax, 400)
  },
)

await t.test('L7 nothing behind the reach that is written down is begun', async t => {
  const { give, handled, documents, state } = await laneOf(t, async () => done, {
    reach: 2,
  })
  let isAway = true
  documents.before = () => {
    if (isAway) throw new CairnError('store-unreachable', 'nobody is there')
  }
  give('k1', 'k2', 'k3', 'k1')
  await until(() => handled.length === 2)
  const puts = documents.puts
  await until(() => documents.puts > puts + 1, { describe: 'it tries to write on' })
  t.strictSame(handled, ['k1@1', 'k2@2'])
  isAway = false
  await until(() => handled.length === 4)
  t.ok((await state())!.reach! >= 10_000, 'with room for what comes')
})

await t.test(
  'L8 a suspect is handled alone, and is written down as begun before',
  async t => {
    const begun: string[] = []
    const gates = new Map<string, () => void>()
    const { give, handled, state, lane } = await laneOf(
      t,
      async value => {
        begun.push(value)
        if (value === 'k4@4') return done
        const gate = deferred<void>()
        gates.set(value, gate.resolve)
        await gate.promise
        return done
      },
      { suspectsUpTo: 3 },
    )
    give('k1', 'k2', 'k1', 'k4')
    await until(() => handled.length === 1, { describe: 'what is no suspect goes on' })
    await until(() => gates.size === 1)
    t.strictSame(
      begun.filter(value => value !== 'k4@4'),
      ['k1@1'],
      'one at a time',
    )
    const found = (await state())!.failing.find(one => one.key === 'k1')
    t.match(found, { position: 1, attempts: 1, isBegun: true })
    gates.get('k1@1')!()
    for (const value of ['k2@2', 'k1@3']) {
      await until(() => gates.has(value))
      gates.get(value)!()
    }
    await until(() => handled.length === 4)
    await lane.release(1_000)
    t.match(await state(), { floor: 4, failing: [] })
  },
)

await t.test(
  'L8 what was begun when its node ended is an attempt; what a release breaks off is none',
  async t => {
    const gate = deferred<void>()
    const one = { key: 'k1', firstAt: 1, nextAt: 0, error: 'ended' }
    const { source, attempts, lane, state } = await laneOf(
      t,
      async () => (await gate.promise, done),
      { floor: 1, failing: [{ ...one, position: 1, attempts: 2, isBegun: true }] },
    )
    source.add('k1')
    await until(() => attempts.length === 1)
    t.match(attempts[0], { attempt: 3, isAfterDeath: true, mayBeRepeat: true })
    await lane.release(1)
    const [left] = (await state())!.failing
    t.match(left, { key: 'k1', position: 1, attempts: 2 })
    t.notOk(left!.isBegun)
    gate.resolve()
  },
)
