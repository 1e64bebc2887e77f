// Six small workloads that any event-sourced library can be put to, on each place that Cairn keeps
// events in: what docs/comparison.md holds beside others' figures. Prints a Markdown table. Argument: how
// often each is measured (3).
//
// W1  commands to one actor, one after the other; W1a the same through the store, version known
// W2  commands to 1,000 actors, 64 in flight; W2a the same through the store; W2h to 8 actors
// W3  the state of an actor that sleeps, by its last commit and by all of its events
// W4  100,000 events of 1,000 actors read as one log, none missing and none twice
// W5  from an append's return to another node's hearing of it
// W6  two writers on one version, 200 times: exactly one of them wins
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineActor, embedded, event, jetstream, startNode } from 'cairn-es'
import { verify } from './benchmark.mjs'
import { drive } from './drive.mjs'
import { machineFacts } from './machine.mjs'
import { freshNamespace } from './place.mjs'
import { startServers } from './servers.mjs'
import { median, percentile, round } from './stats.mjs'
import { until } from './wait.mjs'

/** @typedef {import('cairn-es').Backend} Backend */

const repetitions = Number(process.argv[2] ?? 3)
const deposit = (/** @type {number} */ amount) => ({
  accountId: 'a-7f3a91c2',
  amount,
  currency: 'EUR',
  note: 'x'.repeat(80),
  at: 1_767_225_600_000,
})
const newDeposit = () => ({ type: 'deposited', data: deposit(1) })

/** @param {object} [options] of the definition */
const accountAs = (options = {}) =>
  defineActor({
    type: 'account',
    initialState: { balance: 0 },
    decide: {
      deposit: (_state, /** @type {number} */ amount) =>
        event('deposited', deposit(amount)),
    },
    evolve: {
      deposited: (state, /** @type {{ amount: number }} */ { amount }) => ({
        balance: state.balance + amount,
      }),
    },
    ...options,
  })
const account = accountAs()

/** @type {Readonly<Record<string, (store: Backend) => Promise<number>>>} */
const workloads = {
  'W1 command p50, ms': store =>
    onNode(store, async node => {
      const ref = node.spawn(account, 'one')
      const { latencies } = await inTurn(600, () => ref.ask('deposit', 1))
      return percentile(latencies.slice(100), 50)
    }),
  'W1a append p50, ms': store =>
    onNode(store, async node => {
      const actor = { type: 'account', id: 'one' }
      let expected = 0
      const { latencies } = await inTurn(600, async () => {
        const result = await node.store.append(actor, [newDeposit()], { expected })
        verify(result.ok, () => 'a lone writer met a conflict')
        expected = result.version
      })
      return percentile(latencies.slice(100), 50)
    }),
  'W2 commands/s, 1,000 actors': store => commands(store, 1_000, 10_000),
  'W2a appends/s, 1,000 actors': store =>
    onNode(store, async node => {
      const versions = Array.from({ length: 1_000 }, () => 0)
      return rateOf(10_000, async (worker, turn) => {
        const i = (worker + 64 * turn) % 1_000
        const actor = { type: 'account', id: `a${i}` }
        const expected = versions[i] ?? 0
        const result = await node.store.append(actor, [newDeposit()], { expected })
        verify(result.ok, () => `${actor.id} met a conflict`)
        versions[i] = result.version
      })
    }),
  'W2h commands/s, 8 actors': store => commands(store, 8, 2_000),
  'W3 10,000 events, last commit, ms': store => cold(store, 10_000, account),
  'W3 1,000 events, all read, ms': store =>
    cold(store, 1_000, accountAs({ stateBytesMax: 0, stateEvery: 1_000_000 })),
  'W3 10,000 events, all read, ms': store =>
    cold(store, 10_000, accountAs({ stateBytesMax: 0, stateEvery: 1_000_000 })),
  'W4 events/s as one log': store =>
    onNode(store, async node => {
      await fillThrough(node, 1_000, 100, 1)
      const start = performance.now()
      const seen = new Set()
      for await (const record of node.store.readAll())
        if (record.kind === 'commit') for (const { id } of record.events) seen.add(id)
      verify(seen.size === 100_000, () => `${seen.size} of 100,000 events were read`)
      return (100_000 / (performance.now() - start)) * 1000
    }),
  'W5 heard after the return, p50, ms': heardAfter,
  'W6 races with one winner, of 200': races,
}

/**
 * @param {Backend} store
 * @param {(node: import('cairn-es').Node, namespace: string) => Promise<number>} work
 */
async function onNode(store, work) {
  const namespace = freshNamespace()
  const node = await startNode({ namespace, store, actors: [account] })
  try {
    return await work(node, namespace)
  } finally {
    await node.close()
  }
}

/**
 * @param {number} turns
 * @param {() => Promise<unknown>} work
 */
const inTurn = (turns, work) =>
  drive({ workers: 1, turns, step: async () => void (await work()) })

/**
 * @param {number} total
 * @param {(worker: number, turn: number) => Promise<void>} step
 */
