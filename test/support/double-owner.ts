// Two owners of every actor, forced: each node sees nobody but itself, and hears no notice. What
// is left between them is the store's judgement.

import type { Test } from 'tap'

import type { Backend } from '../../src/backend/backend.js'
import type { NoticeBus } from '../../src/bus/bus.js'
import type { Member, Membership } from '../../src/cluster/membership.js'
import { type Node, startNode } from '../../src/index.js'
import type { ActorAddress } from '../../src/model/address.js'
import { isCairnError } from '../../src/model/errors.js'
import type { AcceptedOutcome } from '../../src/model/command-sender.js'
import { account } from '../actor/support.js'
import { examine, holds } from '../multinode/load.js'

/** The backend, as a node sees it that is alone and deaf. */
export function pinned(backend: Backend): Backend {
  return {
    kind: backend.kind,
    async open(options) {
      const open = await backend.open(options)
      return {
        ...open,
        bus: deaf(open.bus),
        join: async self => alone(await open.join(self), self),
      }
    },
  }
}

/** Placement pinned to the node itself: there is nobody else to own anything. */
function alone(membership: Membership, self: Member | undefined): Membership {
  const members = self === undefined ? [] : [self]
  return {
    members: () => members,
    onChange: () => () => {},
    suspect: () => {},
    leave: () => membership.leave(),
    close: () => membership.close(),
  }
}

/** Every notice is dropped, and nobody is told that any was missed. */
function deaf(bus: NoticeBus): NoticeBus {
  const nothing = {
    stats: () => ({ commits: 0, malformed: 0, interruptions: 0, handlerErrors: 0 }),
    unsubscribe: async () => {},
  }
  return {
    subscribeToEventStored: async () => nothing,
    subscribeToCommits: async () => nothing,
    subscribeAcrossNamespaces: async () => nothing,
    close: () => bus.close(),
  }
}

export interface DoubleOwnerOptions {
  /** Each of both nodes opens it, as the nodes of one namespace do. */
  readonly backend: () => Backend
  readonly namespace: string
  /** Commands, each of them sent to both nodes. */
  readonly commands: number
}

const actorCount = 5
const workerCount = 8

const actorOf = (n: number) => ({ type: 'account', id: `a${n % actorCount}` })

/**
 * Sends every command, under its id, to both nodes: at once, or to the other one when the first
 * has answered, or a while later. Then holds the log against what was answered.
 */
