// One partition: order, failures, checkpoints, and how it ends.

import t, { type Test } from 'tap'

import type { Clock } from '../../../src/model/clock.js'
import { CairnError } from '../../../src/model/errors.js'
import { deferred } from '../../../src/model/wait.js'
import { SerialExecutor } from '../../../src/delivery/group/serial-executor.js'
import {
  type DeliveryAttempt,
  done,
  type RecordHandler,
} from '../../../src/delivery/group/handling.js'
import {
  PartitionProcessor,
  type PartitionProcessorOptions,
} from '../../../src/delivery/group/partition-processor.js'
import {
  encodePartitionState,
  type DeferredKey,
  initialPartitionState,
} from '../../../src/delivery/group/partition-state.js'
import { ManualClock } from '../../../src/testing/manual-clock.js'
import { until } from '../../support/wait.js'
import { HandSource, ObservedDocuments, stateOf } from './support.js'

// The timers of a partition keep no process alive. A node does that, and this timer in its place.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

const key = ['group', '0']
const retry = { kind: 'retry', error: new Error('not yet') } as const

interface Options {
  readonly floor?: number
  readonly deferred?: readonly DeferredKey[]
  readonly maybeHandledUpTo?: number
  readonly suspectsUpTo?: number
  readonly startLimit?: number
  readonly acquireSlot?: PartitionProcessorOptions<string>['acquireSlot']
  readonly clock?: Clock
}

/** Starts a partition that was just claimed, and records all attempts. */
async function startPartition(
  t: Test,
  handle: RecordHandler<string>,
  options: Options = {},
) {
  const {
    floor = 0,
    deferred: keys = [],
    maybeHandledUpTo = 0,
    suspectsUpTo = 0,
  } = options
  const { startLimit = 10_000, acquireSlot = async () => () => {} } = options
  const { clock = { now: () => Date.now() } } = options
  const source = new HandSource()
  const documents = new ObservedDocuments()
  const owner = { id: 'me', incarnation: 1 }
  const state = { ...initialPartitionState, owner, epoch: 1, floor, deferred: keys }
  const revision = (await documents.put(key, encodePartitionState(state), 0)) as number
  const handled: string[] = []
  const attempts: DeliveryAttempt[] = []
  const events = { lost: 0 }
  const counters = { handled: 0, failures: 0 }
  const processor = new PartitionProcessor<string>({
    document: key,
    claim: { revision, epoch: 1, startLimit, crashes: 0, confirmedAt: performance.now() },
    owner,
    floor,
    deferred: keys,
    maybeHandledUpTo,
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
    clock,
    backoff: { first: 5, factor: 1, max: 5 },
    counters,
    log: () => {},
    onLost: () => events.lost++,
    onSettled: () => {},
    acquireSlot,
  })
  t.teardown(() => processor.abandon())
  let offered = floor
  const give = (...keys: string[]) => {
    source.add(...keys)
    offerAll()
  }
  const offerAll = () => {
    for (const record of source.records.slice(offered)) processor.offer(record)
    offered = source.records.length
  }
  const readState = () => stateOf(documents, key)
  return {
    processor,
    source,
    documents,
    handled,
    attempts,
    counters,
    give,
    offerAll,
    events,
    state: readState,
  }
}

await t.test(
  'PARTITION-1 records of a key are handled one at a time, of different keys concurrently',
  async t => {
    const gates = new Map<string, () => void>()
    const { give, handled, processor } = await startPartition(t, async value => {
      const gate = deferred<void>()
      gates.set(value, gate.resolve)
      await gate.promise
      return done
    })
    give('k1', 'k1', 'k2')
    t.strictSame([...gates.keys()], ['k1@1', 'k2@3'])
    gates.get('k2@3')!()
    await until(() => handled.length === 1)
    t.equal(processor.floor, 0, 'PARTITION-2 an open record holds the floor')
    gates.get('k1@1')!()
    await until(() => gates.has('k1@2'))
    t.equal(processor.floor, 1)
    gates.get('k1@2')!()
    await until(() => processor.floor === 3)
    t.strictSame(handled, ['k2@3', 'k1@1', 'k1@2'])
  },
)

