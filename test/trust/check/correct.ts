// A correct history of every workload, with the outcomes that are easily mistaken for violations.

import { HistoryBuilder, type NewEvent } from './synthetic.js'

export const lists = { one: 'list/a:one', sent: 'list/a:sent' }
const door = 'door/a:door'
const newDoor = 'door/a:new'
export const tape = 'tape/a:tape'
export const purses = ['purse/a:p1', 'purse/a:p2'] as const
export const register = 'register/a:register'
export const alarm = 'alarm/a:alarm'
export const train = 'train/a:train'

export function correctHistory(): HistoryBuilder {
  const builder = new HistoryBuilder()
  builder.sample('host1', 100 * 2 ** 20, 40)
  listWorkload(builder)
  doorWorkload(builder)
  appendWorkload(builder)
  transferWorkload(builder)
  registerWorkload(builder)
  topicWorkload(builder)
  consumerWorkload(builder)
  sendWorkload(builder)
  timerWorkload(builder)
  machineWorkload(builder)
  faults(builder)
  builder.sample('host1', 120 * 2 ** 20, 42)
  return builder
}

const unknown = { outcome: 'error', code: 'outcome-unknown' } as const

/** Asks a list to add its id; what is stored and what is told can be changed. */
export function add(builder: HistoryBuilder, id: string, actor = lists.one): void {
  const op = builder.invoke(askOf('list', actor, 'add', id, id))
  const commit = builder.commit(added(actor, id, builder.versionOf(actor) + 1))
  const { position, lastVersion: version } = commit
  builder.complete(op, {
    outcome: 'ok',
    version,
    position,
    reply: version,
    duplicate: false,
  })
}

export function askOf(
  workload: string,
  actor: string,
  command: string,
  data: unknown,
  id: string,
) {
  return { workload, call: 'ask', actor, command, data, id } as const
}

export function added(actor: string, id: string, reply: number) {
  return { actor, commands: [{ id, reply, events: [{ type: 'added', data: id }] }] }
}

function announce(builder: HistoryBuilder, id: string, note: object): void {
  const data = { value: id, ...note }
  const op = builder.invoke(askOf('list', lists.one, 'announce', data, id))
  const reply = builder.versionOf(lists.one) + 1
  const outbox = [{ kind: 'message', to: 'notes', data }]
  const { position } = builder.commit({ ...added(lists.one, id, reply), outbox })
  builder.complete(op, {
    outcome: 'ok',
    version: reply,
    position,
    reply,
    duplicate: false,
  })
}

function listWorkload(builder: HistoryBuilder): void {
  const actor = lists.one
  const ask = (id: string) => builder.invoke(askOf('list', actor, 'add', id, id))
  add(builder, 'first')

  // Two commands in one commit; the first of them is asked again.
  const ops = ['batched-1', 'batched-2'].map(ask)
  const { position } = builder.commit({
    actor,
    commands: ['batched-1', 'batched-2'].map((id, i) => ({
      ...added(actor, id, 2 + i).commands[0]!,
    })),
  })
  for (const [i, op] of ops.entries()) {
    const version = 2 + i
    const told = { outcome: 'ok', version, position, reply: version } as const
    builder.complete(op, { ...told, duplicate: false })
    if (i === 0) builder.complete(ask('batched-1'), { ...told, duplicate: true })
  }

  announce(builder, 'note', {})
  announce(builder, 'failing', { fails: 1 })
  announce(builder, 'terminal', { terminal: true })
  builder.plans.set(`readers ${actor}/5#0`, (_, by, message) => {
    builder.handle(by, message, 'failed')
    builder.handle(by, message, 'done', { attempt: 2, mayBeRepeat: true })
  })
  builder.plans.set(`readers ${actor}/6#0`, (_, by, message) =>
    builder.handle(by, message, 'failed'),
  )
  builder.dead.push({ by: 'readers', message: `${actor}/6#0`, reason: 'terminal' })

  // Unknown and stored, then answered.
  const lost = ask('unknown-stored')
  const stored = builder.commit(added(actor, 'unknown-stored', 7))
  builder.complete(lost, { outcome: 'error', code: 'outcome-unknown' })
  builder.complete(ask('unknown-stored'), {
    outcome: 'ok',
    version: 7,
    position: stored.position,
    reply: 7,
    duplicate: true,
  })
  // Unknown and stored, and never asked again; its process died.
  ask('process-died')
  builder.commit(added(actor, 'process-died', 8))
  // Unknown and absent.
  builder.complete(ask('unknown-absent'), { outcome: 'error', code: 'answer-lost' })
  // Told that nothing was stored, and it was not; then stored by the next attempt.
  builder.complete(ask('no-node-first'), { outcome: 'error', code: 'no-node' })
  add(builder, 'no-node-first')
  // One attempt is unknown, a later one claims absence, and the first one was stored.
  const slow = ask('slow')
  builder.complete(ask('slow'), { outcome: 'error', code: 'queue-full' })
  builder.commit(added(actor, 'slow', 10))
  builder.complete(slow, unknown)
  builder.complete(ask('mailbox'), { outcome: 'error', code: 'mailbox-full' })
}

