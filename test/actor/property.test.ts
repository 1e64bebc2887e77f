// Random commands through two hosts, against a plain fold of the log.
//
// Run one seed again with SEED=<number>; a failure names its seed.

import t, { type Test } from 'tap'

import type { ActorAddress } from '../../src/model/address.js'
import { CairnError } from '../../src/model/errors.js'
import type { AskOutcome } from '../../src/model/command-sender.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { account, node, pushForeign, randomFrom, type TestNode } from './support.js'

const given = process.env['SEED']
const seeds =
  given === undefined
    ? [1, 2, 3, Math.floor(Math.random() * 2 ** 32)]
    : [Number.parseInt(given, 10)]

interface Asked {
  readonly actor: ActorAddress
  readonly command: string
  readonly data: unknown
  readonly commandId: string
  outcome?: AskOutcome
  error?: unknown
}

for (const seed of seeds)
  void t.test(
    `random commands and failures leave one consistent history (seed ${seed})`,
    async t => {
      const random = randomFrom(seed)
      const upTo = (limit: number) => Math.floor(random() * limit)
      const pick = <T>(list: readonly T[]): T => list[upTo(list.length)]!
      const log = new MemoryLog()
      const nodes = ['a', 'b'].map(nodeId =>
        node({ on: log, nodeId, residentsMax: 1 + upTo(4) }),
      )
      for (const each of nodes) makeUnsteady(each, random)
      const actors = ['x', 'y', 'z'].map(id => ({ type: 'account', id }))

      const asked: Asked[] = []
      const pending = new Set<Promise<unknown>>()
      for (let i = 0; i < 600; i++) {
        const actor = pick(actors)
        const { host } = pick(nodes)
        const [command, data] = pick<readonly [string, unknown]>([
          ['deposit', { amount: upTo(20) }],
          ['withdraw', { amount: upTo(30) }],
          ['split', Array.from({ length: upTo(4) }, () => upTo(5))],
          ['balance', undefined],
          ['explode', undefined],
        ])
        const record: Asked = { actor, command, data, commandId: `c${i}` }
        asked.push(record)
        const options = { commandId: record.commandId, timeout: 60_000 }
        const call = host.ask(actor, command, data, options).then(
          outcome => void (record.outcome = outcome),
          (error: unknown) => void (record.error = error),
        )
        pending.add(call)
        void call.finally(() => pending.delete(call))
        if (random() < 0.1) host.markUnverified()
        if (random() < 0.1) host.onCommit({ actor, version: upTo(500), position: 1 })
        if (random() < 0.02) pushForeign(log, actor)
        if (pending.size > 1 + upTo(12)) await Promise.race(pending)
      }
      await Promise.all(pending)
      for (const { store } of nodes) {
        store.before = () => {}
        store.after = () => {}
      }

      for (const actor of actors) {
        // The reference: the log folded with the bare behavior.
        const balances = [0]
        const byCommand = new Map<string, number>()
        for await (const event of nodes[0]!.store.read(actor)) {
          if (event.kind !== 'event') continue
          t.equal(event.version, balances.length, 'versions are dense')
          const state = { balance: balances.at(-1)! }
          balances.push(account.behavior.evolve(state, event).balance)
          byCommand.set(event.commandId!, event.version)
        }
        t.ok(
          balances.every(balance => balance >= 0),
          'nothing was withdrawn that was not there',
        )
        const last = balances.length - 1
        for (const { host } of nodes) {
          const { position, ...reading } = await host.state(actor)
          t.equal(position > 0, last > 0)
          t.strictSame(reading, {
            state: { balance: balances[last] },
            version: last,
            exists: last > 0,
          })
        }
        for (const one of asked)
          if (one.actor === actor) check(t, one, balances, byCommand)
      }
    },
  )

/** Each answer must agree with the log. */
function check(
  t: Test,
  { outcome, error, command, data, commandId }: Asked,
  balances: readonly number[],
  byCommand: ReadonlyMap<string, number>,
): void {
  const stored = byCommand.get(commandId)
  if (outcome === undefined) {
    t.ok(error instanceof CairnError, `${commandId} failed as it should`)
    const { code } = error as CairnError
    if (code !== 'outcome-unknown') t.equal(stored, undefined, `${code} stored nothing`)
    return
  }
  const balance = balances[outcome.version]
  if (!outcome.ok) {
    t.equal(stored, undefined, 'refused, and not stored')
    t.ok((data as { amount: number }).amount > balance!, 'refused with reason')
    t.strictSame(outcome.rejection.details, { balance })
  } else if (command === 'deposit' || command === 'withdraw') {
    t.equal(stored, outcome.version, 'stored at the version of the answer')
    if (command === 'deposit') t.equal(outcome.reply, balance)
  } else if (command === 'balance') t.equal(outcome.reply, balance)
}

/** A store that is slow, sometimes fails, and loses answers. */
function makeUnsteady({ store }: TestNode, random: () => number): void {
  store.before = async operation => {
    while (random() < 0.5) await new Promise(resolve => setImmediate(resolve))
    if (random() < 0.03)
      throw new CairnError('store-unreachable', `No ${operation} for a moment.`)
  }
  store.after = () => {
    if (random() < 0.03)
      throw new CairnError('outcome-unknown', 'The answer of an append got lost.')
  }
}
