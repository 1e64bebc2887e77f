// A bad day for stored commands: while they are sent, nodes are killed, added, all killed at
// once, and stopped for longer than the others wait, and the server is restarted. Each command
// is in its actor's log once in the end, in the order in which they were sent.

import type { Test } from 'tap'

import { jetstream, type Node, startNode as startClient } from '../../src/index.js'
import { isCairnError } from '../../src/model/errors.js'
import { pause } from '../../src/model/wait.js'
import { decodePartitionState } from '../../src/delivery/group/partition-state.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

const patience = { timeout: 90_000 }
/** How many commands are still sent while the next thing happens. */
const stillSent = 100

/**
 * Deposits 1, 2, 3 … into each account, each sent until it is known to be stored. They stop at a number of commands,
 * which is raised for each part of the day: otherwise a slow machine would send far more than it carries out.
 */
class Senders implements AsyncDisposable {
  readonly sent = new Map<string, string[]>()
  sentAgain = 0
  duplicates = 0
  limit = 0
  readonly #client: Node
  readonly #type: string
  readonly #workers: Promise<void>[]
  #going = true

  constructor(client: Node, type: string, accounts: number) {
    this.#client = client
    this.#type = type
    this.#workers = Array.from({ length: accounts }, (_, i) => this.#drive(`a${i}`))
  }

  get count(): number {
    let count = 0
    for (const ids of this.sent.values()) count += ids.length
    return count
  }

