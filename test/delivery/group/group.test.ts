// Groups: how lanes come and go between nodes, and how a node's part ends.

import t, { type Test } from 'tap'

import { deferred, pause } from '../../../src/model/wait.js'
import {
  Group,
  type GroupOptions,
  type PartitionClaims,
} from '../../../src/delivery/group/group.js'
import {
  encodePartitionState,
  initialPartitionState,
  type PartitionOwner,
} from '../../../src/delivery/group/partition-state.js'
import { randomFrom } from '../../../src/testing/random.js'
import { until } from '../../support/wait.js'
import { HandSource, ObservedDocuments, stateOf } from '../reactor/support.js'

// A group's timers keep no process alive; a node does, and here this one.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

const done = { kind: 'done' } as const

/** Who reads which lane, as the test says. */
class Claims {
  readonly owners = new Map<number, string>()
  readonly alive = new Set<string>()
  readonly listeners = new Set<() => void>()

  of(id: string): PartitionClaims {
    return {
      isOurs: lane => this.owners.get(lane) === id,
      isAlive: owner => this.alive.has(owner.id),
      onChange: listener => {
        this.listeners.add(listener)
        return () => this.listeners.delete(listener)
      },
    }
  }

  set(owners: Readonly<Record<number, string>>): void {
    for (const [lane, id] of Object.entries(owners)) this.owners.set(Number(lane), id)
    for (const listener of this.listeners) listener()
  }
}

function scene(t: Test, lanes = 4) {
  const source = new HandSource(lanes)
  const documents = new ObservedDocuments()
  const claims = new Claims()
  const handled: {
    readonly by: string
    readonly value: string
    readonly repeat: boolean
    /** Which beginning it was, of all. */
    readonly begun: number
  }[] = []
  let beginnings = 0
  const join = (id: string, options: Partial<GroupOptions<string>> = {}) => {
    const self: PartitionOwner = { id, incarnation: 1 }
    claims.alive.add(id)
    const { handle = async () => done, ...rest } = options
    const group = new Group<string>({
      name: 'group',
      source,
      async handle(value, attempt) {
        const begun = beginnings++
        const settled = await handle(value, attempt)
        if (settled.kind === 'done')
          handled.push({ by: id, value, repeat: attempt.mayBeRepeat, begun })
        return settled
      },
      documents,
      claims: claims.of(id),
      self,
      clock: { now: () => Date.now() },
      log: () => {},
      backoff: { first: 5, factor: 1, max: 5 },
      ...rest,
    })
    group.start()
    t.teardown(() => group.stop(0))
    return group
  }
  const all = (id: string) =>
    Object.fromEntries(Array.from({ length: lanes }, (_, lane) => [lane, id]))
  return { source, documents, claims, handled, join, all }
}

await t.test('lanes go to who is named, in order, and each record once', async t => {
  const { source, claims, handled, join, all } = scene(t)
  claims.set(all('a'))
  const a = join('a')
  source.add('k0', 'k1', 'k2', 'k3', 'k0')
  await until(() => handled.length === 5)
  const b = join('b')
  claims.set({ 0: 'b', 1: 'b' })
  await until(() => a.stats().partitions === 2 && b.stats().partitions === 2)
  source.add('k0', 'k1', 'k2', 'k3')
  await until(() => handled.length === 9)
  t.equal(new Set(handled.map(({ value }) => value)).size, 9, 'each once')
  const last = handled.slice(5).map(({ by, value }) => `${by} ${value}`)
  t.strictSame(last.toSorted(), ['a k2@8', 'a k3@9', 'b k0@6', 'b k1@7'])
  await a.stop(1_000)
  claims.set(all('b'))
  await until(() => b.stats().partitions === 4)
  await b.stop(1_000)
  t.equal(claims.listeners.size, 0, 'nobody listens any more')
  t.equal(source.followers, 0, 'and nobody reads')
})

