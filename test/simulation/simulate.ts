// One schedule: random commands to a few actors through random nodes, during partitions, crashes and
// other faults. All of it comes from the seed, also the order in which it happens.

import { defineActor, event, isCairnError, reject } from '../../src/index.js'
import type { AskOutcome, Backend } from '../../src/index.js'
import type { LogRecord } from '../../src/model/commit.js'
import { turn } from '../../src/testing/line.js'
import { randomFrom } from '../../src/testing/random.js'
import {
  type CheckSummary,
  type FaultCounts,
  type Step,
  type TestCluster,
  testCluster,
} from '../../src/testing/index.js'

export const account = defineActor({
  type: 'account',
  initialState: { balance: 0, entries: 0 },
  decide: {
    deposit: (_state, amount: number) => ({
      events: event('deposited', amount),
      reply: after => after.balance,
    }),
    split: (_state, amounts: readonly number[]) => ({
      events: amounts.map(amount => event('deposited', amount)),
      reply: after => after.entries,
    }),
    withdraw: (state, amount: number) =>
      state.balance < amount
        ? reject('overdraft', `The balance is ${state.balance}.`)
        : event('withdrawn', amount),
    /** Stores an event the first time, and is a query afterwards. */
    open: state => (state.entries === 0 ? event('opened') : { reply: state.balance }),
    balance: state => ({ reply: state.balance }),
  },
  evolve: {
    opened: state => ({ ...state, entries: state.entries + 1 }),
    deposited: (state, amount: number) => ({
      balance: state.balance + amount,
      entries: state.entries + 1,
    }),
    withdrawn: (state, amount: number) => ({
      balance: state.balance - amount,
      entries: state.entries + 1,
    }),
  },
})

/** An actor without inline states: every wake folds the history. */
export const ledger = defineActor({
  type: 'ledger',
  initialState: (): string[] => [],
  stateBytesMax: 0,
  stateEvery: 5,
  decide: {
    note: (_state, line: string) => ({
      events: event('noted', line),
      reply: after => after.length,
    }),
  },
  evolve: { noted: (state, line: string) => [...state, line] },
})

export interface Simulated {
  readonly summary: CheckSummary
  readonly faults: FaultCounts
  readonly conflicts: number
  /** Commands that were sent again under their id. */
  readonly retries: number
  readonly log: readonly LogRecord[]
}

export interface SimulateOptions {
  readonly store?: Backend
  readonly steps?: number
  readonly onStep?: (step: Step) => void
  /** Called with what each sender of a command is told, and when. */
  readonly onAnswer?: (at: number, answer: unknown) => void
}

/** Runs the schedule of a seed; throws the errors of `check`. */
export async function simulate(
  seed: number,
  { store, steps = 40, onStep, onAnswer = () => {} }: SimulateOptions = {},
): Promise<Simulated> {
  const random = randomFrom(seed, 'schedule')
  await using cluster = await testCluster({
    actors: [account, ledger],
    seed,
    ...(store !== undefined && { store }),
    ...(onStep !== undefined && { onStep }),
  })
  return await cluster.run(() => runSchedule(cluster, random, steps, onAnswer))
}