await t.test(
  'DEFERRED-KEYS-1 a failing key waits, in order, and delays no other',
  async t => {
    let isBroken = true
    const partition = await startPartition(t, async value =>
      value.startsWith('k1') && isBroken ? retry : done,
    )
    partition.give('k1', 'k1', 'k2')
    await until(() => partition.processor.failing === 1)
    partition.give('k1', 'k2', 'k1')
    await until(() => partition.handled.length === 2)
    t.strictSame(partition.handled, ['k2@3', 'k2@5'])
    await until(async () => ((await partition.state())?.deferred[0]?.attempts ?? 0) > 2, {
      describe: 'CHECKPOINT-WRITER-3 its attempts are stored',
    })
    await until(async () => (await partition.state())?.floor === 6, {
      describe: 'a failing key does not hold the floor',
    })
    isBroken = false
    await until(() => partition.processor.failing === 0)
    t.strictSame(partition.handled.slice(2), ['k1@1', 'k1@2', 'k1@4', 'k1@6'])
    await until(async () => (await partition.state())?.deferred.length === 0)
  },
)

await t.test(
  'CHECKPOINT-WRITER-3 the next owner continues the count of attempts and skips handled records',
  async t => {
    const failed: DeferredKey = {
      key: 'k1',
      position: 3,
      attempts: 7,
      firstAt: 1,
      nextAt: 0,
      error: 'not yet',
    }
    const opened = deferred<void>()
    const options = { floor: 0, deferred: [failed], maybeHandledUpTo: 3 }
    const partition = await startPartition(t, async () => done, options)
    partition.source.beforeOfKey = () => opened.promise
    // Its first record is before the one that failed: the last owner has handled it.
    partition.give('k1')
    opened.resolve()
    partition.give('k2', 'k1', 'k1')
    await until(() => partition.handled.length === 3)
    t.strictSame(
      partition.handled.filter(value => value.startsWith('k1')),
      ['k1@3', 'k1@4'],
    )
    const attempt = partition.attempts.find(({ position }) => position === 3)
    t.match(attempt, { attempt: 8, mayBeRepeat: true })
  },
)

await t.test(
  'CHECKPOINT-WRITER-3 a long delay is as long for the next owner',
  async t => {
    const now = Date.now()
    const later = { key: 'k1', position: 1, attempts: 1, firstAt: now, error: 'later' }
    const keys: DeferredKey[] = [
      { ...later, nextAt: now + 3_600_000 },
      // Written with a clock that was an hour ahead.
      {
        ...later,
        key: 'k2',
        position: 2,
        firstAt: now + 3_600_000,
        nextAt: now + 3_600_001,
      },
    ]
    const options = { floor: 2, deferred: keys }
    const partition = await startPartition(
      t,
      async value => (value === 'k3@3' ? retry : done),
      options,
    )
    partition.source.add('k1', 'k2')
    partition.give('k3')
    // By then every delay of the backoff has passed several times.
    await until(() => partition.counters.failures > 5 && partition.handled.length > 0)
    t.strictSame(partition.handled, ['k2@2'])
  },
)

await t.test('a record that is offered again is handled once', async t => {
  const partition = await startPartition(t, async () => done)
  partition.give('k1', 'k1')
  for (const record of partition.source.records) partition.processor.offer(record)
  await until(() => partition.processor.floor === 2)
  t.strictSame(partition.handled, ['k1@1', 'k1@2'])
})