await t.test(
  'who is taken for dead and is not: the handler is told, nothing is missed',
  async t => {
    const { source, claims, handled, join, all } = scene(t, 1)
    const told = deferred<void>()
    claims.set(all('a'))
    join('a', {
      async handle(value, { signal }) {
        if (value !== 'k0@2') return done
        signal.addEventListener('abort', () => told.resolve())
        await told.promise
        return done
      },
    })
    source.add('k0', 'k0', 'k0')
    await until(() => handled.length === 1)
    claims.alive.delete('a')
    // The one who is taken for dead has another view of it.
    const listeners = [...claims.listeners]
    claims.listeners.clear()
    const b = join('b')
    claims.owners.set(0, 'b')
    for (const listener of claims.listeners) listener()
    await until(() => b.stats().partitions === 1)
    await until(() => handled.some(({ by, value }) => by === 'b' && value === 'k0@3'))
    for (const listener of listeners) listener()
    await told.promise
    const byB = handled.filter(({ by }) => by === 'b')
    t.match(byB.slice(-2), [
      { by: 'b', value: 'k0@2', repeat: true },
      { by: 'b', value: 'k0@3', repeat: true },
    ])
    t.notOk(handled.some(({ by, value }) => by === 'a' && value === 'k0@3'))
  },
)

await t.test('G6 many lanes that are taken are read on together', async t => {
  const lanes = 32
  const { source, documents, claims, handled, join, all } = scene(t, lanes)
  for (let i = 0; i < lanes; i++) source.add(`k${i}`)
  let turn = Promise.resolve()
  // One after the other, and the last one only when all others are read.
  documents.before = () => (turn = turn.then(() => pause(0)))
  const isLast = deferred<void>()
  const get = documents.get.bind(documents)
  documents.get = async key => {
    if (key.at(-1) === '31') await isLast.promise
    return get(key)
  }
  claims.set(all('a'))
  const a = join('a')
  await until(() => handled.length === lanes - 1)
  t.equal(a.stats().partitions, lanes - 1, 'who waits holds up no other')
  t.ok(source.follows < lanes / 2, `${source.follows} readings`)
  isLast.resolve()
  await until(() => handled.length === lanes)
})

await t.test('a stop ends in time though the documents do not answer', async t => {
  const { source, documents, claims, handled, join, all } = scene(t)
  claims.set(all('a'))
  const a = join('a')
  source.add('k0')
  await until(() => handled.length === 1)
  await until(() => a.stats().partitions === 4)
  documents.before = () => new Promise<never>(() => {})
  await a.stop(100)
  t.equal(a.stats().partitions, 0)
  t.equal(claims.listeners.size, 0)
})

await t.test('a stop ends in time though lanes are still being taken', async t => {
  const { documents, claims, join, all } = scene(t)
  documents.before = () => new Promise<never>(() => {})
  claims.set(all('a'))
  const a = join('a')
  await until(() => documents.puts === 4)
  await a.stop(100)
  t.equal(a.stats().partitions, 0)
})

await t.test(
  'G4 a stop ends in time though a handler does not, and nothing is begun',
  async t => {
    const { source, documents, claims, join, all } = scene(t, 1)
    claims.set(all('a'))
    const gate = deferred<void>()
    const begun: string[] = []
    const signals: AbortSignal[] = []
    const a = join('a', {
      async handle(value, { signal }) {
        begun.push(value)
        signals.push(signal)
        await gate.promise
        return done
      },
    })
    source.add('k0', 'k0')
    await until(() => begun.length === 1)
    await a.stop(100)
    t.ok(signals[0]!.aborted)
    gate.resolve()
    source.add('k1')
    await pause(0)
    t.strictSame(begun, ['k0@1'])
    const state = await stateOf(documents, ['group', '0'])
    t.match(state, { floor: 2, failing: [{ key: 'k0', position: 1, attempts: 0 }] })
  },
)

await t.test('G3 the source is not read further than what may be open', async t => {
  const { source, claims, handled, join, all } = scene(t, 1)
  claims.set(all('a'))
  const gate = deferred<void>()
  const a = join('a', { openMax: 10, handle: async () => (await gate.promise, done) })
  source.add(...Array.from({ length: 100 }, (_, i) => `k${i}`))
  await until(() => a.stats().open === 10)
  t.ok(source.given <= 11, `${source.given} were read`)
  gate.resolve()
  await until(() => handled.length === 100)
})

await t.test('a handler that never ends holds up its own key alone', async t => {
  const { source, claims, handled, join, all } = scene(t, 1)
  claims.set(all('a'))
  const never = new Promise<never>(() => {})
  join('a', { handle: async value => (value.startsWith('k7@') ? never : done) })
  for (let i = 0; i < 1_500; i++) source.add('k7', 'k1')
  await until(() => handled.length === 1_500)
  t.ok(handled.every(({ value }) => value.startsWith('k1@')))
})