const rateOf = async (total, step) => {
  const { rate } = await drive({ workers: 64, turns: Math.ceil(total / 64), step })
  return rate
}

/**
 * @param {Backend} store
 * @param {number} actors
 * @param {number} total
 */
const commands = (store, actors, total) =>
  onNode(store, async node => {
    const refs = Array.from({ length: actors }, (_, i) => node.spawn(account, `a${i}`))
    return rateOf(total, async (worker, turn) => {
      await refs[(worker + 64 * turn) % actors]?.ask('deposit', 1)
    })
  })

/**
 * @param {import('cairn-es').Node} node
 * @param {number} actors
 * @param {number} commits of each
 * @param {number} events of each commit
 */
const fillThrough = async (node, actors, commits, events) => {
  const batch = Array.from({ length: events }, newDeposit)
  await drive({
    workers: Math.min(10, actors),
    turns: Math.ceil(actors / 10),
    step: async (worker, turn) => {
      const actor = { type: 'account', id: `a${worker + 10 * turn}` }
      if (worker + 10 * turn >= actors) return
      for (let i = 0; i < commits; i++)
        await node.store.append(actor, batch, { expected: i * events })
    },
  })
}

/**
 * @param {Backend} store
 * @param {number} events
 * @param {ReturnType<typeof accountAs>} definition
 */
const cold = (store, events, definition) =>
  onNode(store, async (filler, namespace) => {
    await fillThrough(filler, 6, events / 10, 10)
    await filler.close()
    // One command more leaves the folded state in the last commit, where the definition has it there.
    const before = await startNode({ namespace, store, actors: [definition] })
    for (let i = 0; i < 6; i++) await before.spawn(definition, `a${i}`).ask('deposit', 1)
    await before.close()
    const node = await startNode({ namespace, store, actors: [definition] })
    try {
      const took = []
      for (let i = 0; i < 6; i++) {
        const start = performance.now()
        const { state } = await node.spawn(definition, `a${i}`).state()
        took.push(performance.now() - start)
        verify(state.balance === events + 1, () => `a${i} came to ${state.balance}`)
      }
      // The first one pays for what is compiled on the way.
      return median(took.slice(1))
    } finally {
      await node.close()
    }
  })

/** @param {Backend} store */
async function heardAfter(store) {
  return onNode(store, async (node, namespace) => {
    const other = await startNode({ namespace, store })
    try {
      /** @type {Map<string, number>} */
      const heard = new Map()
      await other.subscribeToEventStored(({ eventId }) =>
        heard.set(eventId, performance.now()),
      )
      const ref = node.spawn(account, 'one')
      const after = []
      for (let i = 1; i <= 200; i++) {
        await ref.ask('deposit', 1)
        const told = performance.now()
        await until('it is heard', () => heard.has(`account/one/${i}`))
        after.push((heard.get(`account/one/${i}`) ?? NaN) - told)
      }
      return percentile(after, 50)
    } finally {
      await other.close()
    }
  })
}

/** @param {Backend} store */
async function races(store) {
  return onNode(store, async (node, namespace) => {
    const other = await startNode({ namespace, store })
    try {
      let oneWinner = 0
      for (let i = 0; i < 200; i++) {
        const actor = { type: 'account', id: `race${i}` }
        const both = await Promise.all(
          [node, other].map(each =>
            each.store.append(actor, [newDeposit()], { expected: 0 }),
          ),
        )
        const { version } = await node.store.head(actor)
        if (both.filter(({ ok }) => ok).length === 1 && version === 1) oneWinner++
      }
      return oneWinner
    } finally {
      await other.close()
    }
  })
}

const { signal } = new AbortController()
/** @type {Record<string, number[]>} */
const columns = {}
const measure = async (/** @type {string} */ name, /** @type {Backend} */ store) => {
  for (const [workload, run] of Object.entries(workloads)) {
    const figures = []
    for (let i = 0; i < repetitions; i++) figures.push(await run(store))
    process.stderr.write(`${name}: ${workload}: ${figures.map(round).join(', ')}\n`)
    columns[workload] = [...(columns[workload] ?? []), median(figures)]
  }
}

for (const syncAlways of [true, false]) {
  const servers = await startServers({ replicas: 1, syncAlways, signal })
  try {
    const store = jetstream({ servers: servers.urls })
    await measure(syncAlways ? 'JetStream, fsync' : 'JetStream', store)
  } finally {
    await servers.close()
  }
}
const dir = await mkdtemp(join(tmpdir(), 'cairn-workloads-'))
try {
  await measure('embedded, fsync', embedded({ dir }))
} finally {
  await rm(dir, { recursive: true, force: true, maxRetries: 3 })
}
console.log(
  '|  | JetStream, fsync before every ack | JetStream, default | embedded, fsync |',
)
console.log('| --- | ---: | ---: | ---: |')
for (const [workload, figures] of Object.entries(columns))
  console.log(
    `| ${workload} | ${figures.map(figure => round(figure).toLocaleString('en')).join(' | ')} |`,
  )
console.log(`\n${JSON.stringify({ node: process.version, ...machineFacts() })}`)