await t.test(
  'CHECKPOINT-WRITER-1 a lost partition stops and aborts its handlers',
  async t => {
    const aborted = deferred<void>()
    const partition = await startPartition(t, async (value, { signal }) => {
      if (value !== 'k1@1') return done
      signal.addEventListener('abort', () => aborted.resolve())
      await aborted.promise
      return done
    })
    partition.give('k1', 'k1', 'k2')
    const { documents } = partition
    const found = await documents.get(key)
    const theirs = {
      ...initialPartitionState,
      epoch: 2,
      owner: { id: 'other', incarnation: 1 },
    }
    await documents.memory.put(key, encodePartitionState(theirs), found!.revision)
    partition.give('k2')
    await aborted.promise
    await until(() => partition.events.lost === 1)
    partition.give('k3')
    await partition.processor.release(1_000)
    t.notOk(partition.attempts.some(({ position }) => position === 2 || position === 5))
    t.match(await partition.state(), theirs, 'the document is the other owner’s')
    t.equal(partition.events.lost, 1)
  },
)

for (const isStored of [true, false])
  await t.test(
    `a write with unknown outcome that was ${isStored ? '' : 'not '}stored loses no partition`,
    async t => {
      const partition = await startPartition(t, async () => done)
      let unclear = 0
      const lose = () => {
        if (unclear++ < 1) throw new CairnError('outcome-unknown', 'lost')
      }
      if (isStored) partition.documents.after = lose
      else partition.documents.before = lose
      partition.give('k1')
      await until(async () => (await partition.state())?.floor === 1)
      partition.give('k1')
      await until(async () => (await partition.state())?.floor === 2)
      t.equal(partition.events.lost, 0)
      t.ok(unclear > 1)
    },
  )

await t.test(
  'a document that cannot be written for a while is written later',
  async t => {
    const partition = await startPartition(t, async () => done)
    let refused = 0
    partition.documents.before = () => {
      if (refused++ < 3) throw new CairnError('store-unreachable', 'away')
    }
    partition.give('k1')
    await until(async () => (await partition.state())?.floor === 1)
    t.equal(partition.events.lost, 0)
  },
)

await t.test('a release finishes records in progress and starts no more', async t => {
  const gate = deferred<void>()
  const partition = await startPartition(t, async () => (await gate.promise, done))
  partition.give('k1', 'k1', 'k2')
  const released = partition.processor.release(60_000)
  partition.give('k3')
  gate.resolve()
  await released
  t.strictSame(partition.handled, ['k1@1', 'k2@3'])
  const state = await partition.state()
  t.match(state, { floor: 3, owner: undefined })
  t.match(state!.deferred, [{ key: 'k1', position: 2, attempts: 0 }])
  t.equal(state!.deferred.length, 1)
})

await t.test(
  'a release while a key catches up leaves the rest to the next owner',
  async t => {
    let isBroken = true
    const gate = deferred<void>()
    const begun = deferred<void>()
    const partition = await startPartition(t, async () => {
      if (isBroken) return retry
      begun.resolve()
      await gate.promise
      return done
    })
    partition.give('k1', 'k1', 'k1')
    await until(() => partition.processor.failing === 1)
    isBroken = false
    await begun.promise
    const released = partition.processor.release(60_000)
    gate.resolve()
    await released
    t.strictSame(partition.handled, ['k1@1'])
    const state = await partition.state()
    t.match(state, { floor: 3, owner: undefined })
    t.match(state!.deferred, [{ key: 'k1', position: 2, attempts: 0 }])
  },
)

await t.test('a handler that never ends: the partition keeps its owner', async t => {
  const partition = await startPartition(t, () => new Promise<never>(() => {}))
  partition.give('k1')
  await partition.processor.release(20)
  t.match(await partition.state(), {
    floor: 1,
    owner: { id: 'me' },
    deferred: [{ key: 'k1', position: 1, attempts: 0 }],
  })
  t.ok(partition.attempts[0]!.signal.aborted, 'its handler is aborted')
})