await t.test(
  'G5 a source that ends before the floor is another one: it is read anew',
  async t => {
    const { source, documents, claims, handled, join, all } = scene(t, 1)
    const state = { ...initialPartitionState, epoch: 5, floor: 1_000 }
    await documents.put(['group', '0'], encodePartitionState(state), 0)
    source.add('k0', 'k1')
    claims.set(all('a'))
    join('a')
    await until(() => handled.length === 2)
    await until(async () => (await stateOf(documents, ['group', '0']))?.floor === 2)
    t.pass('its document says so')
  },
)

await t.test(
  'L3 what others have done beside a slow key is not done again by who takes over',
  async t => {
    const { source, documents, claims, handled, join, all } = scene(t, 1)
    claims.set(all('a'))
    const gate = deferred<void>()
    t.teardown(() => gate.resolve())
    const a = join('a', {
      handle: async value => (value === 'k0@1' ? (await gate.promise, done) : done),
    })
    source.add('k0', 'k0')
    for (let i = 0; i < 200; i++) source.add(`k${1 + (i % 20)}`)
    await until(() => handled.length === 200)
    const floorOf = async () => (await stateOf(documents, ['group', '0']))?.floor ?? 0
    await until(
      async () => {
        source.add('k1')
        return (await floorOf()) > 202
      },
      { interval: 20 },
    )
    const floor = await floorOf()
    // It is dead, and its documents are as they are.
    claims.alive.delete('a')
    claims.set(all('b'))
    join('b')
    await until(() => {
      const values = new Set(handled.map(({ value }) => value))
      return source.records.every(({ value }) => values.has(value!))
    })
    const again = handled.filter(({ value }, i) =>
      handled.slice(0, i).some(one => one.value === value),
    )
    t.strictSame(
      again.filter(({ value }) => Number(value.split('@')[1]) <= floor),
      [],
      'none up to the floor',
    )
    const slow = handled.filter(({ value }) => value.startsWith('k0@'))
    t.match(slow, [
      { by: 'b', value: 'k0@1', repeat: true },
      { by: 'b', value: 'k0@2', repeat: true },
    ])
    await a.stop(0)
  },
)

await t.test(
  'G3 no more are open where keys are taken over that stand further back',
  async t => {
    const { source, claims, handled, join, all } = scene(t, 1)
    claims.set(all('a'))
    const openMax = 20
    const stuck = join('a', {
      openMax,
      handle: () => new Promise<never>(() => {}),
    })
    for (let i = 0; i < 200; i++) source.add(`k${i}`)
    await until(() => stuck.stats().open === openMax)
    await stuck.stop(0)
    claims.alive.delete('a')
    let open = 0
    let most = 0
    claims.set(all('b'))
    join('b', {
      openMax,
      async handle() {
        most = Math.max(most, ++open)
        await pause(1)
        open--
        return done
      },
    })
    await until(() => handled.length === 200, { timeout: 30_000 })
    t.ok(most <= openMax, `${most} were open`)
  },
)

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8])
  await t.test(`nodes come, go, hang and fail at random (seed ${seed})`, async t => {
    const random = randomFrom(seed, 'group')
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!
    const lanes = 4
    const { source, documents, claims, handled, join } = scene(t, lanes)
    let isCalm = false
    documents.before = async () => {
      if (!isCalm && random() < 0.1) await pause(random() * 20)
    }
    const running = new Map<string, Group<string>>()
    let named = 0
    const start = () => {
      const id = `n${named++}`
      running.set(
        id,
        join(id, {
          openMax: 20,
          keyQueueMax: 3,
          async handle() {
            await pause(random() * 3)
            if (!isCalm && random() < 0.15) throw new Error('by chance')
            return done
          },
        }),
      )
    }
    const place = () =>
      claims.set(
        Object.fromEntries(
          Array.from({ length: lanes }, (_, lane) => [lane, pick([...running.keys()])]),
        ),
      )
    start()
    start()
    place()
    const stopping: Promise<void>[] = []
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 10; i++) source.add(`k${Math.floor(random() * 12)}`)
      const chance = random()
      if (chance < 0.1) start()
      else if (chance < 0.2 && running.size > 1) {
        const id = pick([...running.keys()])
        stopping.push(running.get(id)!.stop(random() < 0.5 ? 0 : 50))
        running.delete(id)
        claims.alive.delete(id)
      } else if (chance < 0.25 && running.size > 1) {
        // It is given up, and does not know: the documents alone tell it.
        claims.alive.delete(pick([...running.keys()]))
      } else if (chance < 0.3) for (const id of running.keys()) claims.alive.add(id)
      if (random() < 0.5) place()
      await pause(random() * 10)
    }
    isCalm = true
    const id = pick([...running.keys()])
    claims.set(Object.fromEntries(Array.from({ length: lanes }, (_, lane) => [lane, id])))
    const missing = () => {
      const values = new Set(handled.map(({ value }) => value))
      return source.records.filter(({ value }) => !values.has(value!))
    }
    await until(() => missing().length === 0, {
      timeout: 60_000,
      describe: 'all are handled',
    })
    await Promise.all(stopping)

    // Of each key, each record is begun behind the one before. Who was given up may finish what
    // it has begun later than the one who repeats it.
    const first = new Map<string, number>()
    const wrong: string[] = []
    for (const { value, repeat } of handled.toSorted((a, b) => a.begun - b.begun)) {
      const [key, at] = value.split('@') as [string, string]
      const before = first.get(key) ?? 0
      if (Number(at) > before) {
        const skipped = source.records.some(
          one => one.key === key && one.position > before && one.position < Number(at),
        )
        if (skipped) wrong.push(value)
        first.set(key, Number(at))
      } else if (!repeat) wrong.push(`${value} again`)
    }
    t.strictSame(wrong, [])
    t.comment(
      `${source.records.length} records, ${handled.length} handled, by ${named} nodes, ${documents.puts} puts`,
    )
    await Promise.all([...running.values()].map(group => group.stop(1_000)))
    t.equal(claims.listeners.size, 0)
    t.equal(source.followers, 0)
  })