function doorWorkload(builder: HistoryBuilder): void {
  let position = 0
  const ask = (id: string, command: string, event?: string, actor = door) => {
    const op = builder.invoke(askOf('door', actor, command, undefined, id))
    if (event !== undefined)
      position = builder.commit({
        actor,
        commands: [{ id, events: [{ type: event }] }],
      }).position
    return op
  }
  const ok = (op: string, reply?: string) => {
    const version = builder.versionOf(door)
    builder.complete(op, {
      outcome: 'ok',
      version,
      position,
      duplicate: false,
      ...(reply !== undefined && { reply }),
    })
  }
  const rejected = { outcome: 'rejected', code: 'shut' } as const
  builder.complete(ask('enter-new', 'enter'), { ...rejected, version: 0 })
  ok(ask('open', 'open', 'opened'))
  ok(ask('enter', 'enter', 'entered'))
  // Accepted without an event: the answer is that of the last version.
  ok(ask('open-again', 'open'), 'open')
  ok(ask('shut', 'shut', 'closed'))
  builder.complete(ask('enter-shut', 'enter'), { ...rejected, version: 3 })
  // Unknown and absent, then rejected.
  builder.complete(ask('enter-unknown', 'enter'), unknown)
  builder.complete(ask('enter-unknown', 'enter'), rejected)
  builder.complete(ask('shut-new', 'shut', undefined, newDoor), {
    outcome: 'ok',
    version: 0,
    position: 0,
    reply: 'shut',
    duplicate: false,
  })
}

export function appendOf(value: string, expected: number) {
  const base = { workload: 'append', call: 'append', actor: tape } as const
  return { ...base, data: value, expected }
}

export function noted(value: string) {
  return { actor: tape, commands: [{ events: [{ type: 'noted', data: value }] }] }
}

export function append(builder: HistoryBuilder, value: string): void {
  const op = builder.invoke(appendOf(value, builder.versionOf(tape)))
  const { position, lastVersion: version } = builder.commit(noted(value))
  builder.complete(op, { outcome: 'ok', version, position })
}

function appendWorkload(builder: HistoryBuilder): void {
  append(builder, 'note-1')
  // A stale cache, a conflict, and success after it.
  builder.call(appendOf('note-stale', 0), { outcome: 'conflict', value: { actual: 1 } })
  append(builder, 'note-2')
  const op = builder.invoke(appendOf('note-unknown', 2))
  builder.commit(noted('note-unknown'))
  builder.complete(op, unknown)
  builder.call(appendOf('note-absent', 3), unknown)
}

export function transferOf(id: string, amount: number) {
  const data = { from: purses[0], to: purses[1], amount }
  return { workload: 'transfer', call: 'transact', data, id } as const
}

/** The two commits of a transfer. */
export function move(builder: HistoryBuilder, id: string, amount: number): void {
  for (const [i, type] of ['taken', 'given'].entries())
    builder.commit(moved(id, i, { type, data: { amount, transfer: id } }))
}

export function moved(id: string, i: number, event: NewEvent) {
  const reply = i === 0 ? 'moved' : undefined
  const commands = [{ id: `${id}/${i + 1}`, reply, events: [event] }]
  return { actor: purses[i]!, transactionId: id, commands }
}