await t.test('a failure after the release is known to the next owner', async t => {
  const gate = deferred<void>()
  const partition = await startPartition(t, async () => (await gate.promise, retry))
  partition.give('k1')
  const released = partition.processor.release(60_000)
  gate.resolve()
  await released
  const state = await partition.state()
  t.match(state, { floor: 1, owner: undefined })
  t.match(state!.deferred, [{ key: 'k1', position: 1, attempts: 1 }])
})

await t.test(
  'PARTITION-3 a long queue stays in the source and is handled in order',
  async t => {
    const gate = deferred<void>()
    const partition = await startPartition(t, async value => {
      if (value === 'k1@1') await gate.promise
      return done
    })
    const count = 1_000
    partition.give(...Array.from({ length: count }, () => 'k1'))
    t.ok(partition.processor.open <= 256, `${partition.processor.open} are open`)
    t.equal(partition.processor.failing, 0, 'nothing has failed')
    partition.give('k2')
    await until(() => partition.handled.length === 1)
    t.strictSame(partition.handled, [`k2@${count + 1}`], 'another key is not delayed')
    gate.resolve()
    partition.give('k1')
    await until(() => partition.handled.length === count + 2)
    const positions = partition.handled
      .filter(value => value.startsWith('k1'))
      .map(value => Number(value.slice(3)))
    t.strictSame(
      positions,
      positions.toSorted((a, b) => a - b),
    )
    await until(async () => {
      const state = await partition.state()
      return state?.floor === count + 2 && state.deferred.length === 0
    })
  },
)

await t.test(
  'PARTITION-2 the next owner of a long queue starts with its first record',
  async t => {
    const gate = deferred<void>()
    const partition = await startPartition(t, async value => {
      if (value === 'k1@3') await gate.promise
      return done
    })
    partition.give(...Array.from({ length: 600 }, () => 'k1'))
    await until(() => partition.handled.length === 2)
    await until(async () => (await partition.state())?.deferred[0]?.position === 3)
    t.match((await partition.state())!.deferred, [
      { key: 'k1', position: 3, attempts: 0 },
    ])
    const released = partition.processor.release(60_000)
    gate.resolve()
    await released
    const state = await partition.state()
    t.match(state, { floor: 600, owner: undefined })
    t.match(state!.deferred, [{ key: 'k1', position: 4, attempts: 0 }])
  },
)

await t.test(
  'PARTITION-2 a slow key holds the floor no longer than until the next write',
  async t => {
    const gate = deferred<void>()
    const partition = await startPartition(t, async value => {
      if (value === 'k1@1') await gate.promise
      return done
    })
    partition.give('k1', 'k1', 'k2')
    await until(() => partition.handled.length === 1)
    partition.documents.onState = ({ floor, deferred }) => {
      const isNamed = deferred.some(({ key, position }) => key === 'k1' && position === 1)
      if (partition.handled.length < 3 && floor > 0 && !isNamed)
        t.fail(`the floor ${floor} has passed a record that is not handled`)
    }
    await until(
      async () => {
        partition.give('k2')
        return ((await partition.state())?.floor ?? 0) > 3
      },
      { describe: 'the floor passes it', interval: 20 },
    )
    const [named, ...others] = (await partition.state())!.deferred
    t.match(named, { key: 'k1', position: 1, attempts: 0 })
    t.strictSame(others, [], 'no fast key is named')
    t.equal(partition.processor.failing, 0, 'it has not failed')
    gate.resolve()
    await until(() => partition.handled.includes('k1@2'))
    partition.give('k2')
    await until(async () => (await partition.state())?.deferred.length === 0)
  },
)

await t.test(
  'PARTITION-2 of many slow keys the first are named, and the others hold the floor',
  async t => {
    const gate = deferred<void>()
    const partition = await startPartition(t, async () => (await gate.promise, done))
    partition.give(...Array.from({ length: 100 }, (_, i) => `k${i + 1}`))
    await partition.processor.release(20)
    const { floor, deferred: named } = (await partition.state())!
    t.strictSame(
      named.map(({ position }) => position),
      Array.from({ length: 64 }, (_, i) => i + 1),
    )
    t.equal(floor, 64)
    gate.resolve()
  },
)