  async end(): Promise<void> {
    this.#going = false
    await Promise.all(this.#workers)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#going = false
    await Promise.allSettled(this.#workers)
  }

  async #drive(id: string): Promise<void> {
    const ids: string[] = []
    this.sent.set(id, ids)
    let amount = 0
    while (this.#going) {
      if (this.count >= this.limit) {
        await pause(15)
        continue
      }
      amount++
      const commandId = `${id}-${amount}`
      while (!(await this.#send(id, amount, commandId))) await pause(20)
      ids.push(commandId)
      await pause(15)
    }
  }

  async #send(id: string, amount: number, commandId: string): Promise<boolean> {
    try {
      const actor = { type: this.#type, id }
      const options = { commandId, timeout: 2_000 }
      const { duplicate } = await this.#client.send(actor, 'deposit', { amount }, options)
      if (duplicate) this.duplicates++
      return true
    } catch (error) {
      if (!isCairnError(error) || !error.retryable) throw error
      this.sentAgain++
      return false
    }
  }
}

interface Entry {
  readonly amount: unknown
  readonly commandId: string | undefined
}

/** What the log says of each actor, and whose versions have gaps. */
async function readLog({ store }: Node) {
  const entries = new Map<string, Entry[]>()
  const gaps: string[] = []
  const writers = new Map<string, number>()
  for await (const record of store.readAll()) {
    if (record.kind === 'malformed') throw new Error(record.reason)
    const { actor, firstVersion, nodeId } = record
    const of = entries.get(actor.id) ?? []
    entries.set(actor.id, of)
    if (firstVersion !== of.length + 1) gaps.push(`${actor.id}@${firstVersion}`)
    writers.set(nodeId, (writers.get(nodeId) ?? 0) + 1)
    for (const { data, commandId } of record.events)
      of.push({ amount: (data as { amount: unknown }).amount, commandId })
  }
  return { entries, gaps, writers }
}

/** The day, with actors of a type that nodes with these flags serve. */
export async function badDay(
  t: Test,
  type: string,
  flags: readonly string[],
): Promise<void> {
  await using server = await startNats()
  const namespace = `inbox-${type}`
  const where = ['--ns', namespace, '--nats', server.url, ...flags]
  const start = (id: string) => startNode(...where, '--id', id)
  await using client = await startClient({
    namespace,
    store: jetstream({ servers: server.url }),
    serve: false,
  })
  const open = await jetstream({ servers: server.url }).open({
    namespace,
    nodeId: 'looker',
  })
  t.teardown(() => open.close())
  const membership = await open.join()
  t.teardown(() => membership.close())
  const members = () => membership.members().map(({ id }) => id)

  await using senders = new Senders(client, type, 10)
  /** Resolves when what was sent up to now is carried out. */
  const caughtUp = async (describe: string) => {
    const enough = senders.count
    t.comment(describe)
    await until(
      async () => {
        const stored = await client.store.lastPosition()
        return stored >= enough
      },
      { describe: `${describe}: ${enough} are carried out`, interval: 50, ...patience },
    )
  }
  const more = async (count: number, describe: string) => {
    const enough = senders.count + count
    senders.limit = enough + stillSent
    await until(() => senders.count >= enough, {
      describe: `${describe}: ${count} more are sent`,
      ...patience,
    })
  }

  await more(100, 'before any node is there')
  const nodes = [await start('first'), await start('second'), await start('third')]
  t.teardown(() => Promise.all(nodes.map(node => node.kill())))
  const [first, second, third] = nodes
  await caughtUp('three nodes')
  await more(150, 'three nodes')

  await first!.kill()
  await more(150, 'the first is killed')
  await caughtUp('the first is killed')

  nodes.push(await start('fourth'))
  await more(150, 'a fourth is there')
  await caughtUp('a fourth is there')
  await more(150, 'four are there')

  await Promise.all(nodes.map(node => node.kill()))
  await more(150, 'nobody is there')
  const again = [await start('second'), await start('third'), await start('fifth')]
  nodes.push(...again)
  await caughtUp('three have come back')
  t.not(second!.pid, again[0]!.pid)
  t.not(third!.pid, again[1]!.pid)

  await more(100, 'before the server is killed')
  await server.kill()
  await server.restart()
  await more(150, 'after the server was killed')
  await caughtUp('after the server was killed')

  const paused = again[1]!
  await until(() => members().length === 3, {
    describe: 'three are members',
    ...patience,
  })
  process.kill(paused.pid, 'SIGSTOP')
  await until(() => !members().includes('third'), {
    describe: 'the stopped one is given up',
    ...patience,
  })
  await more(150, 'one is stopped')
  process.kill(paused.pid, 'SIGCONT')
  await until(() => members().includes('third'), {
    describe: 'it is back',
    ...patience,
  })
  await more(150, 'it is back')

  await senders.end()
  const left = async () => {
    const keys: string[] = []
    for await (const { key, position } of open.queues.inbox.read())
      keys.push(`${position}: ${key.join('/')}`)
    return keys
  }
  try {
    await until(async () => (await left()).length === 0, {
      describe: 'the inbox is empty',
      interval: 100,
      ...patience,
    })
  } catch (error) {
    t.comment('left in the inbox', await left())
    for (let partition = 0; partition < open.partitions; partition++) {
      const found = await open.documents.get(['inbox', `${partition}`])
      t.comment(found && decodePartitionState(found.value, `${partition}`))
    }
    for (const { lines } of again) t.comment(lines.slice(-20))
    throw error
  }
  for (const node of again) t.equal(await node.stop(), 0, 'it stops in good order')

  const { entries, gaps, writers } = await readLog(client)
  t.strictSame(gaps, [], 'versions have no gap')
  let stored = 0
  for (const [id, ids] of senders.sent) {
    const of = entries.get(id) ?? []
    stored += of.length
    const times = new Map<string | undefined, number>()
    for (const { commandId } of of) times.set(commandId, (times.get(commandId) ?? 0) + 1)
    t.strictSame(
      [...times].filter(([, count]) => count !== 1),
      [],
      `${id}: no command is there twice`,
    )
    t.strictSame(
      ids.filter(one => !times.has(one)),
      [],
      `${id}: none is missing`,
    )
    const wrong = of.findIndex(({ amount }, i) => amount !== i + 1)
    t.equal(wrong, -1, `${id}: in the order in which they were sent`)
  }
  t.equal(stored, senders.count)
  t.comment(
    `${senders.count} sent to ${senders.sent.size} actors, ${senders.sentAgain} sent again, ` +
      `${senders.duplicates} of them stored before; written by ` +
      [...writers].map(([id, n]) => `${id}: ${n}`).join(', '),
  )
}
