// P2, P4: processes that move money between the same few accounts, by the hundred, are killed
// again and again, and once the server is: money is conserved, every transfer is in both accounts
// or in neither, and none is there twice.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import t, { type Test } from 'tap'

import type { Backend, OpenNamespace } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { run } from './harness.js'

interface Answer {
  readonly n: number
  readonly ok: boolean
  readonly duplicate: boolean
}

const accounts = ['p0', 'p1', 'p2']
const each = 10_000

/** One line of transfers, done by one process after another. */
class Mover {
  readonly id: string
  readonly #args: readonly string[]
  readonly answered = new Map<number, Answer>()
  duplicates = 0
  #process: ReturnType<typeof run>
  #lines: Promise<unknown>
  /** This process has answered: it hears signals. */
  #isUp = false

  constructor(id: string, place: string, namespace: string) {
    this.id = id
    this.#args = ['test/support/programs/transferrer.mjs', place, namespace, id]
    ;[this.#process, this.#lines] = this.#start(0)
  }

  /** SIGKILL, and another one that begins with what is not answered. */
  async kill(): Promise<void> {
    this.#process.child.kill('SIGKILL')
    await this.#process.ended
    await this.#lines
    let from = 0
    while (this.answered.has(from)) from++
    ;[this.#process, this.#lines] = this.#start(from)
  }

  async stop(t: Test): Promise<void> {
    const gone = this.#process.ended.then(code => {
      if (!this.#isUp)
        throw new Error(`${this.id} ended with ${code}: ${this.#process.stderr()}`)
    })
    const isUp = until(() => this.#isUp, {
      describe: `${this.id} is at work`,
      timeout: 60_000,
    })
    await Promise.race([isUp, gone.then(() => isUp)])
    this.#process.child.kill('SIGTERM')
    t.equal(await this.#process.ended, 0, this.#process.stderr())
    await this.#lines
  }

  end(): void {
    this.#process.child.kill('SIGKILL')
  }

  #start(from: number): [ReturnType<typeof run>, Promise<unknown>] {
    this.#isUp = false
    const process = run([...this.#args, String(from)])
    const lines = createInterface({ input: process.child.stdout! })
    lines.on('line', line => {
      const answer = JSON.parse(line) as Answer
      if (answer.duplicate) this.duplicates++
      this.answered.set(answer.n, answer)
      this.#isUp = true
    })
    const ended = new Promise(resolve => lines.once('close', resolve))
    return [process, ended]
  }
}

/** Account id → amount, for each transaction of the log. */
async function movesIn({ store }: OpenNamespace) {
  const moves = new Map<string, Map<string, number>>()
  const balances = new Map<string, number>()
  let gaps = 0
  const versions = new Map<string, number>()
  for await (const record of store.readAll()) {
    if (record.kind === 'malformed') throw new Error(record.reason)
    const { actor, transactionId, events, firstVersion, lastVersion } = record
    if (firstVersion !== (versions.get(actor.id) ?? 0) + 1) gaps++
    versions.set(actor.id, lastVersion)
    for (const { type, data } of events) {
      const { amount } = data as { amount: number }
      const change = type === 'deposited' ? amount : -amount
      balances.set(actor.id, (balances.get(actor.id) ?? 0) + change)
      if (transactionId === undefined) continue
      const parts = moves.get(transactionId) ?? new Map<string, number>()
      moves.set(transactionId, parts)
      if (parts.has(actor.id)) throw new Error(`${transactionId} is in ${actor.id} twice`)
      parts.set(actor.id, change)
    }
  }
  return { moves, balances, gaps, versions }
}

async function moveMoney(
  t: Test,
  backend: Backend,
  place: string,
  enough: number,
  trouble: (round: number, movers: readonly Mover[]) => Promise<void>,
) {
  const namespace = 'transfers'
  await using open = await backend.open({ namespace, nodeId: 'test' })
  for (const id of accounts)
    await open.store.append({ type: 'account', id }, [
      { type: 'deposited', data: { amount: each } },
    ])
  const movers = ['a', 'b', 'c'].map(id => new Mover(id, place, namespace))
  t.teardown(() => movers.forEach(mover => mover.end()))
  const answers = () => movers.reduce((sum, { answered }) => sum + answered.size, 0)
  const rounds = 9
  for (let round = 1; round <= rounds; round++) {
    const goal = Math.ceil((enough * round) / rounds)
    await until(() => answers() >= goal, {
      describe: `${goal} transfers are answered`,
      timeout: 100_000,
    })
    if (round < rounds) await trouble(round, movers)
  }
  for (const mover of movers) await mover.stop(t)

  const { moves, balances, gaps, versions } = await movesIn(open)
  const total = [...balances.values()].reduce((sum, balance) => sum + balance, 0)
  t.equal(gaps, 0, 'no history has a gap')
  t.equal(total, accounts.length * each, 'money is conserved')
  t.ok(
    [...balances.values()].every(balance => balance >= 0),
    'no account is overdrawn',
  )
  const halves = [...moves].filter(([, parts]) => {
    const changes = [...parts.values()]
    return changes.length !== 2 || changes[0]! + changes[1]! !== 0
  })
  t.strictSame(halves, [], 'every transfer is in both accounts, in the same amount')
  let [carriedOut, refused, repeated, untold] = [0, 0, 0, 0]
  for (const { id, answered, duplicates } of movers) {
    repeated += duplicates
    for (const [n, { ok }] of answered) {
      if (ok) carriedOut++
      else refused++
      if (moves.has(`${id}-${n}`) !== ok) t.fail(`${id}-${n} is not as it was answered`)
    }
    const last = Math.max(...answered.keys())
    for (let n = 0; n <= last; n++) if (!answered.has(n)) untold++
  }
  t.equal(untold, 0, 'every transfer was answered in the end')
  t.equal(moves.size, carriedOut, 'and those that were carried out are all there are')
  const commits = [...versions.values()].reduce((sum, version) => sum + version, 0)
  t.equal(commits, accounts.length + 2 * carriedOut, 'each once')
  t.ok(carriedOut >= enough / 2, `${carriedOut} were carried out`)
  t.comment(
    `${carriedOut} transfers in both accounts, ${refused} refused, ${repeated} found to be there by a repeat; ` +
      `balances ${accounts.map(id => balances.get(id)).join(', ')}`,
  )
}

await t.test('three processes on one server, killed one after another', async t => {
  await using server = await startNats()
  const backend = jetstream({ servers: server.url })
  let kills = 0
  await moveMoney(t, backend, server.url, 600, async (round, movers) => {
    if (round % 4 === 0) {
      await server.kill()
      await server.restart()
    } else await movers[round % 3]!.kill()
    kills++
  })
  t.equal(kills, 8, 'six processes and two servers were killed')
})

await t.test('three processes on one directory, killed one after another', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-transfers-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  let kills = 0
  await moveMoney(t, embedded({ dir }), dir, 800, async (round, movers) => {
    await movers[round % 3]!.kill()
    kills++
  })
  t.equal(kills, 8)
})