await t.test('DEFERRED-KEYS-2 catching up with a key waits for a slot', async t => {
  const room = deferred<void>()
  let left = 0
  const at = { attempts: 0, firstAt: 1, nextAt: 1, error: '' }
  const keys = [1, 2].map(position => ({ ...at, key: `k${position}`, position }))
  const acquireSlot = async () => (await room.promise, () => void left++)
  const partition = await startPartition(t, async () => done, {
    floor: 2,
    deferred: keys,
    acquireSlot,
  })
  partition.source.add('k1', 'k2')
  partition.give('k3')
  await until(() => partition.handled.length === 1)
  t.strictSame(partition.handled, ['k3@3'])
  room.resolve()
  await until(() => partition.handled.length === 3)
  await until(() => left === 2, { describe: 'the slot is released' })
})

await t.test('PARTITION-3 a long queue waits when its first record fails', async t => {
  let isBroken = true
  const partition = await startPartition(t, async () => (isBroken ? retry : done))
  const count = 600
  partition.give(...Array.from({ length: count }, () => 'k1'))
  await until(() => partition.processor.failing === 1)
  t.equal(partition.processor.open, 0)
  isBroken = false
  await until(() => partition.handled.length === count)
  t.strictSame(
    partition.handled,
    Array.from({ length: count }, (_, i) => `k1@${i + 1}`),
  )
})

await t.test(
  'PARTITION-3 of too many failing keys some hold the floor, and none is forgotten',
  async t => {
    let isBroken = true
    const partition = await startPartition(t, async () => (isBroken ? retry : done))
    let deferredMax = 0
    partition.documents.onState = ({ deferred: keys, floor }) => {
      deferredMax = Math.max(deferredMax, keys.length)
      const named = new Set(keys.map(one => one.key))
      for (let position = 1; position <= floor; position++)
        if (isBroken && !named.has(`k${position}`))
          t.fail(`the floor ${floor} has passed ${position}, which is not handled`)
    }
    const count = 500
    partition.give(...Array.from({ length: count }, (_, i) => `k${i + 1}`))
    await until(() => partition.counters.failures > 2 * count, { timeout: 30_000 })
    await until(() => deferredMax === 400, { timeout: 30_000 })
    t.equal(partition.processor.failing, 400)
    t.equal(partition.processor.open, 100)
    isBroken = false
    await until(() => partition.handled.length === count, { timeout: 30_000 })
    t.equal(new Set(partition.handled).size, count)
    await until(async () => {
      const state = await partition.state()
      return state?.floor === count && state.deferred.length === 0
    })
    t.equal(deferredMax, 400)
  },
)

await t.test(
  'CHECKPOINT-WRITER-2 no record after the stored start limit is started',
  async t => {
    const { give, handled, documents, state } = await startPartition(
      t,
      async () => done,
      {
        startLimit: 2,
      },
    )
    let isAway = true
    documents.before = () => {
      if (isAway) throw new CairnError('store-unreachable', 'unreachable')
    }
    give('k1', 'k2', 'k3', 'k1')
    await until(() => handled.length === 2)
    const puts = documents.puts
    await until(() => documents.puts > puts + 1, { describe: 'it retries the write' })
    t.strictSame(handled, ['k1@1', 'k2@2'])
    isAway = false
    await until(() => handled.length === 4)
    t.ok((await state())!.startLimit! >= 10_000, 'with room for the next records')
  },
)

/** Moves the monotonic clock of this process forward, as a time in which it is stopped does. */
function passTime(t: Test, ms: number): void {
  const { now } = performance
  performance.now = () => now.call(performance) + ms
  t.teardown(() => (performance.now = now))
}

