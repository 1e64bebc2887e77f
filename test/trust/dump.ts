// Reads what is in the store at the end of a run, through the public API, into the run's folder.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import {
  type ActorAddress,
  type Backend,
  formatAddress,
  type Node,
  parseAddress,
  type RecordedEvent,
} from 'cairn-es'
import { commitSlicesOf } from 'cairn-es/store'
import { createActor, SimulatedClock } from 'xstate'

import { decodeStoredCommand } from '../../src/codec/stored-command.js'
import { decodeStoredMessage } from '../../src/codec/stored-message.js'
import { trainMachine } from './actors.js'
import {
  type DeadLine,
  type LogLine,
  plain,
  type StateLine,
  type WaitingLine,
} from './history.js'

export interface Dump {
  readonly log: readonly LogLine[]
  readonly states: readonly StateLine[]
  readonly dead: readonly DeadLine[]
  readonly waiting: readonly WaitingLine[]
}

/** Writes what a namespace holds into its folder. */
export async function writeDump(folder: string, found: Dump): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, lines] of Object.entries(found)) {
    const text = (lines as unknown[]).map(line => `${JSON.stringify(line, plain)}\n`)
    await writeFile(join(folder, `${name}.jsonl`), text.join(''))
  }
}

export async function dump(node: Node, backend: Backend): Promise<Dump> {
  const { namespace } = node
  const log: LogLine[] = []
  const trains = new Map<string, RecordedEvent[]>()
  const actors = new Set<string>()
  for await (const record of node.store.readAll()) {
    if (record.kind === 'malformed') {
      const { position, reason } = record
      log.push({ kind: 'malformed', position, reason })
      continue
    }
    const actor = formatAddress(record.actor)
    actors.add(actor)
    if (record.actor.type === 'train')
      trains.set(actor, [...(trains.get(actor) ?? []), ...record.events])
    const { position, firstVersion, lastVersion, id, nodeId, at, transactionId } = record
    log.push({
      kind: 'commit',
      position,
      actor,
      firstVersion,
      lastVersion,
      commitId: id,
      nodeId,
      writtenAt: at,
      ...(transactionId !== undefined && { transactionId }),
      slices: commitSlicesOf(record).map(slice => ({
        firstVersion: slice.firstVersion,
        lastVersion: slice.lastVersion,
        ...(slice.command !== undefined && {
          id: slice.command.id,
          reply: slice.command.reply,
        }),
      })),
      events: record.events.map(({ type, version, data }) => ({ type, version, data })),
      ...(record.state !== undefined && { state: record.state.value }),
      ...(record.outbox !== undefined && {
        outbox: record.outbox.map((entry, i) => ({
          kind: entry.kind,
          to:
            entry.kind === 'message'
              ? entry.topic
              : entry.kind === 'command'
                ? formatAddress(entry.actor)
                : 'work' in entry
                  ? entry.work
                  : entry.name,
          id: `${actor}/${firstVersion}#${i}`,
          ...('data' in entry && { data: entry.data }),
        })),
      }),
    })
  }
  const open = await backend.open({ namespace, nodeId: 'reader' })
  const waiting: WaitingLine[] = []
  try {
    for await (const { key, position, headers, body } of open.queues.topic.read()) {
      const message = decodeStoredMessage(key[0]!, headers, body)
      if (typeof message === 'string')
        log.push({ kind: 'malformed', position, reason: message })
      else {
        const { id, topic, data } = message
        log.push({ kind: 'message', position, topic, id, data })
      }
    }
    for await (const { key, headers, body } of open.queues.inbox.read()) {
      const command = decodeStoredCommand(headers, body)
      const id = typeof command === 'string' ? command : command.id
      waiting.push({ kind: 'inbox', actor: key.slice(1).join('/'), id })
    }
  } finally {
    await open.close()
  }
  for await (const timer of node.timers())
    waiting.push({ kind: 'timer', actor: formatAddress(timer.actor), id: timer.name })
  const dead: DeadLine[] = []
  for await (const { reactor, reason, message } of node.deadLetters.list())
    dead.push({ by: reactor, message: message.id, reason })
  const states: StateLine[] = []
  for (const actor of actors) {
    const address: ActorAddress = parseAddress(actor)
    if (address.type.startsWith('cairn-')) continue
    const { state, version } = await node.state(address, { freshness: 'latest' })
    const events = trains.get(actor)
    if (events === undefined) states.push({ actor, version, state })
    else {
      const { value, context } = state as { value: unknown; context: unknown }
      states.push({
        actor,
        version,
        state: { value, context },
        plain: playedPlainly(events),
      })
    }
  }
  return { log, states, dead, waiting }
}

/** The state of a plain XState machine that is given the same events. Its clock moves when a delay was stored. */
function playedPlainly(events: readonly RecordedEvent[]): unknown {
  const clock = new SimulatedClock()
  const actor = createActor(trainMachine, { clock }).start()
  for (const { type, data } of events)
    if (type.startsWith('xstate.after.')) clock.increment(400)
    else actor.send({ ...(data as object), type } as never)
  const { value, context } = actor.getSnapshot()
  return JSON.parse(JSON.stringify({ value, context })) as unknown
}