function transferWorkload(builder: HistoryBuilder): void {
  for (const actor of purses) {
    const id = `open-${actor}`
    const op = builder.invoke(askOf('transfer', actor, 'open', 100, id))
    const events = [{ type: 'opened', data: { amount: 100 } }]
    const { position } = builder.commit({ actor, commands: [{ id, events }] })
    builder.complete(op, { outcome: 'ok', version: 1, position, duplicate: false })
  }
  const ok = { outcome: 'ok', reply: 'moved', duplicate: false } as const
  const first = builder.invoke(transferOf('move-1', 30))
  move(builder, 'move-1', 30)
  builder.commit({
    actor: 'cairn-guard/x',
    transactionId: 'move-1',
    commands: [{ events: [{ type: 'guarded' }] }],
  })
  builder.complete(first, ok)
  builder.call(transferOf('move-2', 200), { outcome: 'rejected', code: 'empty' })
  // Unknown and stored, then answered as a duplicate.
  const lost = builder.invoke(transferOf('move-3', 5))
  move(builder, 'move-3', 5)
  builder.complete(lost, unknown)
  builder.call(transferOf('move-3', 5), { ...ok, duplicate: true })
  builder.call(transferOf('move-4', 5), { outcome: 'error', code: 'contention' })
  builder.invoke(transferOf('move-5', 1))
  move(builder, 'move-5', 1)
}

export function setRegister(builder: HistoryBuilder, value: string): void {
  const op = builder.invoke(askOf('register', register, 'set', value, value))
  const events = [{ type: 'set', data: value }]
  const { position, lastVersion: version } = builder.commit({
    actor: register,
    commands: [{ id: value, events }],
  })
  builder.complete(op, { outcome: 'ok', version, position, duplicate: false })
}

export function read(freshness: unknown) {
  return { workload: 'register', call: 'state', actor: register, freshness } as const
}

function registerWorkload(builder: HistoryBuilder): void {
  builder.call(read('latest'), { outcome: 'ok', version: 0, value: '' })
  setRegister(builder, 'value-1')
  builder.call(read('latest'), { outcome: 'ok', version: 1, value: 'value-1' })
  // A read that overlaps a write may be told either version.
  const reading = builder.invoke(read('latest'))
  setRegister(builder, 'value-2')
  builder.complete(reading, { outcome: 'ok', version: 1, value: 'value-1' })
  builder.call(read('local'), { outcome: 'ok', version: 1, value: 'value-1' })
  builder.call(read({ after: 2 }), { outcome: 'ok', version: 2, value: 'value-2' })
}

export function publishOf(workload: string, topic: string, id: string, data: unknown) {
  return { workload, call: 'publish', command: topic, data, id } as const
}

function publish(
  builder: HistoryBuilder,
  workload: string,
  topic: string,
  id: string,
  note: object = {},
): void {
  const data = { value: id, ...note }
  const op = builder.invoke(publishOf(workload, topic, id, data))
  const { position } = builder.publish(topic, id, data)
  builder.complete(op, { outcome: 'ok', position, duplicate: false })
}

function topicWorkload(builder: HistoryBuilder): void {
  publish(builder, 'topic', 'notes', 'n1', { key: 'k' })
  publish(builder, 'topic', 'notes', 'n2', { key: 'k' })
  publish(builder, 'topic', 'notes', 'n3', { key: 'k', terminal: true })
  publish(builder, 'topic', 'notes', 'n4', { key: 'k' })
  // Unknown and stored, then a duplicate.
  const data = { value: 'n5', key: 'k' }
  const op = builder.invoke(publishOf('topic', 'notes', 'n5', data))
  const { position } = builder.publish('notes', 'n5', data)
  builder.complete(op, unknown)
  builder.call(publishOf('topic', 'notes', 'n5', data), {
    outcome: 'ok',
    position,
    duplicate: true,
  })
  // Its process is killed in a handling; another one handles it.
  builder.plans.set('readers n2', (_, by, message) => {
    builder.handle(by, message, 'killed')
    builder.handle(by, message, 'done', { mayBeRepeat: true })
  })
  // A dead letter that is sent again, and handled then.
  builder.plans.set('readers n3', (_, by, message) => {
    builder.handle(by, message, 'failed')
  })
  builder.plans.set('readers n5', (_, by, message) => {
    builder.handle(by, message, 'done')
    const n3 = { ...message, id: 'n3', position: 99, data: { key: 'k' } }
    builder.handle(by, n3, 'done', { redrives: 1, mayBeRepeat: true })
  })
}

export function consume(builder: HistoryBuilder, ...ids: readonly string[]): void {
  const op = builder.invoke({ workload: 'consumer', call: 'consume', command: 'a' })
  const value = ids.map(id => {
    const line = builder.log.find(one => one.kind === 'message' && one.id === id)
    return { sequence: line!.position, payload: (line as { data?: unknown }).data }
  })
  builder.complete(op, { outcome: 'ok', value })
}