await t.test(
  'L8 a record that ends its nodes is found out, and those beside it are not blamed',
  async t => {
    const { source, documents, claims, handled, join } = scene(t, 1)
    source.add('k1', 'k2', 'k3', 'k2')
    const begun: [string, number][] = []
    for (let life = 1; life <= 6; life++) {
      const id = `n${life}`
      const ended = deferred<void>()
      claims.set({ 0: id })
      join(id, {
        async handle(value, { attempt }) {
          begun.push([value, attempt])
          if (value !== 'k2@2' || attempt > 3) return done
          // The process is gone: nothing of it is written down any more.
          claims.alive.delete(id)
          documents.memory.put = async () => 'conflict'
          ended.resolve()
          return new Promise<never>(() => {})
        },
      })
      const isOver = () => handled.some(({ value }) => value === 'k2@4')
      await Promise.race([ended.promise, until(isOver, { timeout: 30_000 })])
      if (isOver()) break
      await until(() => !claims.alive.has(id))
      delete (documents.memory as Partial<typeof documents.memory>).put
    }
    t.strictSame(
      begun.filter(([value]) => value === 'k2@2').map(([, attempt]) => attempt),
      [1, 1, 1, 2, 3, 4],
      'twice unseen, and from then on counted',
    )
    t.ok(begun.every(([value, attempt]) => value === 'k2@2' || attempt === 1))
    t.equal(new Set(handled.map(({ value }) => value)).size, 4)
  },
)

await t.test(
  'L8 a record that ends its nodes late is found out, wherever the floor is by then',
  async t => {
    const { source, documents, claims, handled, join } = scene(t, 1)
    source.add('k2')
    const begun: [string, number][] = []
    const stateNow = () => stateOf(documents, ['group', '0'])
    for (let life = 1; life <= 7; life++) {
      const id = `n${life}`
      const ended = deferred<void>()
      claims.set({ 0: id })
      join(id, {
        async handle(value, { attempt }) {
          begun.push([value, attempt])
          if (value !== 'k2@1' || attempt > 3) return done
          const { length } = source.records
          await until(async () => {
            source.add('k1')
            return ((await stateNow())?.floor ?? 0) > length
          })
          claims.alive.delete(id)
          documents.memory.put = async () => 'conflict'
          ended.resolve()
          return new Promise<never>(() => {})
        },
      })
      const isOver = () => handled.some(({ value }) => value === 'k2@1')
      await Promise.race([ended.promise, until(isOver, { timeout: 30_000 })])
      if (isOver()) break
      delete (documents.memory as Partial<typeof documents.memory>).put
    }
    t.strictSame(
      begun.filter(([value]) => value === 'k2@1').map(([, attempt]) => attempt),
      [1, 1, 1, 2, 3, 4],
      'twice unseen, and from then on counted',
    )
    t.ok(begun.every(([value, attempt]) => value === 'k2@1' || attempt === 1))
  },
)