await t.test(
  'CHECKPOINT-WRITER-4 an owner that stood still finds that it has lost the partition before it starts a record',
  async t => {
    const { give, handled, documents, events } = await startPartition(t, async () => done)
    give('k1')
    await until(() => handled.length === 1)
    await until(() => documents.puts > 0, { describe: 'progress is written' })
    const other = { id: 'other', incarnation: 1 }
    const taken = { ...initialPartitionState, owner: other, epoch: 2, floor: 0 }
    await until(async () => {
      const { revision } = (await documents.get(key))!
      return (
        (await documents.put(key, encodePartitionState(taken), revision)) !== 'conflict'
      )
    })
    passTime(t, 2_000)
    give('k2', 'k3')
    await until(() => events.lost === 1, { describe: 'the partition is lost' })
    t.strictSame(handled, ['k1@1'], 'nothing was started')
  },
)

await t.test(
  'CHECKPOINT-WRITER-4 an owner that stood still goes on once a write has succeeded',
  async t => {
    const { give, handled, documents, events } = await startPartition(t, async () => done)
    let isAway = true
    documents.before = () => {
      if (isAway) throw new CairnError('store-unreachable', 'unreachable')
    }
    passTime(t, 2_000)
    give('k1')
    const puts = documents.puts
    await until(() => documents.puts > puts + 1, { describe: 'it retries the write' })
    t.strictSame(handled, [])
    isAway = false
    await until(() => handled.length === 1)
    t.equal(events.lost, 0)
  },
)

await t.test(
  'DEFERRED-KEYS-3 a suspect is handled alone, and its start is stored before',
  async t => {
    const begun: string[] = []
    const gates = new Map<string, () => void>()
    const { give, handled, state, processor } = await startPartition(
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
    await until(() => handled.length === 1, {
      describe: 'a record that is no suspect is handled',
    })
    await until(() => gates.size === 1)
    t.strictSame(
      begun.filter(value => value !== 'k4@4'),
      ['k1@1'],
      'one at a time',
    )
    const found = (await state())!.deferred.find(one => one.key === 'k1')
    t.match(found, { position: 1, attempts: 1, isStarted: true })
    gates.get('k1@1')!()
    for (const value of ['k2@2', 'k1@3']) {
      await until(() => gates.has(value))
      gates.get(value)!()
    }
    await until(() => handled.length === 4)
    await processor.release(1_000)
    t.match(await state(), { floor: 4, deferred: [] })
  },
)

await t.test(
  'DEFERRED-KEYS-3 a start before a crash counts as an attempt; one that a release interrupts does not',
  async t => {
    const gate = deferred<void>()
    const one = { key: 'k1', firstAt: 1, nextAt: 0, error: 'ended' }
    const { source, attempts, processor, state } = await startPartition(
      t,
      async () => (await gate.promise, done),
      { floor: 1, deferred: [{ ...one, position: 1, attempts: 2, isStarted: true }] },
    )
    source.add('k1')
    await until(() => attempts.length === 1)
    t.match(attempts[0], { attempt: 3, isAfterCrash: true, mayBeRepeat: true })
    await processor.release(1)
    const [left] = (await state())!.deferred
    t.match(left, { key: 'k1', position: 1, attempts: 2 })
    t.notOk(left!.isStarted)
    gate.resolve()
  },
)

await t.test(
  'records of a failed key that cannot be read are read again while a manual clock stands still',
  async t => {
    const clock = new ManualClock()
    const handle = async (_value: string, { attempt }: DeliveryAttempt) =>
      attempt === 1 ? retry : done
    const partition = await startPartition(t, handle, { clock })
    let reads = 0
    partition.source.beforeOfKey = () => {
      if (++reads === 1) throw new CairnError('store-unreachable', 'The server is away.')
    }
    partition.give('k1')
    await until(() => partition.processor.failing === 1, { describe: 'it has failed' })
    clock.advance(5)
    await until(() => partition.handled.length === 1, { describe: 'it is handled' })
    t.strictSame(partition.handled, ['k1@1'])
    t.equal(reads, 2)
  },
)