export async function provesTwoOwners(
  t: Test,
  { backend, namespace, commands }: DoubleOwnerOptions,
): Promise<void> {
  const start = (id: string) =>
    startNode({ namespace, id, store: pinned(backend()), actors: [account] })
  await using one = await start('one')
  await using two = await start('two')
  const nodes = [one, two] as const
  const answers = new Map<string, AcceptedOutcome[]>()
  let failed = 0

  /** Asks until there is an answer, as whoever wants one does. */
  const ask = async (node: Node, actor: ActorAddress, commandId: string) => {
    const options = { commandId, timeout: 30_000 }
    for (;;)
      try {
        const outcome = await node.ask(actor, 'deposit', { amount: 1 }, options)
        if (!outcome.ok) throw new Error('a deposit is never refused')
        answers.set(commandId, [...(answers.get(commandId) ?? []), outcome])
        return
      } catch (error) {
        if (!isCairnError(error) || !error.retryable) throw error
        failed++
      }
  }

  let next = 0
  const worker = async () => {
    const later: (() => Promise<void>)[] = []
    for (let n = next++; n < commands; n = next++) {
      const actor = actorOf(n)
      const id = `c-${n}`
      const [first, second] = n % 2 === 0 ? nodes : [two, one]
      if (n % 3 === 0) await Promise.all([ask(first, actor, id), ask(second, actor, id)])
      else await ask(first, actor, id)
      if (n % 3 === 1) await ask(second, actor, id)
      if (n % 3 === 2) later.push(() => ask(second, actor, id))
      if (later.length > 10) await later.shift()!()
    }
    for (const repeat of later) await repeat()
  }
  await Promise.all(Array.from({ length: workerCount }, worker))

  // The conditions were as they should be.
  for (const node of nodes) {
    t.strictSame(
      node.members().map(({ id }) => id),
      [node.id],
      `${node.id} knows of nobody else`,
    )
    t.match(node.stats(), { notices: { commits: 0 }, router: { remote: 0, resent: 0 } })
    t.equal(node.stats().actors.residents, actorCount, `${node.id} owns every actor`)
  }
  const conflicts = nodes.map(node => node.stats().actors.conflicts)
  t.ok(conflicts[0]! + conflicts[1]! > 0, 'they were in each other’s way')

  // P1, P3, P4.
  const log = await examine(one.store)
  const acknowledged = new Map(
    [...answers].map(([id, [answer]]) => [
      id,
      { actor: actorOf(Number(id.slice(2))).id, version: answer!.version },
    ]),
  )
  holds(t, { acknowledged, refused: [], unknown: new Map() }, log)
  t.equal(acknowledged.size, commands, 'every command was answered')
  t.equal(log.commands.size, commands, 'and stands in the log, and nothing else does')
  t.ok(log.writers.get('one')! > 0 && log.writers.get('two')! > 0, 'both wrote')
  const wrong = [...answers].filter(([, told]) => {
    const [first] = told
    const alike = told.every(
      ({ version, position, reply }) =>
        version === first!.version &&
        position === first!.position &&
        reply === first!.reply,
    )
    // Where an answer got lost on its way, both of the others may be repeats.
    const firsts = told.filter(answer => !answer.duplicate).length
    const isOnce = failed === 0 ? firsts === 1 : firsts <= 1
    return told.length !== 2 || !alike || !isOnce
  })
  t.strictSame(wrong, [], 'of two answers one is the first, and the other says the same')
  for (const node of nodes)
    for (let n = 0; n < actorCount; n++) {
      const actor = actorOf(n)
      const versions = log.versions.get(actor.id)!.size
      t.match(await node.state(actor), {
        version: versions,
        state: { balance: versions },
      })
    }
  t.comment(
    `${commands} commands to both owners of ${actorCount} actors: ${log.commands.size} in the log, ` +
      `${conflicts.join(' and ')} conflicts, ` +
      `${nodes.map(node => node.stats().actors.duplicates).join(' and ')} repeats, ${failed} asked again`,
  )
}

const busyCallers = 12

/**
 * Sends commands to one actor through both of its owners, each as fast as it answers: an owner that stores one
 * commit after another must leave room for the other. Every command is answered the first time that it is sent.
 */
export async function provesFairness(
  t: Test,
  { backend, namespace, commands }: DoubleOwnerOptions,
): Promise<void> {
  const start = (id: string) =>
    startNode({ namespace, id, store: pinned(backend()), actors: [account] })
  await using one = await start('one')
  await using two = await start('two')
  const nodes = [one, two] as const
  const actor = { type: 'account', id: 'busy' }
  const versions = new Set<number>()
  const ask = async (node: Node) => {
    const options = { timeout: 120_000 }
    const outcome = await node.ask(actor, 'deposit', { amount: 1 }, options)
    if (outcome.ok) versions.add(outcome.version)
  }
  // The commit of the second one makes what the first one has in memory old.
  for (const node of nodes) await ask(node)
  const drive = async (node: Node) => {
    let left = commands / nodes.length - 1
    const caller = async () => {
      while (left-- > 0) await ask(node)
    }
    await Promise.all(Array.from({ length: busyCallers }, caller))
  }
  await Promise.all(nodes.map(drive))

  const conflicts = nodes.map(node => node.stats().actors.conflicts)
  t.ok(conflicts[0]! + conflicts[1]! > 0, 'they were in each other’s way')
  t.equal(versions.size, commands, 'every command is answered, with a version of its own')
  for (const node of nodes) {
    t.strictSame(node.stats().dead, {}, `no command of ${node.id} has ended in an error`)
    const expected = { version: commands, state: { balance: commands } }
    t.match(await node.state(actor), expected)
  }
  t.comment(`${commands} commands to one actor: ${conflicts.join(' and ')} conflicts`)
}