async function runSchedule(
  cluster: TestCluster,
  random: () => number,
  steps: number,
  onAnswer: (at: number, answer: unknown) => void,
): Promise<Simulated> {
  const below = (count: number) => Math.floor(random() * count)
  const happens = (probability: number) => random() < probability
  const oneOf = () => cluster.running[below(cluster.running.length)]!
  setFaults(cluster, random)
  const clients: Promise<number>[] = []
  const client = (work: Promise<number>) => {
    // Awaited at the end; it may fail before.
    work.catch(() => {})
    clients.push(work)
  }
  let [commands, conflicts] = [0, 0]
  const count = (index: number) => {
    conflicts += cluster.node(index).stats().actors.conflicts
  }
  for (let step = 0; step < steps; step++) {
    const dice = random()
    if (dice < 0.75) {
      // Several at a time, through nodes that may disagree about the owner.
      const batch = 1 + below(4)
      for (let i = 0; i < batch; i++) client(send(cluster, random, commands++, onAnswer))
    } else if (dice < 0.83) {
      const sides: [number[], number[]] = [[], []]
      for (const index of cluster.running) sides[below(2)]!.push(index)
      cluster.partition(...sides)
    } else if (dice < 0.9) cluster.heal()
    else if (dice < 0.93 && cluster.running.length > 1) {
      const index = oneOf()
      count(index)
      cluster.crash(index)
    } else if (dice < 0.95 && cluster.running.length > 1) {
      const index = oneOf()
      count(index)
      client(cluster.drain(index).then(() => 0))
    } else if (dice < 0.98 && cluster.running.length < 5) await cluster.start()
    else cluster.clock.advance(below(1000))
    if (happens(0.5)) await turn(below(30))
  }
  if (happens(0.5)) cluster.heal()
  const retries = (await Promise.all(clients)).reduce((sum, n) => sum + n, 0)
  const summary = await cluster.check()
  for (const index of cluster.running) count(index)
  const log = await cluster.log()
  return { summary, faults: cluster.faults(), conflicts, retries, log }
}

function setFaults(cluster: TestCluster, random: () => number): void {
  const perhaps = (probability: number) => (random() < 0.5 ? 0 : random() * probability)
  cluster.dropNotices(perhaps(0.5))
  cluster.delayAppends(perhaps(0.5), { turns: 1 + Math.floor(random() * 30) })
  cluster.failAppends(perhaps(0.2))
  cluster.duplicateRequests(perhaps(0.3))
}

/** Sends one command under one id until it is answered; resolves with the number of retries. */
async function send(
  cluster: TestCluster,
  random: () => number,
  number: number,
  onAnswer: (at: number, answer: unknown) => void,
): Promise<number> {
  const amount = 1 + Math.floor(random() * 20)
  const [type, command, data] = [
    ['account', 'deposit', amount],
    ['account', 'deposit', amount],
    ['account', 'withdraw', amount],
    ['account', 'split', [amount, 1]],
    ['account', 'open', undefined],
    ['account', 'balance', undefined],
    ['ledger', 'note', `line ${number}`],
    ['ledger', 'note', `line ${number}`],
  ][Math.floor(random() * 8)] as [string, string, unknown]
  const actor = { type, id: `a${Math.floor(random() * 2)}` }
  if (random() < 0.1) return tell(cluster, random, number)
  // Given, or created by the node and returned in the error.
  let commandId = random() < 0.5 ? undefined : `c${number}`
  const through = Array.from({ length: 5 }, random)
  for (const [retries, draw] of through.entries()) {
    const { running } = cluster
    const node = cluster.node(running[Math.floor(draw * running.length)]!)
    try {
      const outcome: AskOutcome = await node.ask(
        actor,
        command,
        data,
        commandId === undefined ? {} : { commandId },
      )
      onAnswer(performance.now(), { number, outcome })
      if (outcome.ok || outcome.rejection.code === 'overdraft') return retries
      throw new Error(`${command} was refused: ${outcome.rejection.code}`)
    } catch (error) {
      if (!isCairnError(error) || !mayRepeat(error.code)) throw error
      onAnswer(performance.now(), { number, code: error.code, ...error.details })
      commandId ??= error.details.commandId as string | undefined
      // The id is unknown: sending again would be another command.
      if (commandId === undefined) return retries
    }
  }
  return through.length
}

/** Sends a command with tell, whose outcome stays unknown. */
async function tell(
  cluster: TestCluster,
  random: () => number,
  number: number,
): Promise<number> {
  const { running } = cluster
  const node = cluster.node(running[Math.floor(random() * running.length)]!)
  try {
    await node
      .spawn(ledger, `a${Math.floor(random() * 2)}`)
      .tell('note', `told ${number}`)
  } catch (error) {
    if (!(isCairnError(error) && mayRepeat(error.code))) throw error
  }
  return 0
}

function mayRepeat(code: string): boolean {
  return [
    'outcome-unknown',
    'answer-lost',
    'node-closed',
    'contention',
    'no-node',
    'store-closed',
  ].includes(code)
}