export function settle(
  builder: HistoryBuilder,
  command: 'ack' | 'nak',
  id: string,
): string {
  const line = builder.log.find(one => one.kind === 'message' && one.id === id)
  const base = { workload: 'consumer', call: 'settle' } as const
  return builder.invoke({ ...base, command, id, data: line!.position })
}

function consumerWorkload(builder: HistoryBuilder): void {
  for (const id of ['q1', 'q2', 'q3', 'q4']) publish(builder, 'consumer', 'parcels', id)
  consume(builder, 'q1', 'q2', 'q3')
  builder.complete(settle(builder, 'nak', 'q1'), { outcome: 'ok' })
  builder.complete(settle(builder, 'ack', 'q2'), { outcome: 'ok' })
  consume(builder, 'q1', 'q4')
  builder.complete(settle(builder, 'ack', 'q1'), { outcome: 'ok' })
  // Unknown: it may have been acknowledged, and may come again.
  builder.complete(settle(builder, 'ack', 'q4'), unknown)
  consume(builder, 'q4')
  builder.dead.push({
    by: 'consumer:collector',
    message: 'q3',
    reason: 'max-attempts-exhausted',
  })
}

export function sendOf(id: string) {
  const base = { workload: 'send', call: 'send', actor: lists.sent } as const
  return { ...base, command: 'add', data: id, id }
}

function sendWorkload(builder: HistoryBuilder): void {
  const ok = { outcome: 'ok', position: 1, duplicate: false } as const
  builder.call(sendOf('send-1'), ok)
  builder.call(sendOf('send-2'), ok)
  // Unknown and in the inbox, then a duplicate, after another one was acknowledged.
  builder.call(sendOf('send-3'), unknown)
  builder.call(sendOf('send-4'), ok)
  builder.call(sendOf('send-3'), { ...ok, duplicate: true })
  builder.call(sendOf('send-dead'), ok)
  for (const [i, id] of ['send-1', 'send-2', 'send-3', 'send-4'].entries())
    builder.commit(added(lists.sent, id, i + 1))
  builder.dead.push({ by: 'commands:inbox', message: 'send-dead', reason: 'terminal' })
}

export function arm(builder: HistoryBuilder, name: string, after: number): number {
  const op = builder.invoke(askOf('timer', alarm, 'arm', { name, after }, `arm-${name}`))
  const due = builder.wall + after
  const events = [{ type: 'armed', data: { name, due } }]
  const { position, lastVersion: version } = builder.commit({
    actor: alarm,
    commands: [{ id: `arm-${name}`, events }],
    outbox: [{ kind: 'timer', to: name, data: { name, due } }],
  })
  builder.complete(op, { outcome: 'ok', version, position, duplicate: false })
  return due
}

export function ring(
  builder: HistoryBuilder,
  name: string,
  due: number,
  at = due + 3,
  number = 0,
): void {
  const events = [{ type: 'rang', data: { name, due, at } }]
  const id = `${alarm}/${name}#0@${number}`
  builder.commit({ actor: alarm, commands: [{ id, events }] })
}

function timerWorkload(builder: HistoryBuilder): void {
  const due = arm(builder, 'wake', 10)
  builder.wait(20)
  ring(builder, 'wake', due)
  const sleep = arm(builder, 'sleep', 0)
  ring(builder, 'sleep', sleep)
}

function machineWorkload(builder: HistoryBuilder): void {
  const op = builder.invoke(askOf('machine', train, 'depart', { to: 'x' }, 'depart'))
  const events = [{ type: 'depart', data: { to: 'x' } }]
  const { position } = builder.commit({
    actor: train,
    commands: [{ id: 'depart', events }],
  })
  builder.complete(op, { outcome: 'ok', version: 1, position, duplicate: false })
  const state = { value: { running: 'slow' }, context: { calls: ['x'] } }
  builder.states.set(train, { state, plain: state })
}

function faults(builder: HistoryBuilder): void {
  for (const target of ['host1', 'host2']) {
    builder.fault('kill', target, 'begun')
    builder.fault('kill', target, 'healed')
    builder.fault('kill', target, 'recovered', 1_200)
  }
  builder.fault('cut', 'client1', 'begun')
  builder.wait(500)
  builder.fault('cut', 'client1', 'healed')
  builder.fault('cut', 'client1', 'recovered', 300)
}
